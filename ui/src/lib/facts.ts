/** How a fact of the record is said in one phrase. */
import type { EventRow } from './api';
import { plain, unitText } from './format';

export function factText(event: EventRow): string {
  if (event.value !== null) {
    const unit = event.unit ? unitText(event.unit) : '';
    return `${event.comparator ?? ''}${plain(event.value)}${unit ? ` ${unit}` : ''}${event.sd !== null ? ` ± ${plain(event.sd, 2)}` : ''}`;
  }
  if (event.code) return event.code.display || `${event.code.code}`;
  if (event.artifact) return 'artifact';
  return event.text ?? '–';
}
