/**
 * What is due of one target -> data points as Dynatrace takes them. Most series are a point by themselves; engines of a
 * NIM are summed, and what they owe moves together.
 */
import { mergeBuckets } from './buckets.ts';
import * as dynatrace from './dynatrace.ts';
import type { Metadata } from './exposition.ts';
import type { Families, GaugeReading } from './families.ts';
import type { DataPoint, Target } from './model.ts';
import { type Displaced, displacedBy, foldGauge } from './nim.ts';
import { type DropReason, type DropWitness, assert } from './outcome.ts';
import { type Memory, type Naming, type PointName, createNaming } from './point-names.ts';
import type { ReportGauge } from './scrape-report.ts';
import { internSeries } from './series.ts';
import { type SeriesState, sendableIncrease } from './series-state.ts';

/** What one series, or several that are summed, say in this run. It travels in one body and moves by its outcome. */
export interface Sendable {
  /** Of the series, gauges included. */
  readonly key: string;
  /** The series that owe it; none for gauges. */
  readonly states: readonly SeriesState[];
  readonly points: readonly DataPoint[];
}

export interface Sendables {
  readonly sendables: readonly Sendable[];
  /** Series of which nothing is sent, by choice or because it cannot be: nothing is owed for them any more. */
  readonly dropped: readonly SeriesState[];
  readonly drops: ReadonlyMap<DropReason, number>;
  /** The first of what Dynatrace could not tell apart, in words. */
  readonly collision?: string;
}

/** Increases of series with the same kind and bounds, under one or more names. */
interface Sum {
  readonly key: string;
  readonly states: SeriesState[];
  /** One of each identity. */
  readonly parts: SumPart[];
  readonly about: Metadata | undefined;
  /** The earliest window (D3). */
  startMs: number;
}

interface SumPart {
  readonly name: PointName;
  values: readonly number[];
  startMs: number;
}

interface GaugeSum {
  readonly key: string;
  readonly name: PointName;
  readonly byEngine: Map<string, number>;
  timeMs: number;
}

const SUMMARY_PARTS = ['_count', '_sum'] as const;

/** One target at a tick, on its way to points. */
interface Building {
  readonly target: Target;
  readonly tickMs: number;
  readonly sendables: Sendable[];
  readonly dropped: SeriesState[];
  readonly drops: Map<DropReason, number>;
  /** Identity -> who has it: one point per identity and tick. */
  readonly taken: Map<string, Taken>;
  /** The first of what Dynatrace could not tell apart, in words. */
  collision: string | undefined;
  readonly witness: DropWitness | undefined;
}

interface Taken {
  /** Of the series. */
  readonly key: string;
  /** None where it is a gauge's. */
  readonly sum?: Sum;
}

/** Builds the points of one target at a tick: increases from the state, gauges from the page if there is one. */
export function buildPoints(
  target: Target,
  due: readonly SeriesState[],
  page: Families | undefined,
  report: readonly ReportGauge[],
  tickMs: number,
  memory: Memory,
  witness?: DropWitness,
): Sendables {
  const drops = new Map<DropReason, number>();
  const building: Building = {
    target,
    tickMs,
    sendables: [],
    dropped: [],
    drops,
    taken: new Map(),
    collision: undefined,
    witness,
  };
  const naming = createNaming(target, displacedOn(target, due, page), memory);
  const reported = nameReport(building, report, naming, memory);
  const metadata = new Map(page?.cumulative.map((reading) => [reading.series, reading.metadata]));
  const alone: Sum[] = [];
  const bundles = new Map<string, Sum[]>();

  for (const state of due) {
    const names = naming(state.series, state.kind);
    const increase = sendableIncrease(state);
    if (names.code === 'left_out') drop(building, names.reason, [state]);
    else if (names.code === 'alone' && isTaken(building, names.name, state.series.key, state.kind))
      drop(building, 'duplicate', [state]);
    else if (!increase.every((value) => Number.isFinite(value))) drop(building, 'nan', [state]);
    else if (names.code === 'alone') {
      const sum = newSum(state.series.key, metadata.get(state.series));
      add(sum, state, increase, [names.name]);
      take(building, names.name, { key: sum.key, sum }, state.kind);
      alone.push(sum);
    } else {
      const sum = bundleOf(bundles, names.bundle, state);
      add(sum, state, increase, names.names);
    }
  }
  sendSums(building, alone, [...bundles.values()].flat());
  addGauges(building, page?.gauges ?? [], naming);
  building.sendables.push(...reported);
  const { sendables, dropped, collision } = building;
  return { sendables, dropped, drops, ...(collision === undefined ? {} : { collision }) };
}

/** Whether another series has the name and dimensions already; the first such is described. */
function isTaken(building: Building, name: PointName, key: string, kind?: SeriesState['kind']): boolean {
  const other = identitiesOf(name, kind).flatMap((identity) => building.taken.get(identity) ?? [])[0];
  if (other === undefined) return false;
  building.collision ??= `Dynatrace could not tell ${key} from ${other.key}: the second is sent, as ${name.name}`;
  return true;
}

function take(building: Building, name: PointName, taken: Taken, kind?: SeriesState['kind']): void {
  building.collision ??= name.clash;
  for (const identity of identitiesOf(name, kind)) building.taken.set(identity, taken);
}

/** A summary is two points. */
function identitiesOf(name: PointName, kind: SeriesState['kind'] | undefined): readonly string[] {
  if (kind !== 'summary') return [name.identity];
  const [, attributes] = JSON.parse(name.identity) as [string, unknown];
  return SUMMARY_PARTS.map((suffix) => JSON.stringify([partName(name.name, suffix), attributes]));
}

/** Of a summary's count or sum, as Dynatrace takes it. */
export function partName(name: string, suffix: string): string {
  return dynatrace.metricKey(`${name}${suffix}`) ?? name;
}

/** Which of several sources of a metric the page shows; without a page, which of them owe something. */
export function displacedOn(
  target: Target,
  due: readonly SeriesState[],
  page: Families | undefined,
): Displaced {
  const names = new Set<string>();
  if (target.output.metricNames === 'nim') {
    let last = '';
    for (const { series } of [...(page?.cumulative ?? due), ...(page?.gauges ?? [])]) {
      if (series.name !== last) names.add(series.name);
      last = series.name;
    }
  }
  return displacedBy(names);
}

/** `up` and its like are ours: a page's own metric of that name is the second. */
function nameReport(
  building: Building,
  report: readonly ReportGauge[],
  naming: Naming,
  { table }: Memory,
): readonly Sendable[] {
  return report.flatMap(({ name, unit, help, value }) => {
    const series = internSeries(table, name, building.target.labels);
    const names = naming(series, 'gauge');
    if (names.code !== 'alone') {
      dropGauge(building, 'filtered', series.key);
      return [];
    }
    take(building, names.name, { key: series.key });
    const about: Metadata = { type: 'gauge', help, unit };
    const point: DataPoint = { kind: 'gauge', ...fields(names.name, about, building.tickMs), value };
    return [{ key: series.key, states: [], points: [point] }];
  });
}

function drop(building: Building, reason: DropReason, states: readonly SeriesState[]): void {
  for (const { series } of states) dropGauge(building, reason, series.key);
  building.dropped.push(...states);
}

/** Nothing is owed for a gauge. */
function dropGauge({ drops, witness }: Building, reason: DropReason, key: string): void {
  drops.set(reason, (drops.get(reason) ?? 0) + 1);
  witness?.(reason, key);
}

function newSum(key: string, about?: Metadata): Sum {
  return { key, states: [], parts: [], about, startMs: Infinity };
}

/** Histograms of other bounds are no part of the same sum. */
function bundleOf(bundles: Map<string, Sum[]>, key: string, state: SeriesState): Sum {
  const sums = bundles.get(key) ?? [];
  bundles.set(key, sums);
  let sum = sums.find(({ states: [first] }) => first !== undefined && haveSameBounds(first, state));
  if (sum === undefined) {
    sum = newSum(key);
    sums.push(sum);
  }
  return sum;
}

function haveSameBounds({ bounds: a }: SeriesState, { bounds: b }: SeriesState): boolean {
  return a === b || (a.length === b.length && a.every((bound, i) => bound === b[i]));
}

function add(sum: Sum, state: SeriesState, increase: readonly number[], names: readonly PointName[]): void {
  sum.states.push(state);
  sum.startMs = Math.min(sum.startMs, state.windowStartMs);
  for (const name of names) {
    const part = sum.parts.find((one) => one.name.identity === name.identity);
    if (part === undefined) sum.parts.push({ name, values: increase, startMs: state.windowStartMs });
    else {
      part.values = part.values.map((value, i) => value + (increase[i] as number));
      part.startMs = Math.min(part.startMs, state.windowStartMs);
    }
  }
}

/**
 * A sum that would be one with another of this tick waits for the next, where the older window goes first: a NIM that
 * was upgraded while its old process still owed something, an engine with other bounds.
 */
function sendSums(building: Building, alone: readonly Sum[], bundles: readonly Sum[]): void {
  const { taken } = building;
  const waiting = new Set<Sum>();
  const fit = bundles.filter((sum) => {
    const isFinite = sum.parts.every(({ values }) => values.every((value) => Number.isFinite(value)));
    if (!isFinite) drop(building, 'nan', sum.states);
    return isFinite && !isUnchanged(building, sum);
  });
  fit.sort((a, b) => a.startMs - b.startMs);
  const sent: Sum[] = [];
  for (const sum of fit) {
    const rivals = sum.parts.flatMap(({ name }) => taken.get(name.identity)?.sum ?? []);
    const isOldest = rivals.every(
      (rival) => isUnchanged(building, rival) || (alone.includes(rival) && rival.startMs > sum.startMs),
    );
    if (!isOldest) continue;
    for (const rival of rivals) waiting.add(rival);
    for (const { name } of sum.parts) taken.set(name.identity, { key: sum.key, sum });
    sent.push(sum);
  }
  for (const sum of [...alone, ...sent]) {
    if (!waiting.has(sum) && !isUnchanged(building, sum)) building.sendables.push(sendableOf(building, sum));
  }
}

/** Nothing new to say, and the last word is not long ago. Its window goes on, so the next point covers all of it (D3). */
function isUnchanged({ target, tickMs }: Building, { parts, startMs }: Sum): boolean {
  const { skipUnchanged, heartbeatMs } = target.output;
  if (!skipUnchanged || tickMs - startMs >= heartbeatMs) return false;
  return parts.every(({ values }) => values.every((value) => value === 0));
}

function sendableOf({ target, tickMs }: Building, { key, states, parts, about }: Sum): Sendable {
  const [first] = states;
  assert(first !== undefined, 'a sum is of something');
  const points = parts.flatMap(({ name, values, startMs }) =>
    increasePoints(first, values, { ...fields(name, about, tickMs), startMs }, target.output.maxBuckets),
  );
  return { key, states, points };
}

function fields(
  { name, attributes, unit, description }: PointName,
  about: Metadata | undefined,
  timeMs: number,
) {
  const told = dynatrace.unit(about?.unit ?? '');
  return {
    name,
    unit: unit.known ?? (told === '' ? unit.guessed : told),
    description: description ?? dynatrace.description(about?.help ?? ''),
    attributes,
    timeMs,
  };
}

/** A counter is one point, a histogram is one, a summary is split into its count and its sum. */
function increasePoints(
  { kind, bounds }: SeriesState,
  increase: readonly number[],
  base: ReturnType<typeof fields> & { readonly startMs: number },
  maxBuckets: number,
): readonly DataPoint[] {
  const [first = 0, ...rest] = increase;
  const count = rest.reduce((total, bucket) => total + bucket, 0);
  switch (kind) {
    case 'counter':
      return [{ kind: 'counter', ...base, value: first }];
    case 'histogram': {
      const all = dynatrace.withoutNegativeBounds(bounds, rest);
      return [
        {
          kind: 'histogram',
          ...base,
          count,
          sum: first,
          ...(maxBuckets === 0 ? all : mergeBuckets(all, maxBuckets)),
        },
      ];
    }
    case 'summary':
      return [
        { kind: 'counter', ...base, name: partName(base.name, '_count'), unit: '', value: count },
        { kind: 'counter', ...base, name: partName(base.name, '_sum'), value: first },
      ];
  }
}

function addGauges(building: Building, gauges: readonly GaugeReading[], naming: Naming): void {
  const { tickMs, sendables } = building;
  const sums = new Map<string, GaugeSum>();
  for (const { series, value, metadata: about, timeMs = tickMs } of gauges) {
    const names = naming(series, 'gauge');
    if (names.code === 'left_out') dropGauge(building, names.reason, series.key);
    else if (!dynatrace.isTimeTaken(timeMs, tickMs)) dropGauge(building, 'unsendable', series.key);
    else if (names.code === 'alone') {
      const { name } = names;
      if (isTaken(building, name, series.key)) {
        dropGauge(building, 'duplicate', series.key);
        continue;
      }
      take(building, name, { key: series.key });
      const point: DataPoint = { kind: 'gauge', ...fields(name, about, timeMs), value };
      sendables.push({ key: series.key, states: [], points: [point] });
    } else {
      const [name] = names.names;
      assert(name !== undefined && names.names.length === 1, 'a gauge is a part of one gauge');
      const sum = sums.get(names.bundle) ?? { key: names.bundle, name, byEngine: new Map(), timeMs };
      sums.set(names.bundle, sum);
      sum.byEngine.set(names.engine, Math.max(value, sum.byEngine.get(names.engine) ?? -Infinity));
      sum.timeMs = Math.max(sum.timeMs, timeMs);
    }
  }
  for (const { key, name, byEngine, timeMs } of sums.values()) {
    if (isTaken(building, name, key)) {
      dropGauge(building, 'duplicate', key);
      continue;
    }
    take(building, name, { key });
    const value = foldGauge(name.name, byEngine);
    if (!Number.isFinite(value)) {
      dropGauge(building, 'nan', key);
      continue;
    }
    const point: DataPoint = { kind: 'gauge', ...fields(name, undefined, timeMs), value };
    sendables.push({ key, states: [], points: [point] });
  }
}
