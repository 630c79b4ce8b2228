/** The server's clock, ticking here: ages are counted against it, not against this machine's own clock. */

class Clock {
  now = $state(Date.now());
  #offset = 0;

  constructor() {
    setInterval(() => this.#tick(), 1000);
    document.addEventListener('visibilitychange', () => this.#tick());
  }

  /** Take the server's `now`; small differences are the network's and are left alone. */
  sync(now: string): void {
    const offset = Date.parse(now) - Date.now();
    if (Number.isFinite(offset) && Math.abs(offset - this.#offset) > 1500) {
      this.#offset = offset;
      this.#tick();
    }
  }

  #tick(): void {
    this.now = Date.now() + this.#offset;
  }
}

export const clock = new Clock();
