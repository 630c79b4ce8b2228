/** Where the page is: the part of the address after `#`. */

export type Route =
  | { view: 'worklist' }
  | { view: 'patient'; id: string; tab: Tab; item: string | null; search: URLSearchParams }
  | { view: 'quarantine' }
  | { view: 'matches' }
  | { view: 'sources' }
  | { view: 'trials'; search: URLSearchParams }
  | { view: 'unknown'; path: string };

export const TABS = ['timeline', 'knows', 'what-if', 'decisions', 'report', 'record', 'disagreements', 'about'] as const;
export type Tab = (typeof TABS)[number];

function parse(hash: string): Route {
  const [path = '', search = ''] = hash.replace(/^#/, '').split('?');
  const parts = path.split('/').filter(Boolean).map(decodeURIComponent);
  if (parts.length === 0) return { view: 'worklist' };
  if (parts[0] === 'quarantine') return { view: 'quarantine' };
  if (parts[0] === 'matches') return { view: 'matches' };
  if (parts[0] === 'sources') return { view: 'sources' };
  if (parts[0] === 'trials' && parts.length === 1) return { view: 'trials', search: new URLSearchParams(search) };
  if (parts[0] === 'patients' && parts[1]) {
    const tab = (parts[2] ?? 'timeline') as Tab;
    if (TABS.includes(tab)) {
      return { view: 'patient', id: parts[1], tab, item: parts[3] ?? null, search: new URLSearchParams(search) };
    }
  }
  return { view: 'unknown', path };
}

class Router {
  route = $state.raw<Route>(parse(location.hash));

  constructor() {
    window.addEventListener('hashchange', () => (this.route = parse(location.hash)));
  }
}

export const router = new Router();

export function patientHref(id: string, tab: Tab = 'timeline', item?: string, search?: Record<string, string>): string {
  const query = search ? `?${new URLSearchParams(search)}` : '';
  return `#/patients/${encodeURIComponent(id)}/${tab}${item ? `/${encodeURIComponent(item)}` : ''}${query}`;
}
