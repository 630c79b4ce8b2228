/** What a chart is made of. Each kind of statement has one look, the same in every chart, told by shape and dash, not
 * by colour alone: a measurement is a dot, a belief a solid line in a solid band, a future a dashed line in a hatched one. */
import uPlot from 'uplot';

export type Look = 'belief' | 'forecast' | 'baseline' | 'scenario' | 'difference';

export interface PointLayer {
  kind: 'points';
  name: string;
  times: number[]; // s
  values: (number | null)[];
  flags?: (string | null)[];
  spread?: (number | null)[]; // 1 sd of the measurement itself
}

export interface BandLayer {
  kind: 'band';
  look: Look;
  name: string;
  times: number[];
  middle: (number | null)[];
  lower: (number | null)[];
  upper: (number | null)[];
  innerLower?: (number | null)[];
  innerUpper?: (number | null)[];
  level: number;
}

export type Layer = PointLayer | BandLayer;

export interface Mark {
  time: number; // s
  until: number | null;
  sign: 'food' | 'dose' | 'other';
  row: string; // marks of one row stand on one line
  value: number;
  unit: string;
  label: string;
  planned: boolean;
  inferred: boolean;
}

/** Food is a triangle; what is given is a box. */
export function signOf(quantity: string): Mark['sign'] {
  if (/carbohydrate|meal|food/.test(quantity)) return 'food';
  return /insulin|dose|drug|bolus|glucagon/.test(quantity) ? 'dose' : 'other';
}

export interface Palette {
  text: string;
  muted: string;
  grid: string;
  surface: string;
  future: string;
  target: string;
  flag: string;
  measurement: string;
  looks: Record<Look, { line: string; fill: string; inner: string; dash: number[]; hatch: number | null; width: number }>;
}

/** The palette, read from the style sheet, so that a colour is stated once. */
export function palette(): Palette {
  const style = getComputedStyle(document.documentElement);
  const get = (name: string) => style.getPropertyValue(`--${name}`).trim();
  const look = (name: string, dash: number[], hatch: number | null, width: number) => ({
    line: get(name),
    fill: get(`${name}-fill`),
    inner: get(`${name}-inner`),
    dash,
    hatch,
    width,
  });
  return {
    text: get('text'),
    muted: get('muted'),
    grid: get('grid'),
    surface: get('surface'),
    future: get('future'),
    target: get('target'),
    flag: get('alert'),
    measurement: get('measurement'),
    looks: {
      belief: look('belief', [], null, 1.75),
      forecast: look('forecast', [7, 4], 1, 2),
      baseline: look('baseline', [2, 3], -1, 2),
      scenario: look('scenario', [9, 4], 1, 2.25),
      difference: look('difference', [9, 4], 1, 2.25),
    },
  };
}

const DPR = () => window.devicePixelRatio || 1;

/** Diagonal lines: `lean` 1 rises to the right, -1 falls. */
function hatching(context: CanvasRenderingContext2D, line: string, ground: string, lean: number): CanvasPattern | string {
  const size = Math.round(7 * DPR());
  const tile = document.createElement('canvas');
  tile.width = tile.height = size;
  const draw = tile.getContext('2d');
  if (!draw) return ground;
  draw.fillStyle = ground;
  draw.fillRect(0, 0, size, size);
  draw.strokeStyle = line;
  draw.lineWidth = DPR();
  draw.beginPath();
  for (const shift of [-size, 0, size]) {
    if (lean > 0) {
      draw.moveTo(shift, size);
      draw.lineTo(shift + size, 0);
    } else {
      draw.moveTo(shift, 0);
      draw.lineTo(shift + size, size);
    }
  }
  draw.stroke();
  return context.createPattern(tile, 'repeat') ?? ground;
}

/** What decides the chart's structure: a change of it makes a new chart, anything else only new data. */
export function structure(layers: Layer[]): string {
  return layers
    .map((layer) => `${layer.kind}:${layer.name}:${layer.kind === 'band' ? `${layer.look}:${Boolean(layer.innerLower)}` : ''}`)
    .join('|');
}

/** The layers' columns on one common axis of times. */
export function table(layers: Layer[]): uPlot.AlignedData {
  const tables = layers.map((layer): uPlot.AlignedData => {
    if (layer.kind === 'points') return [layer.times, layer.values];
    const columns = [layer.times, layer.lower, layer.upper];
    if (layer.innerLower && layer.innerUpper) columns.push(layer.innerLower, layer.innerUpper);
    columns.push(layer.middle);
    return columns as uPlot.AlignedData;
  });
  return tables.length ? uPlot.join(tables) : [[]];
}

/** uPlot's series and bands for the layers, in the order of `table`. */
export function seriesOf(layers: Layer[], colours: Palette): { series: uPlot.Series[]; bands: uPlot.Band[] } {
  const series: uPlot.Series[] = [{}];
  const bands: uPlot.Band[] = [];
  const edge = (): uPlot.Series => ({ scale: 'y', stroke: 'transparent', width: 0, points: { show: false } });
  for (const layer of layers) {
    if (layer.kind === 'points') {
      series.push({
        scale: 'y',
        label: layer.name,
        paths: () => null,
        points: { show: true, size: 5.5, width: 1, fill: colours.measurement, stroke: colours.surface },
      });
      continue;
    }
    const look = colours.looks[layer.look];
    const fill = (u: uPlot): CanvasRenderingContext2D['fillStyle'] =>
      look.hatch === null ? look.fill : hatching(u.ctx, look.inner, look.fill, look.hatch);
    const at = series.length;
    series.push(edge(), edge());
    bands.push({ series: [at + 1, at], fill: fill as uPlot.Band['fill'] });
    if (layer.innerLower) {
      series.push(edge(), edge());
      bands.push({ series: [at + 3, at + 2], fill: look.inner });
    }
    series.push({
      scale: 'y',
      label: layer.name,
      stroke: look.line,
      width: look.width,
      dash: look.dash,
      points: { show: false },
    });
  }
  return { series, bands };
}

/** The lowest and highest number in view, in the data's unit. */
export function extent(layers: Layer[], since: number, until: number): [number, number] | null {
  let low = Infinity;
  let high = -Infinity;
  const take = (value: number | null | undefined) => {
    if (value === null || value === undefined || !Number.isFinite(value)) return;
    low = Math.min(low, value);
    high = Math.max(high, value);
  };
  for (const layer of layers) {
    layer.times.forEach((time, index) => {
      if (time < since || time > until) return;
      if (layer.kind === 'points') take(layer.values[index]);
      else {
        take(layer.lower[index]);
        take(layer.upper[index]);
        take(layer.middle[index]);
      }
    });
  }
  return low <= high ? [low, high] : null;
}

/** Round outwards to steady steps, so that a live chart does not breathe with each datum. */
export function steady([low, high]: [number, number]): [number, number] {
  const size = Math.max(high - low, Math.abs(high) * 0.02, 1e-9);
  const step = 10 ** Math.floor(Math.log10(size)) / (size / 10 ** Math.floor(Math.log10(size)) < 2.5 ? 5 : 2);
  const margin = size * 0.04;
  return [Math.floor((low - margin) / step) * step, Math.ceil((high + margin) / step) * step];
}

/** The index of the datum nearest to a time, if one is near enough to be meant. */
export function nearest(times: number[], time: number): number | null {
  if (times.length === 0) return null;
  let low = 0;
  let high = times.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((times[middle] ?? 0) <= time) low = middle;
    else high = middle;
  }
  const index = Math.abs((times[low] ?? 0) - time) <= Math.abs((times[high] ?? 0) - time) ? low : high;
  const usual = times.length > 1 ? ((times[times.length - 1] ?? 0) - (times[0] ?? 0)) / (times.length - 1) : 600;
  return Math.abs((times[index] ?? 0) - time) <= Math.max(usual * 1.5, 30) ? index : null;
}
