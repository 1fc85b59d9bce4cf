/**
 * Samples -> metric families: readings of gauges and counters, and histograms and summaries put together of their
 * parts. What a sample is, is told in sample-roles.ts.
 */
import type { CumulativeKind, Series } from './model.ts';
import type { DropReason, DropWitness } from './outcome.ts';
import type { Metadata, Page } from './exposition.ts';
import { type Role, createRoles } from './sample-roles.ts';
import { type SeriesTable, renameSeries, splitLabel } from './series.ts';

/**
 * One cumulative series as this page shows it. `values` is `[value]` for a counter, `[sum, count]` for a summary and
 * `[sum, bucket, bucket, ...]` for a histogram, buckets not cumulative, one more than `bounds`.
 */
export interface CumulativeReading {
  readonly series: Series;
  readonly kind: CumulativeKind;
  readonly family: string;
  readonly bounds: readonly number[];
  readonly values: readonly number[];
  /** `_created`, on the target's clock. */
  createdMs?: number;
  readonly metadata: Metadata | undefined;
}

export interface GaugeReading {
  readonly series: Series;
  readonly value: number;
  /** The sample's own timestamp, where it has one and it is honoured. */
  readonly timeMs?: number;
  readonly metadata: Metadata | undefined;
}

export interface Families {
  readonly gauges: readonly GaugeReading[];
  readonly cumulative: readonly CumulativeReading[];
  /** `process_start_time_seconds`, if exactly one sample of it stands on the page, without labels (D7). */
  readonly startMs?: number;
  /** Families with a line or sample that was not understood; `EVERY_FAMILY` if it cannot be told which. */
  readonly notWhole: ReadonlySet<string>;
  /** Families that are gauges for want of a TYPE, or against what is known: they may be cumulative on a later page. */
  readonly untyped: ReadonlySet<string>;
  readonly drops: ReadonlyMap<DropReason, number>;
}

/** Stands in `notWhole` for all families. No metric name is empty. */
export const EVERY_FAMILY = '';

/** A histogram or summary under assembly. */
interface Assembly {
  readonly role: Role;
  readonly series: Series;
  readonly bounds: number[];
  readonly counts: number[];
  count: number | undefined;
  sum: number | undefined;
}

interface Sorting {
  readonly gauges: Map<Series, GaugeReading>;
  readonly counters: Map<Series, CumulativeReading>;
  readonly assemblies: Map<Series, Assembly>;
  readonly created: { readonly series: Series; readonly base: string; readonly createdMs: number }[];
  readonly notWhole: Set<string>;
  readonly untyped: Set<string>;
  readonly drops: Map<DropReason, number>;
  readonly witness: DropWitness | undefined;
}

/**
 * Sorts the samples of a page. `known` names what the baseline remembers as cumulative; `raw` is the page before
 * relabelling, which alone tells when its process started (D7).
 */
export function groupFamilies(
  page: Page,
  table: SeriesTable,
  known: ReadonlyMap<string, CumulativeKind>,
  raw: Page = page,
  witness?: DropWitness,
): Families {
  const roleOf = createRoles(page, known);
  const into: Sorting = {
    gauges: new Map(),
    counters: new Map(),
    assemblies: new Map(),
    created: [],
    notWhole: new Set(),
    untyped: new Set(),
    drops: new Map(),
    witness,
  };
  for (const name of page.refused.names) into.notWhole.add(roleOf(name).family);
  const isEmpty = page.values.length === 0 && page.metadata.size === 0;
  if (page.refused.anywhere || isEmpty) into.notWhole.add(EVERY_FAMILY);
  let name = '';
  let role = roleOf(name);
  for (let i = 0; i < page.series.length; i++) {
    const series = page.series[i] as Series;
    if (series.name !== name) {
      name = series.name;
      role = roleOf(name);
    }
    sortSample(into, table, role, series, page.values[i] as number, page.timesMs.get(i));
  }
  const cumulative = [...into.counters.values(), ...assemble(into)];
  attachCreated(cumulative, into.created, table);
  const startMs = processStart(raw);
  return {
    gauges: [...into.gauges.values()],
    cumulative,
    ...(startMs === undefined ? {} : { startMs }),
    notWhole: into.notWhole,
    untyped: into.untyped,
    drops: into.drops,
  };
}

function sortSample(
  into: Sorting,
  table: SeriesTable,
  role: Role,
  given: Series,
  value: number,
  timeMs: number | undefined,
): void {
  const series = role.name === given.name ? given : renameSeries(table, given, role.name);
  if (role.family.startsWith('DCGM_') && isBlank(value))
    return drop(into, 'blank', given, role.part === 'gauge' ? undefined : role.family);
  switch (role.part) {
    case 'gauge':
      if (role.untyped) markUntyped(into.untyped, role.family);
      if (into.gauges.has(series)) return drop(into, 'duplicate', given);
      if (!Number.isFinite(value)) return drop(into, 'nan', given);
      into.gauges.set(series, {
        series,
        value,
        metadata: role.metadata,
        ...(timeMs === undefined ? {} : { timeMs }),
      });
      return;
    case 'counter':
      if (into.counters.has(series)) return drop(into, 'duplicate', given);
      if (!Number.isFinite(value)) return drop(into, 'nan', given, role.family);
      if (value < 0) return drop(into, 'negative', given, role.family);
      into.counters.set(series, {
        series,
        kind: 'counter',
        family: role.family,
        bounds: [],
        values: [value],
        metadata: role.metadata,
      });
      return;
    case 'bucket': {
      const split = splitLabel(table, series, role.family, 'le');
      if (split === undefined) return drop(into, 'invalid_histogram', given, role.family);
      const assembly = assemblyOf(into, role, split.series);
      assembly.bounds.push(split.bound);
      assembly.counts.push(value);
      return;
    }
    case 'count':
    case 'sum': {
      const assembly = assemblyOf(into, role, renameSeries(table, series, role.family));
      if (assembly[role.part] !== undefined) return drop(into, 'duplicate', given);
      assembly[role.part] = value;
      return;
    }
    case 'created':
      if (isMoment(value)) {
        into.created.push({ series, base: role.family, createdMs: Math.floor(value * 1000) });
      }
      return;
  }
}

/** DCGM_INT32_BLANK, DCGM_INT64_BLANK and DCGM_FP64_BLANK, and three kinds of each behind it (dcgm_structs.h). */
function isBlank(value: number): boolean {
  return isOneOfFour(value, 0x7ffffff0) || isOneOfFour(value, 2 ** 47) || value === 2 ** 63;
}

function isOneOfFour(value: number, first: number): boolean {
  return value >= first && value <= first + 3;
}

/** Should it turn out to be a histogram or summary, its family has the name without the suffix. */
function markUntyped(untyped: Set<string>, name: string): void {
  if (untyped.has(name)) return;
  untyped.add(name);
  const family = /^(.+)_(?:bucket|count|sum|total)$/.exec(name)?.[1];
  if (family !== undefined) untyped.add(family);
}

function drop(into: Sorting, reason: DropReason, { key }: Series, family?: string): void {
  into.drops.set(reason, (into.drops.get(reason) ?? 0) + 1);
  if (family !== undefined) into.notWhole.add(family);
  into.witness?.(reason, key);
}

function assemblyOf(into: Sorting, role: Role, series: Series): Assembly {
  let assembly = into.assemblies.get(series);
  if (assembly === undefined) {
    assembly = { role, series, bounds: [], counts: [], count: undefined, sum: undefined };
    into.assemblies.set(series, assembly);
  }
  return assembly;
}

/** Histograms and summaries that are whole in themselves; the others are left out of this page, their state unmoved. */
function assemble(into: Sorting): CumulativeReading[] {
  const readings: CumulativeReading[] = [];
  for (const assembly of into.assemblies.values()) {
    const { role, series } = assembly;
    const read = role.kind === 'histogram' ? histogramOf(assembly, into) : summaryOf(assembly);
    if (read === undefined) drop(into, 'invalid_histogram', series, role.family);
    else readings.push({ series, kind: role.kind, family: role.family, metadata: role.metadata, ...read });
  }
  return readings;
}

type Distribution = { readonly bounds: readonly number[]; readonly values: readonly number[] };

/**
 * Bounds rise and are finite, counts are whole and do not fall, a sum is there: what OTLP needs and Dynatrace takes.
 * The count is `_count`, and the `+Inf` bucket only where there is none, as in the Collector.
 */
function histogramOf(assembly: Assembly, into: Sorting): Distribution | undefined {
  const order = assembly.bounds.map((_, i) => i).sort((a, b) => bound(a) - bound(b));
  function bound(i: number): number {
    return assembly.bounds[i] as number;
  }
  const bounds: number[] = [];
  const buckets: number[] = [];
  let below = 0;
  let total = assembly.count;
  let previous: number | undefined;
  for (const i of order) {
    const cumulative = assembly.counts[i] as number;
    if (bound(i) === previous) {
      drop(into, 'duplicate', assembly.series);
      continue;
    }
    previous = bound(i);
    if (bound(i) === Infinity) {
      total ??= cumulative;
      continue;
    }
    if (!Number.isFinite(bound(i))) return undefined;
    if (!Number.isSafeInteger(cumulative) || cumulative < below) return undefined;
    bounds.push(bound(i));
    buckets.push(cumulative - below);
    below = cumulative;
  }
  if (total === undefined || !Number.isSafeInteger(total) || total < below) return undefined;
  if (assembly.sum === undefined || !Number.isFinite(assembly.sum)) return undefined;
  return { bounds, values: [assembly.sum, ...buckets, total - below] };
}

function summaryOf({ count, sum }: Assembly): Distribution | undefined {
  if (count === undefined || sum === undefined || !Number.isFinite(sum)) return undefined;
  return Number.isSafeInteger(count) && count >= 0 ? { bounds: [], values: [sum, count] } : undefined;
}

/** A counter's `x_created` speaks of `x_total`, or of `x` where the counter has no suffix. */
function attachCreated(
  cumulative: readonly CumulativeReading[],
  created: Sorting['created'],
  table: SeriesTable,
): void {
  if (created.length === 0) return;
  const bySeries = new Map(cumulative.map((reading) => [reading.series, reading]));
  for (const { series, base, createdMs } of created) {
    const reading =
      bySeries.get(renameSeries(table, series, base)) ??
      bySeries.get(renameSeries(table, series, `${base}_total`));
    if (reading !== undefined) reading.createdMs = createdMs;
  }
}

function processStart(page: Page): number | undefined {
  let startMs: number | undefined;
  for (let i = 0; i < page.series.length; i++) {
    const series = page.series[i] as Series;
    if (series.name !== 'process_start_time_seconds') continue;
    const value = page.values[i] as number;
    if (startMs !== undefined || series.labels.length > 0 || value === 0 || !isMoment(value))
      return undefined;
    startMs = Math.round(value * 1000);
  }
  return startMs;
}

/** The end of year 9999: what claims to be later is no time, and would not fit the baseline's whole milliseconds. */
const MAX_MOMENT_S = 253_402_300_799;

function isMoment(seconds: number): boolean {
  return seconds >= 0 && seconds <= MAX_MOMENT_S;
}
