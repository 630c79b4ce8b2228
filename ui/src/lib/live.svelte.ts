/** Live updates: one Server-Sent Events connection for the whole page. */
import { api, type StreamMessages } from './api';
import { clock } from './clock.svelte';

type Kind = keyof StreamMessages;
type Listener<K extends Kind> = (message: StreamMessages[K]) => void;

const KINDS: Kind[] = ['hello', 'belief', 'event', 'disagreement', 'quarantine'];

class Live {
  state = $state<'connecting' | 'live' | 'lost'>('connecting');
  /** From a fact's acceptance to the belief that it changed, as the server measured it. */
  latency = $state<number | null>(null);
  last = $state<string | null>(null);
  #listeners = new Map<Kind, Set<Listener<never>>>();
  #source: EventSource | null = null;
  #greeted = false;

  start(): void {
    this.#source?.close();
    const source = new EventSource(api.streamUrl);
    this.#source = source;
    source.onopen = () => (this.state = 'live');
    source.onerror = () => {
      this.state = 'lost';
      // The browser reconnects by itself, unless the server refused outright.
      if (source.readyState === EventSource.CLOSED) setTimeout(() => this.start(), 4000);
    };
    for (const kind of KINDS) {
      source.addEventListener(kind, (event) => this.#receive(kind, (event as MessageEvent<string>).data));
    }
  }

  on<K extends Kind>(kind: K, listener: Listener<K>): () => void {
    const listeners = this.#listeners.get(kind) ?? new Set();
    this.#listeners.set(kind, listeners);
    listeners.add(listener as Listener<never>);
    return () => listeners.delete(listener as Listener<never>);
  }

  #receive<K extends Kind>(kind: K, data: string): void {
    const message = JSON.parse(data) as StreamMessages[K];
    if (kind === 'hello') {
      clock.sync((message as StreamMessages['hello']).now);
      // The first greeting is no news; a later one means that something may have been missed.
      if (!this.#greeted) {
        this.#greeted = true;
        return;
      }
    }
    if (kind === 'belief') {
      const belief = message as StreamMessages['belief'];
      this.latency = belief.latency_ms;
      this.last = new Date(clock.now).toISOString();
    }
    for (const listener of this.#listeners.get(kind) ?? []) (listener as Listener<K>)(message);
  }
}

export const live = new Live();

/** Call `work` soon, and not more often than every `ms`. */
export function throttled(work: () => void, ms: number): { call: () => void; stop: () => void } {
  let timer: ReturnType<typeof setTimeout> | null = null;
  let last = 0;
  return {
    call() {
      if (timer !== null) return;
      timer = setTimeout(
        () => {
          timer = null;
          last = Date.now();
          work();
        },
        Math.max(0, last + ms - Date.now()),
      );
    },
    stop() {
      if (timer !== null) clearTimeout(timer);
      timer = null;
    },
  };
}
