/** How numbers, units, times and ages are written. One place, so that every view says them alike. */
import type { DisplayUnit } from './api';

/** UCUM's spelling made readable. */
export function unitText(unit: string): string {
  if (unit === '1' || unit === '{1}') return '';
  return unit
    .replace(/mm\[Hg\]/g, 'mmHg')
    .replace(/\[i?IU\]|\[iU\]/g, 'IU')
    .replace(/10\*-?\d+/g, (power) => `10${superscript(power.slice(3))}`)
    .replace(/\{([^}]*)\}/g, '$1')
    .replace(/\bCel\b/g, '°C')
    .replace(/\bu(?=[gmlLUs])/g, 'µ')
    .replace(/(?<=[A-Za-z])-(\d)/g, (_, power: string) => `⁻${superscript(power)}`)
    .replace(/\./g, '·');
}

function superscript(digits: string): string {
  return [...digits].map((digit) => '⁰¹²³⁴⁵⁶⁷⁸⁹'['0123456789'.indexOf(digit)] ?? (digit === '-' ? '⁻' : digit)).join('');
}

const MINUS = '−';

/** A number to a fixed count of decimals, with a true minus sign. */
export function fixed(value: number, decimals: number): string {
  const text = value.toFixed(decimals);
  return (Number(text) === 0 ? text.replace('-', '') : text).replace('-', MINUS);
}

/** A number to three significant digits, without an exponent where a person would write none. */
export function significant(value: number, digits = 3): string {
  if (value === 0) return '0';
  const size = Math.floor(Math.log10(Math.abs(value)));
  if (size < -4 || size > 6) {
    const [mantissa, power] = value.toExponential(digits - 1).split('e');
    return `${(mantissa ?? '').replace('-', MINUS)}×10${superscript(String(Number(power)))}`;
  }
  return fixed(value, Math.max(0, digits - 1 - size));
}

/** As few digits as say it: 155, not 155.0. */
export function plain(value: number, digits = 4): string {
  const text = significant(value, digits);
  return /[.]\d+$/.test(text) ? text.replace(/[.]?0+$/, '') : text;
}

export function shown(value: number, display: DisplayUnit): number {
  return value * display.scale + (display.offset ?? 0);
}

/** A number in the display unit, without the unit. */
export function number(value: number, display: DisplayUnit): string {
  return fixed(shown(value, display), display.decimals);
}

/** A difference of two numbers in the display unit: the offset cancels. */
export function difference(value: number, display: DisplayUnit): string {
  const text = fixed(value * display.scale, display.decimals);
  return value * display.scale > 0 && Number(text) !== 0 ? `+${text}` : text;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A span in at most two words: "23 s", "4 min", "3 h 12 min", "2 d 4 h". */
export function span(ms: number): string {
  const size = Math.max(0, ms);
  if (size < MINUTE) return `${Math.floor(size / SECOND)} s`;
  if (size < HOUR) return `${Math.floor(size / MINUTE)} min`;
  if (size < DAY) {
    const minutes = Math.floor((size % HOUR) / MINUTE);
    return `${Math.floor(size / HOUR)} h${minutes ? ` ${minutes} min` : ''}`;
  }
  const hours = Math.floor((size % DAY) / HOUR);
  const days = Math.floor(size / DAY);
  return `${days} d${hours && days < 10 ? ` ${hours} h` : ''}`;
}

export function age(time: string, now: number): string {
  const ms = now - Date.parse(time);
  if (ms < -2 * SECOND) return `in ${span(-ms)}`;
  return `${span(ms)} ago`;
}

/** The zone that times are shown in: the patient's where known, else as the source wrote them. */
export interface Zone {
  name: string;
  known: boolean;
}

export function zoneOf(zone: { name: string | null; offset_known: boolean }): Zone {
  if (!zone.offset_known) return { name: 'UTC', known: false };
  return { name: zone.name ?? Intl.DateTimeFormat().resolvedOptions().timeZone, known: true };
}

export const localZone: Zone = { name: Intl.DateTimeFormat().resolvedOptions().timeZone, known: true };

const formats = new Map<string, Intl.DateTimeFormat>();

function formatter(zone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = zone + JSON.stringify(options);
  let format = formats.get(key);
  if (!format) {
    try {
      format = new Intl.DateTimeFormat('en-GB', { timeZone: zone, ...options });
    } catch {
      format = new Intl.DateTimeFormat('en-GB', { timeZone: 'UTC', ...options });
    }
    formats.set(key, format);
  }
  return format;
}

export function hourMinute(time: string | number, zone: Zone): string {
  return formatter(zone.name, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(new Date(time));
}

export function dayHourMinute(time: string | number, zone: Zone): string {
  const date = new Date(time);
  return formatter(zone.name, {
    ...(date.getFullYear() === new Date().getFullYear() ? {} : { year: 'numeric' }),
    day: 'numeric',
    month: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  })
    .format(date)
    .replace(',', '');
}

/** Date and time to the second, for the record. */
export function fullTime(time: string | number, zone: Zone): string {
  const parts = formatter(zone.name, {
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
  }).formatToParts(new Date(time));
  const get = (type: string) => parts.find((part) => part.type === type)?.value ?? '';
  return `${get('year')}-${get('month')}-${get('day')} ${get('hour')}:${get('minute')}:${get('second')}`;
}

/** A time as precise as the source said it. */
export function preciseTime(time: string, precision: string, zone: Zone): string {
  const full = fullTime(time, zone);
  const lengths: Record<string, number> = { year: 4, month: 7, day: 10, hour: 13, minute: 16 };
  return full.slice(0, lengths[precision] ?? full.length);
}

export function bytes(size: number): string {
  if (size < 1024) return `${size} B`;
  if (size < 1024 ** 2) return `${significant(size / 1024)} KiB`;
  if (size < 1024 ** 3) return `${significant(size / 1024 ** 2)} MiB`;
  return `${significant(size / 1024 ** 3)} GiB`;
}

export function percent(share: number, decimals = 0): string {
  return `${fixed(share * 100, decimals)} %`;
}

export function count(size: number, one: string, many = `${one}s`): string {
  return `${size.toLocaleString('en-GB')} ${size === 1 ? one : many}`;
}
