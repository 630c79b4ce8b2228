/** What a person chose on this device: the theme, and the unit in which a quantity is shown. */
import type { DisplayUnit } from './api';

export type Theme = 'system' | 'light' | 'dark';

function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null; // storage may be forbidden: the choice then lasts as long as the page
  }
}

function write(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // as above
  }
}

function readUnits(): Record<string, string> {
  try {
    return JSON.parse(read('medtwin.units') ?? '{}') as Record<string, string>;
  } catch {
    return {};
  }
}

const dark = window.matchMedia('(prefers-color-scheme: dark)');

class Preferences {
  theme = $state<Theme>((read('medtwin.theme') as Theme | null) ?? 'system');
  printing = $state(false);
  #systemDark = $state(dark.matches);
  #units = $state<Record<string, string>>(readUnits());

  constructor() {
    dark.addEventListener('change', (event) => (this.#systemDark = event.matches));
  }

  /** The palette in force: paper is always light. */
  get palette(): 'light' | 'dark' {
    if (this.printing) return 'light';
    if (this.theme === 'system') return this.#systemDark ? 'dark' : 'light';
    return this.theme;
  }

  setTheme(theme: Theme): void {
    this.theme = theme;
    write('medtwin.theme', theme);
  }

  /** The unit to show a quantity in: the person's choice, else the first that the server offers. */
  unit(quantity: string, offered: DisplayUnit[], canonical: string): DisplayUnit {
    const chosen = this.#units[quantity];
    return (
      offered.find((unit) => unit.unit === chosen) ?? offered[0] ?? { unit: canonical, scale: 1, decimals: 1 }
    );
  }

  setUnit(quantity: string, unit: string): void {
    this.#units = { ...this.#units, [quantity]: unit };
    write('medtwin.units', JSON.stringify(this.#units));
  }
}

export const preferences = new Preferences();
