/** The form that plans a trial: which controls an endpoint has, what they mean, and the plan that they make.
 *
 * A control is known by its name in the plan file where there is one (`effect`, `alpha`); a few stand for several names of it:
 * `lost` for the retention at each visit, `analyses` for the looks, `bounds` for boundary and spending. */
import type { PlanFigure, PlanInput } from './api';

export type Endpoint = PlanInput['endpoint'];

export interface Slider {
  name: string;
  label: string;
  unit: string; // as written beside the number; '$' is the outcome's unit, '@' the unit of time
  help: string;
  min: number;
  max: number;
  step: number;
  value: number; // at the start
  whole?: boolean; // counted
  may?: 'lower' | 'higher' | 'both'; // the slider stretches to a typed number beyond its ends
}

export interface Choice {
  name: string;
  label: string;
  help: string;
  options: { value: string; label: string }[];
}

export const ENDPOINTS: { value: Endpoint; label: string }[] = [
  { value: 'continuous', label: 'Continuous: a difference of means' },
  { value: 'binary', label: 'Binary: two risks' },
  { value: 'count', label: 'Count: a ratio of rates' },
  { value: 'survival', label: 'Time to an event: a hazard ratio' },
  { value: 'repeated', label: 'Repeated measures: the last visit' },
];

const s = (name: string, label: string, unit: string, value: number, [min, max, step]: [number, number, number], help: string, more: Partial<Slider> = {}): Slider => ({ name, label, unit, value, min, max, step, help, ...more });

const SPREAD = s('sd', 'Standard deviation', '$', 10, [0.5, 40, 0.5], 'Of the outcome within an arm, before any adjustment.', { may: 'both' });
const EFFECT = s('effect', 'Effect', '$', 3, [0.1, 10, 0.1], 'Difference of means, treated minus control.', { may: 'both' });

const OUTCOME: Record<Endpoint, Slider[]> = {
  continuous: [EFFECT, SPREAD],
  binary: [
    s('risk_control', 'Risk, control', 'share', 0.3, [0.01, 0.99, 0.01], 'Share of controls with the event; 0.3 is 30 %.'),
    s('risk_treated', 'Risk, treated', 'share', 0.45, [0.01, 0.99, 0.01], 'Share of treated patients with the event.'),
  ],
  count: [
    s('rate_control', 'Rate, control', 'events per @', 1.2, [0.05, 5, 0.05], 'Events of a control patient in one unit of time.', { may: 'both' }),
    s('rate_ratio', 'Rate ratio', 'ratio', 0.7, [0.1, 2, 0.01], 'Treated over control; 0.7 is 30 % fewer events.', { may: 'higher' }),
    s('exposure', 'Exposure', '@', 1, [0.1, 5, 0.1], 'How long each patient is watched.', { may: 'both' }),
    s('dispersion', 'Dispersion', 'variance of rates', 0.6, [0, 3, 0.05], 'Negative binomial: variance = mean + dispersion × mean². 0 is Poisson.', { may: 'higher' }),
  ],
  survival: [
    s('hazard_ratio', 'Hazard ratio', 'ratio', 0.7, [0.3, 1.5, 0.01], 'Treated over control; proportional hazards.', { may: 'both' }),
    s('median_control', 'Median, control', '@', 12, [1, 60, 0.5], 'Time by which half of the controls have the event; constant hazard.', { may: 'both' }),
    s('accrual', 'Accrual', '@', 12, [1, 60, 0.5], 'How long patients come in, evenly.', { may: 'both' }),
    s('followup', 'Follow-up', '@', 12, [0, 60, 0.5], 'From the last patient in to the end.', { may: 'higher' }),
  ],
  repeated: [
    EFFECT,
    SPREAD,
    s('visits', 'Visits', 'visits', 4, [1, 12, 1], 'Visits after randomisation; the contrast is that of the last.', { whole: true }),
    s('visit_correlation', 'Correlation of visits', 'r', 0.7, [0, 0.95, 0.01], 'Of neighbouring visits (AR(1)), or of every pair (compound symmetry).'),
  ],
};

const POWER = s('power', 'Power', 'probability', 0.9, [0.5, 0.99, 0.01], 'Probability to show the planned effect; drawn across the figures.');
const TARGET: Slider = { ...POWER, label: 'Target power', help: 'Drawn across the figures; futility bounds are made for it.' };
const ALLOCATION = s('allocation', 'Allocation', 'per control', 1, [0.25, 4, 0.25], 'Treated patients per control: 1 is 1:1, 2 is 2:1.', { may: 'both' });
const CONTROLS = s('n_control', 'Control arm', 'controls', 150, [10, 600, 1], 'Controls with an outcome; the treated arm follows from the allocation.', { whole: true, may: 'both' });
const SCORE: Slider[] = [
  s('correlation', 'Correlation with the score', 'r', 0.5, [0, 0.95, 0.01], 'Of baseline and score together with the outcome, within an arm. 0: no score.'),
  s('baseline_correlation', 'Correlation of the baseline', 'r', 0.3, [0, 0.95, 0.01], 'Of what would be adjusted for anyhow. Savings beyond it are the score\'s own.'),
];
const LOST: Record<'share' | 'hazard' | 'visits', Slider> = {
  share: s('dropout', 'Drop-out', 'share', 0, [0, 0.5, 0.01], 'Share of patients without an outcome; so many more are enrolled.', { may: 'higher' }),
  hazard: s('dropout_hazard', 'Drop-out hazard', 'per @', 0, [0, 0.2, 0.002], 'About the share of those still there who leave in one unit of time.', { may: 'higher' }),
  visits: s('lost', 'Drop-out by the last visit', 'share', 0.2, [0, 0.6, 0.01], 'Share of both arms lost before the last visit, in equal steps; missing at random.', { may: 'higher' }),
};
const ALPHA = s('alpha', 'Level (alpha)', 'probability', 0.05, [0.005, 0.2, 0.005], 'Of the whole test, all analyses and both sides together.', { may: 'lower' });
const ANALYSES = s('analyses', 'Analyses', 'looks', 1, [1, 6, 1], 'In equal steps of information, the final one included. 1: no interim analysis.', { whole: true });
const CAUTION: Slider[] = [
  s('historical', 'Patients behind the correlation', 'patients', 0, [0, 2000, 10], 'How many it was estimated from: gives the assurance. 0: taken as known.', { whole: true, may: 'higher' }),
  s('effect_sd', 'Uncertainty of the effect', '', 0, [0, 1, 0.01], 'Standard deviation: the effect\'s unit, of ratios on the log scale, of risks their difference. Gives the assurance.', { may: 'higher' }),
  s('deflation', 'Deflation', 'factor', 1, [0.5, 1, 0.01], 'Below 1: the score is taken to be worse than it looked. It multiplies what the convention says.'),
  s('covariates', 'Covariates', 'covariates', 2, [1, 20, 1], 'How many are adjusted for, the score among them; they count where there is a correlation.', { whole: true, may: 'higher' }),
];
const INFLATION = s('inflation', 'Inflation', 'factor', 1, [1, 2, 0.01], 'Above 1: the outcome is taken to vary more than it did.', { may: 'higher' });

export const SCALE: Choice = {
  name: 'scale', label: 'Contrast', help: 'Of the two marginal risks.',
  options: [{ value: 'risk-difference', label: 'Risk difference' }, { value: 'risk-ratio', label: 'Risk ratio' }, { value: 'odds-ratio', label: 'Odds ratio' }],
};
export const COVARIANCE: Choice = {
  name: 'covariance_kind', label: 'Correlation falls', help: 'How the correlation of two visits depends on their distance.',
  options: [{ value: 'ar1', label: 'with distance: AR(1)' }, { value: 'compound-symmetry', label: 'not: compound symmetry' }],
};
export const SIDES: Choice = {
  name: 'sides', label: 'Test', help: 'Two-sided at 0.05, or one-sided at 0.025, say nearly the same.',
  options: [{ value: '2', label: 'Two-sided' }, { value: '1', label: 'One-sided' }],
};
export const BOUNDS: Choice = {
  name: 'bounds', label: 'Boundary', help: 'How the level is shared among the analyses.',
  options: [
    { value: 'obrien-fleming', label: 'O\'Brien-Fleming-type spending' },
    { value: 'pocock', label: 'Pocock-type spending' },
    { value: 'wang-tsiatis', label: 'Wang-Tsiatis, shape 0.25' },
    { value: 'haybittle-peto', label: 'Haybittle-Peto, 3 at interim' },
  ],
};
export const FUTILITY: Choice = {
  name: 'futility', label: 'Futility', help: 'Beta spending, not binding; one-sided tests only.',
  options: [{ value: 'none', label: 'None' }, { value: 'obrien-fleming', label: 'O\'Brien-Fleming-type spending' }, { value: 'pocock', label: 'Pocock-type spending' }],
};
export const CONVENTION: Choice = {
  name: 'convention', label: 'Convention of both', help: 'What inflation and deflation multiply. The second is the more cautious.',
  options: [{ value: 'variance', label: 'Variance and R²' }, { value: 'standard-deviation', label: 'Standard deviation and correlation' }],
};

const CHOICES = [SCALE, COVARIANCE, SIDES, BOUNDS, FUTILITY, CONVENTION];
const SLIDERS: Slider[] = [
  ...Object.values(OUTCOME).flat(), POWER, ALLOCATION, CONTROLS, ...SCORE, ...Object.values(LOST), ALPHA, ANALYSES, ...CAUTION, INFLATION,
];
const TEXTS = ['title', 'unit', 'time', 'margin'] as const;

/** What stands in the controls, as text, by name. */
export type Form = Record<string, string>;

export function start(): Form {
  const form: Form = { endpoint: 'continuous', size: 'power', title: '', unit: 'points', time: 'months', margin: '' };
  for (const choice of CHOICES) form[choice.name] = choice.options[0]?.value ?? '';
  for (const slider of SLIDERS) form[slider.name] = String(slider.value);
  return form;
}

export const endpointOf = (form: Form): Endpoint => ENDPOINTS.find((one) => one.value === form.endpoint)?.value ?? 'continuous';

const lossOf = (endpoint: Endpoint): Slider =>
  endpoint === 'repeated' ? LOST.visits : endpoint === 'count' || endpoint === 'survival' ? LOST.hazard : LOST.share;

export interface Group {
  name: string;
  title: string;
  sliders: Slider[];
  choices: Choice[];
  words?: string[]; // names of what is written by hand alone
  closed?: boolean; // at the start
}

/** The names of a group's controls. */
export const namesOf = (group: Group): string[] => [...[...group.sliders, ...group.choices].map((one) => one.name), ...(group.words ?? [])];

/** The controls of an endpoint, in the order in which they stand. */
export function groups(form: Form): Group[] {
  const endpoint = endpointOf(form);
  const free = endpoint === 'continuous' || endpoint === 'repeated';
  const looks = Number(form.analyses) > 1;
  return [
    { name: 'outcome', title: 'Outcome and effect', sliders: OUTCOME[endpoint], choices: endpoint === 'binary' ? [SCALE] : endpoint === 'repeated' ? [COVARIANCE] : [] },
    { name: 'size', title: 'Size', sliders: form.size === 'numbers' ? [CONTROLS, ALLOCATION, TARGET] : [POWER, ALLOCATION], choices: [] },
    { name: 'score', title: 'Prognostic score', sliders: SCORE, choices: [] },
    { name: 'loss', title: 'Drop-out', sliders: [lossOf(endpoint)], choices: [] },
    { name: 'test', title: 'Test and interim analyses', sliders: [ALPHA, ANALYSES], choices: [SIDES, ...(looks ? [BOUNDS] : []), ...(looks && form.sides === '1' ? [FUTILITY] : [])], closed: true },
    { name: 'caution', title: 'Uncertainty and caution', sliders: free ? [...CAUTION, INFLATION] : CAUTION, choices: [CONVENTION], closed: true },
    { name: 'more', title: 'Units, margin, title', sliders: [], choices: [], words: ['unit', 'time', 'margin', 'title'], closed: true },
  ];
}

/** The unit as it is written beside a number. */
export function unitOf(slider: Slider, form: Form): string {
  if (slider.name === 'effect_sd') {
    const endpoint = endpointOf(form);
    return endpoint === 'binary' ? 'share' : endpoint === 'count' || endpoint === 'survival' ? 'log ratio' : (form.unit ?? '');
  }
  return slider.unit.replace('$', form.unit ?? '').replace('@', (form.time ?? '').replace(/s$/, slider.unit === '@' ? 's' : ''));
}

export function parsed(text: string | undefined): number | null {
  const written = (text ?? '').trim().replace(',', '.').replace('−', '-');
  return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(written) && Number.isFinite(Number(written)) ? Number(written) : null;
}

const nice = (value: number) => {
  const power = 10 ** Math.floor(Math.log10(Math.abs(value)));
  return Math.sign(value) * Math.ceil(Math.abs(value) / power) * power;
};

/** The ends of a slider: its own, stretched to a number that was typed beyond them. */
export function ends(slider: Slider, value: number | null): [number, number, number] {
  let { min, max, step } = slider;
  if (value !== null && value > max && slider.may && slider.may !== 'lower') {
    max = nice(value * 1.5);
    step = slider.whole ? Math.max(1, Math.round((max - min) / 200)) : step;
  }
  if (value !== null && value < min && slider.may && slider.may !== 'higher') min = value < 0 ? nice(value * 1.5) : 0;
  if (value !== null && !slider.whole && value !== 0 && Math.abs(value) < 2 * step && slider.may) step = Math.abs(value) / 10;
  return [min, max, step];
}

export interface Asked {
  plan: PlanInput | null;
  errors: Record<string, string>; // by control
}

/** The plan that the controls make; where one holds no number, what is wrong with it. */
export function planOf(form: Form): Asked {
  const endpoint = endpointOf(form);
  const errors: Record<string, string> = {};
  const number = (name: string): number => {
    const value = parsed(form[name]);
    const slider = SLIDERS.find((one) => one.name === name);
    if (value === null) errors[name] = form[name]?.trim() ? `Found “${form[name].trim().slice(0, 20)}”; expected a number such as ${slider?.value ?? 1}.` : 'A number is missing.';
    else if (slider?.whole && !Number.isInteger(value)) errors[name] = `Found ${value}; expected a whole number.`;
    return value ?? 0;
  };
  const plan: PlanInput = { endpoint, alpha: number('alpha'), sides: Number(form.sides), power: number('power'), allocation: number('allocation') };
  if (form.title?.trim()) plan.title = form.title.trim();
  if (form.unit?.trim() && (endpoint === 'continuous' || endpoint === 'repeated')) plan.unit = form.unit.trim();
  for (const slider of OUTCOME[endpoint]) {
    const value = number(slider.name);
    if (endpoint !== 'repeated' || slider.name === 'effect' || slider.name === 'visit_correlation') Object.assign(plan, { [slider.name]: value });
  }
  if (form.margin?.trim()) plan.margin = number('margin');
  if (endpoint === 'binary') plan.scale = form.scale;
  const loss = lossOf(endpoint).name;
  const lost = number(loss);
  if (endpoint === 'repeated') {
    const visits = number('visits');
    const sd = number('sd');
    if (!errors.visits && !(visits >= 1 && visits <= 30)) errors.visits = `Found ${visits}; expected 1 to 30.`;
    if (!errors.lost && !(lost >= 0 && lost < 1)) errors.lost = `Found ${lost}; expected a share from 0 to below 1.`;
    const each = Array.from({ length: Object.keys(errors).length ? 1 : visits }, (_, visit) => visit);
    plan.sds = each.map(() => sd);
    plan.covariance_kind = form.covariance_kind;
    plan.retention = each.map((visit) => tidy(visits === 1 ? 1 - lost : 1 - (lost * visit) / (visits - 1)));
  } else if (lost !== 0) Object.assign(plan, { [loss]: lost });
  if (form.size === 'numbers') {
    const controls = number('n_control');
    plan.n_control = controls;
    plan.n_treated = Math.round(controls * (plan.allocation ?? 1));
  }
  plan.correlation = number('correlation');
  const base = number('baseline_correlation');
  const covariates = number('covariates');
  if (base !== 0) plan.baseline_correlation = base;
  if (plan.correlation !== 0) plan.covariates = covariates;
  const historical = number('historical');
  if (historical !== 0) plan.historical = historical;
  const spread = number('effect_sd');
  if (spread !== 0) plan.effect_sd = spread;
  const deflation = number('deflation');
  const inflation = endpoint === 'continuous' || endpoint === 'repeated' ? number('inflation') : 1;
  if (deflation !== 1) plan.deflation = deflation;
  if (inflation !== 1) plan.inflation = inflation;
  if (deflation !== 1 || inflation !== 1) plan.convention = form.convention;
  const analyses = number('analyses');
  if (!errors.analyses && !(analyses >= 1 && analyses <= 20)) errors.analyses = `Found ${analyses}; expected 1 to 20.`;
  else if (!errors.analyses && analyses > 1) {
    plan.looks = Array.from({ length: analyses }, (_, look) => tidy((look + 1) / analyses));
    if (form.bounds === 'obrien-fleming' || form.bounds === 'pocock') plan.spending = form.bounds;
    else {
      plan.boundary = form.bounds;
      if (form.bounds === 'wang-tsiatis') plan.parameter = 0.25;
    }
    if (form.sides === '1' && form.futility !== 'none') plan.futility = form.futility;
  }
  return { plan: Object.keys(errors).length ? null : plan, errors };
}

const tidy = (value: number) => Number(value.toFixed(12));

/** The control that stands for a name of the plan. */
export function controlOf(field: string): string {
  const others: Record<string, string> = {
    n_treated: 'n_control', sds: 'sd', covariance: 'visit_correlation', retention: 'lost', retention_treated: 'lost', looks: 'analyses',
    boundary: 'bounds', spending: 'bounds', parameter: 'bounds', futility_parameter: 'futility', hazard_control: 'median_control',
    correlations: 'correlation', correlation_se: 'historical',
  };
  return others[field] ?? field;
}

/** What differs from the start, for the address. */
export function written(form: Form): string {
  const usual = start();
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(form)) {
    if (name === 'endpoint' || value !== usual[name]) search.set(name, value);
  }
  return search.toString();
}

/** The controls that an address asks for; what it says of unknown names or choices is left out. */
export function readForm(search: URLSearchParams): Form {
  const form = start();
  for (const [name, value] of search) {
    const choice = CHOICES.find((one) => one.name === name);
    if (name === 'endpoint' && ENDPOINTS.some((one) => one.value === value)) form.endpoint = value;
    else if (name === 'size') form.size = value === 'numbers' ? 'numbers' : 'power';
    else if (choice?.options.some((option) => option.value === value)) form[name] = value;
    else if (SLIDERS.some((one) => one.name === name) || (TEXTS as readonly string[]).includes(name)) form[name] = value.slice(0, 60);
  }
  return form;
}

/** How x is written in a figure. */
export function across(figure: PlanFigure, value: number): string {
  if (figure.kind === 'controls') return String(Math.round(value));
  if (figure.kind === 'correlation') return value.toFixed(2);
  return figure.across.includes('hazard') ? String(Number(value.toPrecision(3))) : `${(100 * value).toFixed(value * 100 === Math.round(value * 100) ? 0 : 1)} %`;
}
