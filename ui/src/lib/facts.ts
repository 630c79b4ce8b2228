/** How a fact of the record is said in one phrase. */
import type { EventRow } from './api';
import { significant, unitText } from './format';

export function factText(event: EventRow): string {
  if (event.value !== null) {
    const unit = event.unit ? unitText(event.unit) : '';
    return `${event.comparator ?? ''}${significant(event.value, 4)}${unit ? ` ${unit}` : ''}${event.sd !== null ? ` ± ${significant(event.sd, 2)}` : ''}`;
  }
  if (event.code) return event.code.display || `${event.code.code}`;
  if (event.artifact) return 'artifact';
  return event.text ?? '–';
}
