/**
 * A process that counts what the test tells it to, shows it as a page, and remembers what its pages showed: the truth
 * that deltas must add up to. Flat keys: `x_total{a="b"}`, `h_sum`, `h_count`, `h_bucket{le="1"}` (not cumulative).
 */
import type { JsonPoint } from './harness.ts';
import type { Receiver } from '../../functions/cli/world/receiver.ts';

export type Totals = ReadonlyMap<string, number>;

export interface ScriptedProcess {
  /** Adds to a counter, `x_total` or `x_total{a="b"}`; a new name begins at zero. */
  readonly count: (series: string, by: number) => void;
  /** Adds observations to a histogram with BOUNDS. */
  readonly observe: (series: string, ...values: readonly number[]) => void;
  /** Everything is absent until it counts again. */
  readonly restart: (startMs: number) => void;
  readonly page: () => string;
  /** What was shown so far belongs to nobody: the target is new and old. */
  readonly takeBaseline: () => void;
  /** Increase between the baseline and the last page, over all lives; what no page showed is not in it. */
  readonly truth: () => Totals;
}

/** Sums of these are exact in any order. */
export const BOUNDS: readonly number[] = [0.25, 1, 4];

export interface Style {
  readonly startMs: number;
  /** Whether the page has `process_start_time_seconds`. */
  readonly showStart: boolean;
  /** OpenMetrics 1.0 has `_created`, `# EOF`, and a family's name without `_total`. */
  readonly openMetrics?: boolean;
}

interface Life {
  startMs: number;
  readonly counters: Map<string, { value: number; readonly createdMs: number }>;
  readonly histograms: Map<string, { sum: number; readonly buckets: number[]; readonly createdMs: number }>;
}

export function createScriptedProcess(style: Style): ScriptedProcess {
  let life: Life = { startMs: style.startMs, counters: new Map(), histograms: new Map() };
  let shown: Totals = new Map();
  let baseline: Totals = new Map();
  let ended: Totals = new Map();
  let events = 0;
  // Later with each series, as a real client's clock would have it.
  const createdMs = (): number => life.startMs + 1_000 * events++;
  return {
    count: (series, by) => {
      const counter = life.counters.get(series) ?? { value: 0, createdMs: createdMs() };
      counter.value += by;
      life.counters.set(series, counter);
    },
    observe: (series, ...values) => {
      const fresh = () => ({ sum: 0, buckets: [...BOUNDS, Infinity].map(() => 0), createdMs: createdMs() });
      const histogram = life.histograms.get(series) ?? fresh();
      for (const value of values) {
        histogram.sum += value;
        const at = [...BOUNDS, Infinity].findIndex((bound) => value <= bound);
        histogram.buckets[at] = (histogram.buckets[at] ?? 0) + 1;
      }
      life.histograms.set(series, histogram);
    },
    restart: (startMs) => {
      ended = combined(ended, shown, 1);
      shown = new Map();
      life = { startMs, counters: new Map(), histograms: new Map() };
    },
    page: () => {
      shown = flat(life);
      return render(life, style);
    },
    takeBaseline: () => {
      baseline = combined(ended, shown, 1);
    },
    truth: () => combined(combined(ended, shown, 1), baseline, -1),
  };
}

function flat({ counters, histograms }: Life): Totals {
  const totals = new Map<string, number>();
  for (const [series, { value }] of counters) totals.set(series, value);
  for (const [series, { sum, buckets }] of histograms) addHistogram(totals, series, sum, BOUNDS, buckets);
  return totals;
}

function addHistogram(
  totals: Map<string, number>,
  series: string,
  sum: number,
  bounds: readonly number[],
  buckets: readonly number[],
): void {
  const [name, labels] = parts(series);
  add(totals, text(`${name}_sum`, labels), sum);
  add(
    totals,
    text(`${name}_count`, labels),
    buckets.reduce((total, bucket) => total + bucket, 0),
  );
  buckets.forEach((bucket, i) =>
    add(totals, text(`${name}_bucket`, [...labels, ['le', String(bounds[i] ?? '+Inf')]]), bucket),
  );
}

function render({ startMs, counters, histograms }: Life, { showStart, openMetrics }: Style): string {
  const lines: string[] = [];
  let family = '';
  const type = (name: string, kind: string): void => {
    if (family !== name) lines.push(`# TYPE ${name} ${kind}`);
    family = name;
  };
  const created = (name: string, labels: Labels, ms: number): void => {
    if (openMetrics === true) lines.push(`${text(`${name}_created`, labels)} ${ms / 1000}`);
  };
  if (showStart) lines.push(`process_start_time_seconds ${startMs / 1000}`);
  for (const [series, { value, createdMs }] of [...counters].sort(byKey)) {
    const [name, labels] = parts(series);
    const base = openMetrics === true ? name.replace(/_total$/, '') : name;
    type(base, 'counter');
    lines.push(`${series} ${value}`);
    created(base, labels, createdMs);
  }
  for (const [series, { sum, buckets, createdMs }] of [...histograms].sort(byKey)) {
    const [name, labels] = parts(series);
    type(name, 'histogram');
    let count = 0;
    buckets.forEach((bucket, i) => {
      count += bucket;
      lines.push(`${text(`${name}_bucket`, [...labels, ['le', String(BOUNDS[i] ?? '+Inf')]])} ${count}`);
    });
    lines.push(`${text(`${name}_sum`, labels)} ${sum}`, `${text(`${name}_count`, labels)} ${count}`);
    created(name, labels, createdMs);
  }
  return [...lines, ...(openMetrics === true ? ['# EOF'] : []), ''].join('\n');
}

/** The order of texts in every test here. */
export function byKey([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}

type Labels = readonly (readonly [string, string])[];

function parts(series: string): readonly [name: string, labels: Labels] {
  const [name = '', rest = ''] = series.split(/(?=\{)/);
  return [name, [...rest.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = '', value = '']) => [key, value])];
}

function text(name: string, labels: Labels): string {
  if (labels.length === 0) return name;
  return `${name}{${[...labels]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}="${value}"`)
    .join(',')}}`;
}

function add(totals: Map<string, number>, key: string, by: number): void {
  totals.set(key, (totals.get(key) ?? 0) + by);
}

function combined(a: Totals, b: Totals, sign: 1 | -1): Totals {
  const sums = new Map(a);
  for (const [key, value] of b) add(sums, key, sign * value);
  return sums;
}

/** Nothing that moved: keys that stayed at zero are left out, and their order is fixed. */
export function moved(totals: Totals): Readonly<Record<string, number>> {
  return Object.fromEntries([...totals].filter(([, value]) => value !== 0).sort(byKey));
}

/** Sums of all deltas of one instance, as the command printed them. */
export function totalsOfLines(points: readonly JsonPoint[], instance: string): Totals {
  const totals = new Map<string, number>();
  for (const { type, name, value, sum, bounds, buckets, attributes } of points) {
    if (type === 'gauge' || attributes['service.instance.id'] !== instance) continue;
    const series = text(name, ownLabels(attributes));
    if (type === 'counter') add(totals, series, value ?? NaN);
    else addHistogram(totals, series, sum ?? NaN, bounds ?? [], buckets ?? []);
  }
  return totals;
}

/** The same of what the receiver accepted. */
export function totalsReceived({ points }: Pick<Receiver, 'points'>, instance: string): Totals {
  const totals = new Map<string, number>();
  for (const point of points) {
    if (point.kind === 'gauge' || point.attributes['service.instance.id'] !== instance) continue;
    const series = text(point.name, ownLabels(point.attributes));
    if (point.kind === 'counter') add(totals, series, point.value);
    else addHistogram(totals, series, point.sum, point.bounds, point.buckets);
  }
  return totals;
}

const IDENTITY = new Set([
  'service.name',
  'service.instance.id',
  'server.address',
  'server.port',
  'url.scheme',
]);

function ownLabels(attributes: Readonly<Record<string, string>>): Labels {
  return Object.entries(attributes).filter(([key]) => !IDENTITY.has(key));
}

/**
 * What is wrong with the windows of each series, in the order of its lines: D3 says that each begins where the one
 * before it ended, and no value is negative (D2).
 */
export function windowProblems(points: readonly JsonPoint[]): readonly string[] {
  const ends = new Map<string, string>();
  const problems: string[] = [];
  for (const point of points) {
    if (point.type === 'gauge') continue;
    const { start, time, tick, value, count, sum, bounds = [], buckets = [] } = point;
    // Other bounds are another series: they begin anew.
    const place = `${point.attributes['service.instance.id']} ${bounds.join()}`;
    const series = `${text(point.name, ownLabels(point.attributes))} ${place}`;
    const before = ends.get(series);
    if (start === null || start >= time) problems.push(`${series}: empty window (${start},${time}]`);
    if (time !== tick) problems.push(`${series}: ends at ${time}, not at its tick ${tick}`);
    if (before !== undefined && before !== start)
      problems.push(`${series}: begins at ${start}, not at ${before}`);
    if ([value ?? 0, count ?? 0, sum ?? 0, ...buckets].some((number) => number < 0)) {
      problems.push(`${series}: negative`);
    }
    ends.set(series, time);
  }
  return problems;
}
