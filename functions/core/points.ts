/**
 * What is due of one target -> data points as Dynatrace takes them. Attributes are built once per series and kept in
 * the run's memory, not once per scrape.
 */
import * as dynatrace from './dynatrace.ts';
import type { Metadata } from './exposition.ts';
import type { Families } from './families.ts';
import type { Attributes, DataPoint, Series, Target } from './model.ts';
import type { DropReason } from './outcome.ts';
import { type SeriesTable, createSeriesTable, internSeries, trimSeriesTable } from './series.ts';
import { type SeriesState, sendableIncrease } from './series-state.ts';
import { identityOf } from './targets.ts';

/** What one series or gauge says in this run. It travels in one body, and moves by that body's outcome. */
export interface Sendable {
  /** The series that owes it; none for gauges. */
  readonly state?: SeriesState;
  readonly points: readonly DataPoint[];
}

/** What is kept between runs for speed alone: it may be thrown away without changing a result. */
export interface Memory {
  readonly table: SeriesTable;
  /** target key -> series -> the point's attributes; null: it cannot be sent. */
  readonly attributes: Map<string, Map<Series, Attributes | null>>;
}

/** Targets whose attributes are kept: twice a shard, so that a full one never loses its own. */
const MAX_REMEMBERED_TARGETS = 300;

export function createMemory(): Memory {
  return { table: createSeriesTable(), attributes: new Map() };
}

/** Between two runs: keeps the memory within its bounds. */
export function trimMemory(memory: Memory): void {
  const before = memory.table.texts.length;
  trimSeriesTable(memory.table);
  if (memory.table.texts.length < before || memory.attributes.size > MAX_REMEMBERED_TARGETS)
    memory.attributes.clear();
}

export interface Sendables {
  readonly sendables: readonly Sendable[];
  /** Series of which nothing is sent, by choice or because it cannot be: nothing is owed for them any more. */
  readonly dropped: readonly SeriesState[];
  readonly drops: ReadonlyMap<DropReason, number>;
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
  const drop = (reason: DropReason, state?: SeriesState): void => {
    drops.set(reason, (drops.get(reason) ?? 0) + 1);
    if (state !== undefined) dropped.push(state);
  };
  for (const state of due) {
    const named = naming(state.series, metadata.get(state.series));
    const increase = sendableIncrease(state);
    if (named.code !== 'named') drop(named.code, state);
    else if (!increase.every((value) => Number.isFinite(value))) drop('nan', state);
    else sendables.push({ state, points: increasePoints(state, increase, named, tickMs) });
  }
  for (const { series, value, metadata: about } of page?.gauges ?? []) {
    const named = naming(series, about);
    if (named.code !== 'named') drop(named.code);
    else sendables.push({ points: [{ kind: 'gauge', ...fields(named, tickMs), value }] });
  }
  for (const { name, unit, help, value } of report) {
    const named = naming(internSeries(memory.table, name, []), { type: 'gauge', help, unit });
    if (named.code === 'named')
      sendables.push({ points: [{ kind: 'gauge', ...fields(named, tickMs), value }] });
  }
  return { sendables, dropped, drops };
}

interface Named {
  readonly code: 'named';
  readonly name: string;
  readonly unit: string;
  readonly description: string;
  readonly attributes: Attributes;
}

function fields({ name, unit, description, attributes }: Named, timeMs: number) {
  return { name, unit, description, attributes, timeMs };
}

function createNaming(
  target: Target,
  memory: Memory,
): (series: Series, about: Metadata | undefined) => Named | { readonly code: 'filtered' | 'unsendable' } {
  const identity = identityOf(target);
  const known = memory.attributes.get(target.key) ?? new Map<Series, Attributes | null>();
  memory.attributes.set(target.key, known);
  return (series, about) => {
    if (!dynatrace.isSentByDefault(series.name)) return { code: 'filtered' };
    let attributes = known.get(series);
    if (attributes === undefined) {
      attributes = dynatrace.pointAttributes(series.labels, identity) ?? null;
      known.set(series, attributes);
    }
    const name = dynatrace.metricKey(series.name);
    if (attributes === null || name === undefined) return { code: 'unsendable' };
    return {
      code: 'named',
      name,
      unit: dynatrace.unit(about?.unit ?? ''),
      description: dynatrace.description(about?.help ?? ''),
      attributes,
    };
  };
}

/** A counter is one point, a histogram is one, a summary is split into its count and its sum. */
function increasePoints(
  state: SeriesState,
  increase: readonly number[],
  named: Named,
  tickMs: number,
): readonly DataPoint[] {
  const [first = 0, ...rest] = increase;
  const base = { ...fields(named, tickMs), startMs: state.windowStartMs };
  const count = rest.reduce((total, bucket) => total + bucket, 0);
  switch (state.kind) {
    case 'counter':
      return [{ kind: 'counter', ...base, value: first }];
    case 'histogram':
      return [{ kind: 'histogram', ...base, count, sum: first, bounds: state.bounds, buckets: rest }];
    case 'summary':
      return [
        { kind: 'counter', ...base, name: `${named.name}_count`, unit: '', value: count },
        { kind: 'counter', ...base, name: `${named.name}_sum`, value: first },
      ];
  }
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
