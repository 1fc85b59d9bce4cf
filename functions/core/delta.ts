/**
 * The heart: a whole page, held against what was known, becomes the next baseline; what is pending in it is what
 * Dynatrace has yet to accept. The rules D1 to D11 are written out in docs/guarantees.md; each is named where it acts.
 */
import { type Baseline, drain, duePoints } from './baseline.ts';
import { type CumulativeReading, EVERY_FAMILY, type Families } from './families.ts';
import { type Flips, NO_FLIPS, fell, judgeValues, sameShape } from './flips.ts';
import type { InitialValue } from './model.ts';
import type { DropReason } from './outcome.ts';
import {
  type SeriesState,
  firstState,
  grow,
  inherit,
  isPending,
  owes,
  rebase,
  restart,
  zeros,
} from './series-state.ts';

/** What surrounds a page: facts of the run and settings of the job. */
export interface ScrapeFacts {
  readonly tickMs: number;
  /** The response's `Date`, else our clock. */
  readonly scrapedAtMs: number;
  /** Hash of how the page was read (D5). */
  readonly shape: number;
  /** Samples on the page. */
  readonly samples: number;
  readonly intervalMs: number;
  /** 0: never stale. */
  readonly maxStalenessMs: number;
  readonly initialValue: InitialValue;
  /** D9: series to keep, unseen ones included; what is on the page or pending is kept in any case. */
  readonly maxSeries: number;
}

export interface Observation {
  readonly baseline: Baseline;
  /** Series of which a point is due in this run, a zero increase included. */
  readonly due: readonly SeriesState[];
  readonly drops: ReadonlyMap<DropReason, number>;
  /** Another process answered than before (D8). */
  readonly flipped: boolean;
  /** Samples of series that the last page did not have: `scrape_series_added`. */
  readonly seriesAdded: number;
}

/** D6: how old a process may be at first sight for its counts to be ours. */
export const INITIAL_MAX_AGE_MS = 3_600_000;
/** D7, D8: a start that moves by no more than this is jitter of the same process. */
export const START_JITTER_MS = 5_000;
/** D7: how much earlier than the last scrape a new process may claim to have started: clock skew and rounding. */
export const START_SKEW_MS = 30_000;
/** D8: starts remembered; with more replicas than this behind one address, most still show as moving backwards. */
export const MAX_EARLIER_STARTS = 8;
/** D5: families told apart as not whole; a page with more of them is not whole at all, and the baseline stays small. */
export const MAX_NOT_WHOLE = 100;
/** D9: series kept per target, unseen ones included; beyond it the longest unseen are forgotten. */
export const MAX_TRACKED_SERIES = 20_000;

/** Which process made this page, as far as start times tell (D7, D8). */
type ProcessVerdict = 'new_target' | 'same' | 'restarted' | 'switched' | 'flipped';

interface Step {
  readonly state: SeriesState;
  /** Set when this page yields no increase of the series. */
  readonly drop?: DropReason;
}

/** Takes in one whole page. */
export function observe(before: Baseline | undefined, page: Families, facts: ScrapeFacts): Observation {
  const known = before !== undefined && !isStale(before, facts) ? before : undefined;
  const { process, flips } = judgeProcess(known, page);
  const series = new Map<string, SeriesState>();
  const draining = [...(before?.draining ?? [])];
  const candidates: SeriesState[] = [];
  const drops = new Map<DropReason, number>();
  let added = 0;

  for (const reading of page.cumulative) {
    const key = reading.series.key;
    const state = before?.series.get(key);
    const continues = state !== undefined && sameShape(state, reading);
    let step: Step;
    if (known !== undefined && continues) step = stepKnown(state, reading, process, known, facts);
    else {
      added += samplesOf(reading);
      step = stepUnknown(reading, process, known, state, page, before?.scrapedAtMs, facts);
      if (continues) step = { ...step, state: inherit(step.state, state) };
      else if (state !== undefined) drain(draining, state);
    }
    series.set(key, step.state);
    if (step.drop !== undefined) drops.set(step.drop, (drops.get(step.drop) ?? 0) + 1);
    if (step.drop === undefined || owes(step.state)) candidates.push(step.state);
  }
  for (const [key, state] of before?.series ?? []) {
    if (series.has(key)) continue;
    // Whatever another process does not show is unknown of it: it begins anew when it is seen (D5, D8).
    if (known === undefined || process === 'flipped' || process === 'switched') {
      drain(draining, state);
      continue;
    }
    const gone = process === 'restarted' && !outlivesProcess(state.series.name);
    const unseen = gone ? restart(state, zeros(state.last)) : state;
    series.set(key, unseen);
    if (owes(unseen)) candidates.push(unseen);
  }
  const forgot =
    forgetUnseen(series, page.cumulative, facts.maxSeries) ||
    (known?.forgot === true && process !== 'restarted');

  return {
    baseline: {
      ...header(known, page, facts),
      forgot,
      series,
      draining,
      flips,
      suspects: before?.suspects ?? [],
    },
    flipped: process === 'flipped',
    due: duePoints(draining, candidates),
    drops,
    seriesAdded: known === undefined ? facts.samples : added + Math.max(0, page.gauges.length - known.gauges),
  };
}

/** D9, decided in code: DynamoDB's TTL may clear an item away days late. */
function isStale(baseline: Baseline, facts: ScrapeFacts): boolean {
  return facts.maxStalenessMs > 0 && facts.tickMs - baseline.tickMs > facts.maxStalenessMs;
}

/** D7 and D8. Pages without a start time are judged by their values. */
function judgeProcess(
  known: Baseline | undefined,
  { startMs, cumulative }: Families,
): { readonly process: ProcessVerdict; readonly flips: Flips } {
  if (known === undefined) return { process: 'new_target', flips: NO_FLIPS };
  const lastMs = known.startMs ?? known.earlierStartsMs.at(-1);
  if (startMs !== undefined && lastMs !== undefined) {
    const process = judgeStart(known, lastMs, startMs);
    // Where the last page had lost its start time, a restart before it was told by its values.
    const isSure = process === 'flipped' || (process === 'restarted' && startMs > known.scrapedAtMs);
    if (known.startMs !== undefined || isSure) return { process, flips: NO_FLIPS };
  }
  const { flipped, flips } = judgeValues(known, cumulative);
  return { process: flipped ? 'flipped' : 'same', flips };
}

function judgeStart(known: Baseline, knownStartMs: number, startMs: number): ProcessVerdict {
  const near = (otherMs: number): boolean => Math.abs(startMs - otherMs) <= START_JITTER_MS;
  if (near(knownStartMs)) return 'same';
  if (startMs < knownStartMs || known.earlierStartsMs.some(near)) return 'flipped';
  return startMs > known.scrapedAtMs - START_SKEW_MS ? 'restarted' : 'switched';
}

function stepKnown(
  state: SeriesState,
  reading: CumulativeReading,
  process: ProcessVerdict,
  known: Baseline,
  facts: ScrapeFacts,
): Step {
  if (process === 'flipped' || process === 'switched') {
    const drop = process === 'flipped' ? 'replica_flip' : 'initial';
    return { state: rebase(state, reading.values, facts.tickMs), drop };
  }
  const restarted = process === 'restarted' && !outlivesProcess(state.series.name);
  if (restarted || isRecreated(known, reading, facts) || fell(state, reading.values)) {
    return { state: restart(state, reading.values) };
  }
  return { state: grow(state, reading.values) };
}

/** A series that was not known in this form: all of it is increase (from zero), or it is a baseline only. */
function stepUnknown(
  reading: CumulativeReading,
  process: ProcessVerdict,
  known: Baseline | undefined,
  other: SeriesState | undefined,
  page: Families,
  forgottenMs: number | undefined,
  facts: ScrapeFacts,
): Step {
  const { series, kind, bounds, values } = reading;
  const fromZero =
    known === undefined
      ? startsWithTarget(reading, page.startMs, forgottenMs, facts)
      : startsWithSeries(reading, process, known, other, facts);
  if (fromZero) {
    const windowStartMs = known?.tickMs ?? facts.tickMs - facts.intervalMs;
    return { state: firstState(series, kind, bounds, values, zeros(values), windowStartMs) };
  }
  const otherBounds = other?.kind === kind && process === 'same';
  const drop = process === 'flipped' ? 'replica_flip' : otherBounds ? 'bucket_mismatch' : 'initial';
  return { state: firstState(series, kind, bounds, values, values, facts.tickMs), drop };
}

/** D6: by page and tick; and not what a target that was forgotten meanwhile had counted before (`forgottenMs`). */
function startsWithTarget(
  reading: CumulativeReading,
  startMs: number | undefined,
  forgottenMs: number | undefined,
  { tickMs, maxStalenessMs, initialValue }: ScrapeFacts,
): boolean {
  if (initialValue !== 'auto') return initialValue === 'keep';
  if (outlivesProcess(reading.series.name)) return false;
  const maxAgeMs = maxStalenessMs > 0 ? Math.min(INITIAL_MAX_AGE_MS, maxStalenessMs) : INITIAL_MAX_AGE_MS;
  const isOurs = (momentMs: number | undefined): boolean =>
    momentMs !== undefined &&
    Math.abs(tickMs - momentMs) <= maxAgeMs &&
    momentMs > (forgottenMs ?? -Infinity);
  return isOurs(startMs) || isOurs(reading.createdMs);
}

/** D5: a series of a known target counts from zero if the last page would have shown it, had it been there. */
function startsWithSeries(
  reading: CumulativeReading,
  process: ProcessVerdict,
  known: Baseline,
  other: SeriesState | undefined,
  facts: ScrapeFacts,
): boolean {
  if (outlivesProcess(reading.series.name)) return false;
  if (process !== 'same') return process === 'restarted';
  if (other !== undefined) return isRecreated(known, reading, facts);
  return !known.forgot && wasShownWhole(known, reading, facts);
}

/** Whether the last page told all of this family, and was read the same way. */
function wasShownWhole(known: Baseline, reading: CumulativeReading, facts: ScrapeFacts): boolean {
  if (known.shape !== facts.shape) return false;
  // A counter's family has its suffix or not, as the page's TYPE line had it, or its want.
  const { name } = reading.series;
  const families = [EVERY_FAMILY, reading.family, name, name.replace(/_total$/, '')];
  return !families.some((family) => known.notWhole.has(family));
}

/**
 * D7, by `_created`, on the target's own clock: later than any seen before, and than the last committed scrape. Where
 * that page did not tell all of its family, it may have shown the new values without the moment: no room for skew.
 */
function isRecreated(known: Baseline, reading: CumulativeReading, facts: ScrapeFacts): boolean {
  const { createdMs } = reading;
  if (known.createdMs === undefined || createdMs === undefined) return false;
  const skewMs = wasShownWhole(known, reading, facts) ? START_SKEW_MS : 0;
  return createdMs > Math.max(known.createdMs, known.scrapedAtMs - skewMs);
}

const OUTLIVING = [/^DCGM_/, /^node_/, /^container_/, /energy_consumption/];

/** D7: families whose counts belong to the machine, not to the process that shows them. */
function outlivesProcess(name: string): boolean {
  return OUTLIVING.some((pattern) => pattern.test(name));
}

function samplesOf(reading: CumulativeReading): number {
  if (reading.kind === 'histogram') return reading.values.length + 1;
  return reading.kind === 'summary' ? 2 : 1;
}

/** D9: longest unseen first; what is pending is never forced out. */
function forgetUnseen(
  series: Map<string, SeriesState>,
  seen: readonly CumulativeReading[],
  maxSeries: number,
): boolean {
  if (series.size <= maxSeries) return false;
  const onPage = new Set(seen.map((reading) => reading.series.key));
  const unseen = [...series].filter(([key, state]) => !onPage.has(key) && !isPending(state));
  unseen.sort(([, a], [, b]) => a.windowStartMs - b.windowStartMs);
  for (const [key] of unseen.slice(0, series.size - maxSeries)) series.delete(key);
  return unseen.length > 0;
}

function header(
  known: Baseline | undefined,
  page: Families,
  facts: ScrapeFacts,
): Omit<Baseline, 'forgot' | 'series' | 'draining' | 'flips' | 'suspects'> {
  const { startMs } = page;
  let createdMs = known?.createdMs;
  for (const reading of page.cumulative) {
    if (reading.createdMs !== undefined)
      createdMs = Math.max(createdMs ?? reading.createdMs, reading.createdMs);
  }
  return {
    tickMs: facts.tickMs,
    scrapedAtMs: facts.scrapedAtMs,
    ...(startMs === undefined ? {} : { startMs }),
    earlierStartsMs: earlierStarts(known, startMs),
    ...(createdMs === undefined ? {} : { createdMs }),
    shape: facts.shape,
    gauges: page.gauges.length,
    notWhole: notTrusted(page),
  };
}

/** D5: families of this page of which an unknown series may be an old one on the next. */
function notTrusted(page: Families): ReadonlySet<string> {
  const families = new Set([...page.notWhole, ...page.untyped]);
  return families.size > MAX_NOT_WHOLE ? new Set([EVERY_FAMILY]) : families;
}

function earlierStarts(known: Baseline | undefined, startMs: number | undefined): readonly number[] {
  if (known?.startMs === undefined) return known?.earlierStartsMs ?? [];
  if (startMs === undefined) return [...known.earlierStartsMs, known.startMs].slice(-MAX_EARLIER_STARTS);
  if (Math.abs(startMs - known.startMs) <= START_JITTER_MS) return known.earlierStartsMs;
  const others = known.earlierStartsMs.filter((momentMs) => Math.abs(momentMs - startMs) > START_JITTER_MS);
  return [...others, known.startMs].slice(-MAX_EARLIER_STARTS);
}
