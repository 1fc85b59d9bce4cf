/**
 * What the product says of itself, once per shard and run, as metrics beside those of the targets. A run knows what
 * became of its bodies when they are gone, so what it counted is left to the next run, in the shard's item, and that one
 * sends it at its own tick. A count whose answer was lost, or that a dead run may have sent, is given up: here nothing
 * arrives twice.
 */
import type { Attributes, DataPoint } from './model.ts';
import type { Memory } from './point-names.ts';
import type { Sendable } from './points.ts';
import { countByReason } from './rejections.ts';
import type { RunReport } from './report.ts';
import { COUNTS, type SelfCount, type SelfFacts } from './self-facts.ts';
import { type SeriesState, firstState } from './series-state.ts';
import { internSeries } from './series.ts';
import { type TargetRun, beginSelf } from './target-run.ts';
import { createTarget } from './targets.ts';

/** `service.name` of everything that the product says of itself. */
export const SELF_SERVICE = 'nim-to-dynatrace';
/** Begins the name of each of its metrics. */
export const SELF_PREFIX = 'nim_to_dynatrace.';
/** Different reasons of Dynatrace that are told apart; the others are one. */
export const MAX_REJECTION_REASONS = 8;
const OTHER = 'OTHER';
/** Points of a run: three counts, twelve reasons of ours, nine of Dynatrace, five gauges. */
export const MAX_SELF_POINTS = 29;

/** The run of a shard as one more owner of points, beside its targets. */
export interface SelfRun {
  readonly run: TargetRun;
  readonly states: ReadonlyMap<SeriesState, SelfCount>;
}

/** `facts` of the run before; undefined where there is none, or it is not known whether they were sent. */
export function selfPoints(
  facts: SelfFacts | undefined,
  shard: number,
  tickMs: number,
  { table }: Memory,
): SelfRun {
  const instance = `shard-${shard}`;
  const identity = { 'service.name': SELF_SERVICE, 'service.instance.id': instance };
  const states = new Map<SeriesState, SelfCount>();
  const sendables: Sendable[] = [];
  for (const count of facts?.counts ?? []) {
    const { name, reason, value, sinceMs } = count;
    const series = internSeries(
      table,
      `${SELF_PREFIX}${name}`,
      reason === undefined ? [] : ['reason', reason],
    );
    const state = firstState(series, 'counter', [], [value], [0], sinceMs);
    const attributes: Attributes = reason === undefined ? identity : { ...identity, reason };
    const { unit, about } = COUNTS[name];
    const point: DataPoint = {
      kind: 'counter',
      name: series.name,
      unit,
      description: about,
      attributes,
      startMs: sinceMs,
      timeMs: tickMs,
      value,
    };
    states.set(state, count);
    sendables.push({ key: series.key, states: [state], points: [point] });
  }
  for (const { name, unit, about, value } of facts === undefined ? [] : gaugesOf(facts, tickMs)) {
    const point: DataPoint = {
      kind: 'gauge',
      name: `${SELF_PREFIX}${name}`,
      unit,
      description: about,
      attributes: identity,
      timeMs: tickMs,
      value,
    };
    sendables.push({ key: point.name, states: [], points: [point] });
  }
  const target = createTarget({
    job: SELF_SERVICE,
    instance,
    scheme: 'http',
    address: '',
    path: '',
    params: [],
  });
  return { run: beginSelf(target, sendables, tickMs), states };
}

function gaugesOf(facts: SelfFacts, tickMs: number) {
  const ageMs = facts.pendingSinceMs === undefined ? 0 : Math.max(0, tickMs - facts.pendingSinceMs);
  return [
    {
      name: 'pending.points',
      unit: '{point}',
      about: 'Series with something pending',
      value: facts.pendingPoints,
    },
    { name: 'pending.age', unit: 's', about: 'Age of the oldest pending window', value: ageMs / 1000 },
    {
      name: 'export.duration',
      unit: 'ms',
      about: 'Time that all bodies of a run took',
      value: facts.exportDurationMs,
    },
    { name: 'export.size', unit: 'By', about: 'Bytes of a run before gzip', value: facts.exportBytes },
    { name: 'series.tracked', unit: '{series}', about: 'Series with a baseline', value: facts.seriesTracked },
  ] as const;
}

/** What this run leaves to the next: what it counted, and what of the run before was surely not accepted. */
export function nextSelfFacts({ run, states }: SelfRun, report: RunReport): SelfFacts {
  const { exports, tickMs } = report;
  const unknown = exports.filter(({ outcome }) => outcome.code === 'unknown').length;
  const counts = new Map<string, SelfCount>();
  let rejectionReasons = 0;
  const add = (count: SelfCount): void => {
    const key = `${count.name} ${count.reason ?? ''}`;
    if (count.name === 'points.rejected' && count.reason !== OTHER && !counts.has(key)) {
      if (rejectionReasons === MAX_REJECTION_REASONS) return add({ ...count, reason: OTHER });
      rejectionReasons++;
    }
    const { value = 0, sinceMs = count.sinceMs } = counts.get(key) ?? {};
    counts.set(key, { ...count, value: value + count.value, sinceMs });
  };
  for (const [state, count] of states) if (unknown === 0 && !run.settled.has(state)) add(count);
  const own = { sinceMs: tickMs };
  add({ ...own, name: 'points.sent', value: report.pointsSent });
  add({ ...own, name: 'exports.unknown', value: unknown });
  if (report.caughtUp > 0) add({ ...own, name: 'catch_up', value: report.caughtUp });
  for (const [reason, value] of Object.entries(report.drops))
    add({ ...own, name: 'points.dropped', reason, value });
  const rejected = Object.entries(countByReason(report.rejections)).sort(([, a], [, b]) => b - a);
  for (const [reason, value] of rejected) add({ ...own, name: 'points.rejected', reason, value });
  return {
    counts: [...counts.values()],
    pendingPoints: report.pending,
    ...(report.pendingSinceMs === undefined ? {} : { pendingSinceMs: report.pendingSinceMs }),
    exportDurationMs: exports.reduce((sum, { durationMs }) => sum + durationMs, 0),
    exportBytes: exports.reduce((sum, { bytes }) => sum + bytes, 0),
    seriesTracked: report.seriesTracked,
  };
}
