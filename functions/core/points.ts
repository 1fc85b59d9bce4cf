/**
 * What is due of one target -> data points as Dynatrace takes them. Attributes are built once per series and kept in
 * the run's memory, not once per scrape.
 */
import * as dynatrace from './dynatrace.ts';
import type { Metadata } from './exposition.ts';
import type { Families } from './families.ts';
import type { Attributes, DataPoint, Labels, Series, Target } from './model.ts';
import { type DropReason, assert } from './outcome.ts';
import { type PageViews, trimViews } from './page-view.ts';
import { type SeriesTable, createSeriesTable, internSeries, trimSeriesTable } from './series.ts';
import { type SeriesState, sendableIncrease } from './series-state.ts';
import { identityOf } from './targets.ts';

/** What one series or gauge says in this run. It travels in one body, and moves by that body's outcome. */
export interface Sendable {
  /** Of the series, gauges included. */
  readonly key: string;
  /** The series that owes it; none for gauges. */
  readonly state?: SeriesState;
  readonly points: readonly DataPoint[];
}

/** What is kept between runs for speed alone: it may be thrown away without changing a result. */
export interface Memory {
  readonly table: SeriesTable;
  /** target key -> series -> what its points are called; null: it cannot be sent. */
  readonly names: Map<string, Map<Series, PointName | null>>;
  readonly views: PageViews;
}

/** What Dynatrace calls a series: the same for each of its points. */
interface PointName {
  readonly name: string;
  readonly attributes: Attributes;
  /** The attributes as text: with the name, what tells one stored series from another. */
  readonly identity: string;
  /** Labels of it that become one dimension, in words. */
  readonly clash?: string;
}

/** Names kept, some 100 MB of them. A shard of more series than this only names them anew each run. */
export const MAX_REMEMBERED_NAMES = 100_000;

export function createMemory(): Memory {
  return { table: createSeriesTable(), names: new Map(), views: new Map() };
}

/** Between two runs: keeps the memory within its bounds. */
export function trimMemory(memory: Memory): void {
  const before = memory.table.texts.length;
  trimSeriesTable(memory.table);
  let names = 0;
  for (const known of memory.names.values()) names += known.size;
  const emptied = memory.table.texts.length < before;
  if (emptied || names > MAX_REMEMBERED_NAMES) memory.names.clear();
  if (emptied) memory.views.clear();
  trimViews(memory.views);
}

export interface Sendables {
  readonly sendables: readonly Sendable[];
  /** Series of which nothing is sent, by choice or because it cannot be: nothing is owed for them any more. */
  readonly dropped: readonly SeriesState[];
  readonly drops: ReadonlyMap<DropReason, number>;
  /** The first of what Dynatrace could not tell apart, in words. */
  readonly collision?: string;
}

/** Builds the points of one target at a tick: increases from the state, gauges from the page if there is one. */
export function buildPoints(
  target: Target,
  due: readonly SeriesState[],
  page: Families | undefined,
  report: readonly ReportGauge[],
  tickMs: number,
  memory: Memory,
): Sendables {
  const sendables: Sendable[] = [];
  const dropped: SeriesState[] = [];
  const drops = new Map<DropReason, number>();
  const metadata = new Map(page?.cumulative.map((reading) => [reading.series, reading.metadata]));
  const naming = createNaming(target, memory);
  const own = report.map(({ name }) => internSeries(memory.table, name, []));
  // Two series that Dynatrace would store as one must not both be sent: the first counts, and `up` is ours.
  const taken = new Map(own.map((series) => [`${series.name} ${naming(series)?.identity}`, series.key]));
  let collision: string | undefined;
  const name = (series: Series, suffixes: readonly string[] = ['']): PointName | DropReason => {
    if (!dynatrace.isSentByDefault(series.name)) return 'filtered';
    const named = naming(series);
    if (named === undefined) return 'unsendable';
    const identities = suffixes.map((suffix) => `${partName(named.name, suffix)} ${named.identity}`);
    const other = identities.map((identity) => taken.get(identity)).find((key) => key !== undefined);
    if (other !== undefined) {
      collision ??= `Dynatrace could not tell ${series.key} from ${other}: the second is sent, as ${named.name}`;
      return 'duplicate';
    }
    collision ??= named.clash;
    for (const identity of identities) taken.set(identity, series.key);
    return named;
  };
  const drop = (reason: DropReason, state?: SeriesState): void => {
    drops.set(reason, (drops.get(reason) ?? 0) + 1);
    if (state !== undefined) dropped.push(state);
  };
  for (const state of due) {
    const named = name(state.series, state.kind === 'summary' ? SUMMARY_PARTS : undefined);
    const increase = sendableIncrease(state);
    if (typeof named === 'string') drop(named, state);
    else if (!increase.every((value) => Number.isFinite(value))) drop('nan', state);
    else {
      const points = increasePoints(state, increase, fields(named, metadata.get(state.series), tickMs));
      sendables.push({ key: state.series.key, state, points });
    }
  }
  for (const { series, value, metadata: about, timeMs = tickMs } of page?.gauges ?? []) {
    const named = dynatrace.isTimeTaken(timeMs, tickMs) ? name(series) : 'unsendable';
    if (typeof named === 'string') drop(named);
    else {
      const point: DataPoint = { kind: 'gauge', ...fields(named, about, timeMs), value };
      sendables.push({ key: series.key, points: [point] });
    }
  }
  for (const [i, { unit, help, value }] of report.entries()) {
    const named = naming(own[i] as Series);
    assert(named !== undefined, 'the report gauges have good names');
    const about: Metadata = { type: 'gauge', help, unit };
    sendables.push({ key: named.name, points: [{ kind: 'gauge', ...fields(named, about, tickMs), value }] });
  }
  return { sendables, dropped, drops, ...(collision === undefined ? {} : { collision }) };
}

function fields({ name, attributes }: PointName, about: Metadata | undefined, timeMs: number) {
  const unit = dynatrace.unit(about?.unit ?? '');
  const description = dynatrace.description(about?.help ?? '');
  return { name, unit, description, attributes, timeMs };
}

/** Names a series once and remembers it; undefined where it cannot be sent. */
function createNaming(target: Target, memory: Memory): (series: Series) => PointName | undefined {
  const identity = identityOf(target);
  const { attributes } = target;
  // A document that is edited changes the names of a target at once.
  const memoryKey = `${target.key} ${JSON.stringify(attributes)}`;
  const known = memory.names.get(memoryKey) ?? new Map<Series, PointName | null>();
  memory.names.set(memoryKey, known);
  return (series) => {
    let named = known.get(series);
    if (named === undefined) {
      named = pointName(series, identity, attributes);
      known.set(series, named);
    }
    return named ?? undefined;
  };
}

function pointName(series: Series, identity: Attributes, added: Attributes): PointName | null {
  const name = dynatrace.metricKey(series.name);
  const attributes = dynatrace.pointAttributes(...identified(series.labels, identity), added);
  if (name === undefined || attributes === undefined) return null;
  const sorted = Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1));
  const clash = describeClash(series);
  return {
    name,
    attributes,
    identity: JSON.stringify(sorted),
    ...(clash === undefined ? {} : { clash }),
  };
}

function describeClash({ key, labels }: Series): string | undefined {
  const clash = dynatrace.clashingLabels(labels);
  if (clash === undefined) return undefined;
  return `Dynatrace could not tell the labels ${clash.join(' and ')} of ${key} apart: the first is sent`;
}

/** A page or a rule may name another job and instance than the target's (`honor_labels`): then they are the identity. */
function identified(labels: Labels, target: Attributes): [Labels, Attributes] {
  const rest: string[] = [];
  let identity = target;
  for (let i = 0; i < labels.length; i += 2) {
    const label = labels[i] as string;
    const value = labels[i + 1] as string;
    if (label === 'job') identity = { ...identity, 'service.name': value };
    else if (label === 'instance') identity = { ...identity, 'service.instance.id': value };
    else rest.push(label, value);
  }
  return [rest, identity];
}

const SUMMARY_PARTS = ['_count', '_sum'] as const;

/** A counter is one point, a histogram is one, a summary is split into its count and its sum. */
function increasePoints(
  state: SeriesState,
  increase: readonly number[],
  common: ReturnType<typeof fields>,
): readonly DataPoint[] {
  const [first = 0, ...rest] = increase;
  const base = { ...common, startMs: state.windowStartMs };
  const count = rest.reduce((total, bucket) => total + bucket, 0);
  switch (state.kind) {
    case 'counter':
      return [{ kind: 'counter', ...base, value: first }];
    case 'histogram':
      return [
        {
          kind: 'histogram',
          ...base,
          count,
          sum: first,
          ...dynatrace.withoutNegativeBounds(state.bounds, rest),
        },
      ];
    case 'summary':
      return [
        { kind: 'counter', ...base, name: partName(common.name, '_count'), unit: '', value: count },
        { kind: 'counter', ...base, name: partName(common.name, '_sum'), value: first },
      ];
  }
}

function partName(name: string, suffix: string): string {
  return suffix === '' ? name : (dynatrace.metricKey(`${name}${suffix}`) ?? name);
}

/** One of the gauges that every scrape reports of itself, under Prometheus' names. */
export interface ReportGauge {
  readonly name: string;
  readonly unit: string;
  readonly help: string;
  readonly value: number;
}

export interface ScrapeReport {
  readonly up: boolean;
  readonly durationMs: number;
  readonly samples: number;
  readonly samplesPostRelabeling: number;
  readonly seriesAdded: number;
}

/** `up` and the `scrape_*` gauges; a failed scrape has them too. */
export function reportGauges(report: ScrapeReport): readonly ReportGauge[] {
  return [
    { name: 'up', unit: '', help: 'The scraping was successful', value: report.up ? 1 : 0 },
    {
      name: 'scrape_duration_seconds',
      unit: 'seconds',
      help: 'Duration of the scrape',
      value: report.durationMs / 1000,
    },
    {
      name: 'scrape_samples_scraped',
      unit: '',
      help: 'The number of samples the target exposed',
      value: report.samples,
    },
    {
      name: 'scrape_samples_post_metric_relabeling',
      unit: '',
      help: 'The number of samples remaining after metric relabeling was applied',
      value: report.samplesPostRelabeling,
    },
    {
      name: 'scrape_series_added',
      unit: '',
      help: 'The approximate number of new series in this scrape',
      value: report.seriesAdded,
    },
  ];
}
