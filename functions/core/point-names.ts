/**
 * What the points of a series are called: NIM's names or the page's, filtered, within Dynatrace's rules. Worked out
 * once per series and kept in the run's memory, not once per scrape.
 */
import * as dynatrace from './dynatrace.ts';
import { type Filter, createFilter } from './filter.ts';
import type { Attributes, Labels, Series, Target } from './model.ts';
import { type Displaced, type PointKind, REFERENCE_METRICS, referenceOf } from './nim.ts';
import type { DropReason } from './outcome.ts';
import { type PageViews, trimViews } from './page-view.ts';
import { type SeriesTable, createSeriesTable, trimSeriesTable } from './series.ts';
import { identityOf } from './targets.ts';
import { knownUnit, unitInName } from './units.ts';

/** What is kept between runs for speed alone: it may be thrown away without changing a result. */
export interface Memory {
  readonly table: SeriesTable;
  /** By target key. */
  readonly names: Map<string, TargetNames>;
  readonly views: PageViews;
}

/** The names of one target's series. */
interface TargetNames {
  /** The settings and the page's generation for which they hold. */
  readonly reading: string;
  readonly bySeries: Map<Series, SeriesNames>;
}

/** What Dynatrace calls a series: the same for each of its points. */
export interface PointName {
  readonly name: string;
  readonly attributes: Attributes;
  /** Name and attributes as text: what tells one stored series from another. */
  readonly identity: string;
  /** Known of this metric, or guessed from its name where the page does not say. */
  readonly unit: { readonly known?: string; readonly guessed: string };
  /** Of what is no metric of the page itself. */
  readonly description?: string;
  /** Labels of it that become one dimension, in words. */
  readonly clash?: string;
}

/** What becomes of a series: it is left out, goes out by itself, or is a part of sums. */
export type SeriesNames =
  | { readonly code: 'left_out'; readonly kind: PointKind; readonly reason: DropReason }
  | { readonly code: 'alone'; readonly kind: PointKind; readonly name: PointName }
  | {
      readonly code: 'bundled';
      readonly kind: PointKind;
      readonly names: readonly PointName[];
      readonly bundle: string;
      readonly engine: string;
    };

export type Naming = (series: Series, kind: PointKind) => SeriesNames;

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
  for (const { bySeries } of memory.names.values()) names += bySeries.size;
  const emptied = memory.table.texts.length < before;
  if (emptied || names > MAX_REMEMBERED_NAMES) memory.names.clear();
  if (emptied) memory.views.clear();
  trimViews(memory.views);
}

/** What the series that the target's run met are called; undefined before its first run. */
export function namesOf(memory: Memory, { key }: Target): ReadonlyMap<Series, SeriesNames> | undefined {
  return memory.names.get(key)?.bySeries;
}

export function createNaming(target: Target, displaced: Displaced, memory: Memory): Naming {
  const reading = JSON.stringify([target.output, target.attributes, [...displaced]]);
  let known = memory.names.get(target.key);
  if (known?.reading !== reading) {
    known = { reading, bySeries: new Map() };
    memory.names.set(target.key, known);
  }
  const { bySeries } = known;
  const rules = {
    byNim: target.output.metricNames === 'nim',
    displaced,
    filter: createFilter(target.output),
    identity: identityOf(target),
    added: target.attributes,
  };
  return (series, kind) => {
    let names = bySeries.get(series);
    // Of a kind it has always been, but where a page's TYPE line came or went.
    if (names?.kind !== kind) {
      names = nameSeries(series, kind, rules);
      bySeries.set(series, names);
    }
    return names;
  };
}

interface NamingRules {
  readonly byNim: boolean;
  readonly displaced: Displaced;
  readonly filter: Filter;
  readonly identity: Attributes;
  /** `dynatrace: attributes:` of the job. */
  readonly added: Attributes;
}

function nameSeries(series: Series, kind: PointKind, rules: NamingRules): SeriesNames {
  const { byNim, displaced, filter } = rules;
  const leftOut = (reason: DropReason): SeriesNames => ({ code: 'left_out', kind, reason });
  const reference = byNim ? referenceOf(series, kind, displaced) : undefined;
  if (reference === undefined) {
    const key = dynatrace.metricKey(series.name);
    if (!filter(series.name, key ?? series.name)) return leftOut('filtered');
    const name = pointName(series.name, series.labels, rules);
    if (name === undefined) return leftOut('unsendable');
    const clash = describeClash(series);
    return { code: 'alone', kind, name: { ...name, ...(clash === undefined ? {} : { clash }) } };
  }
  const asked = reference.parts.filter(({ name }) => filter(series.name, name));
  if (asked.length === 0) return leftOut('filtered');
  const names = asked.flatMap(({ name, labels }) => {
    const { description } = REFERENCE_METRICS[name];
    const named = pointName(name, labels, rules);
    return named === undefined ? [] : [{ ...named, description }];
  });
  const { bundle, engine } = reference;
  return names.length === 0 ? leftOut('unsendable') : { code: 'bundled', kind, names, bundle, engine };
}

/** Undefined where Dynatrace would refuse it. */
function pointName(
  metric: string,
  labels: Labels,
  { identity, added }: Pick<NamingRules, 'identity' | 'added'>,
): PointName | undefined {
  const name = dynatrace.metricKey(metric);
  const attributes = dynatrace.pointAttributes(...identified(labels, identity), added);
  if (name === undefined || attributes === undefined) return undefined;
  const sorted = Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1));
  const known = knownUnit(metric);
  const unit = { ...(known === undefined ? {} : { known }), guessed: unitInName(metric) };
  return { name, attributes, identity: JSON.stringify([name, sorted]), unit };
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
