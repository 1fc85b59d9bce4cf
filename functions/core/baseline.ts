/** What is known of a target between two runs: the content of its state item, and what it still owes. */
import type { Flips } from './flips.ts';
import type { Suspect } from './suspects.ts';
import { type SeriesState, mergeOwed, owes, settleSeries } from './series-state.ts';

export interface Baseline {
  /** Tick of the last committed successful scrape. */
  readonly tickMs: number;
  /** When that page was made: the response's `Date`, else our clock (D7). */
  readonly scrapedAtMs: number;
  /** Process start of that page, and starts seen before it (D8). */
  readonly startMs?: number;
  readonly earlierStartsMs: readonly number[];
  /** The latest `_created` seen: what is created after it is new. */
  readonly createdMs?: number;
  /** Hash of how the page was read: a series unknown under another reading may be an old one (D5). */
  readonly shape: number;
  /** Gauge samples on that page, for `scrape_series_added`. */
  readonly gauges: number;
  /** Families of that page that were not whole (D5). */
  readonly notWhole: ReadonlySet<string>;
  /** Series were forced out by a bound: an unknown one may be an old one until the next restart (D9). */
  readonly forgot: boolean;
  readonly series: ReadonlyMap<string, SeriesState>;
  /**
   * Pending increments of series that cannot go on: a histogram's old bounds, a type that changed, a forgotten target.
   * Oldest first; each is gone once accepted.
   */
  readonly draining: readonly SeriesState[];
  /** Signs of several processes behind one address, on pages without a start time (D8). */
  readonly flips: Flips;
  /** Series that Dynatrace refused as malformed, sorted by key (D12). */
  readonly suspects: readonly Suspect[];
}

/**
 * The series of which a point is due, out of `candidates` and what drains: one point per series and tick, so a series
 * waits while an older form of it drains.
 */
export function duePoints(
  draining: readonly SeriesState[],
  candidates: readonly SeriesState[],
): readonly SeriesState[] {
  if (draining.length === 0) return candidates;
  const due = new Map<string, SeriesState>();
  for (const state of [...draining, ...candidates]) {
    if (!due.has(state.series.key)) due.set(state.series.key, state);
  }
  return [...due.values()];
}

/** What is pending is due whether or not there is a page (D4, D10). */
export function duePending(baseline: Baseline): readonly SeriesState[] {
  return duePoints(baseline.draining, [...baseline.series.values()].filter(owes));
}

/** Moves `base` for the series whose points were accepted; all others keep what they owe (D4). */
export function settle(baseline: Baseline, accepted: ReadonlySet<SeriesState>, tickMs: number): Baseline {
  if (accepted.size === 0) return baseline;
  const settled = (state: SeriesState): SeriesState =>
    accepted.has(state) ? settleSeries(state, tickMs) : state;
  const series = new Map<string, SeriesState>();
  for (const [key, state] of baseline.series) series.set(key, settled(state));
  for (const drained of baseline.draining) {
    const next = accepted.has(drained) ? series.get(drained.series.key) : undefined;
    // Windows touch (D3): what follows the drained point begins where that one ended.
    if (next !== undefined) series.set(next.series.key, { ...next, windowStartMs: tickMs });
  }
  return { ...baseline, series, draining: baseline.draining.map(settled).filter(owes) };
}

/** What is owed is given up, after its target vanished for too long: how many series that is, and what remains. */
export function giveUp(baseline: Baseline): { readonly baseline: Baseline; readonly series: number } {
  const { series } = owed(baseline);
  const all = new Set([...baseline.series.values(), ...baseline.draining]);
  return { baseline: settle(baseline, all, baseline.tickMs), series };
}

/** Adds what a series owes that cannot go on; the same form of it twice is one. */
export function drain(draining: SeriesState[], state: SeriesState): void {
  if (!owes(state)) return;
  const at = draining.findIndex(
    ({ series, kind, bounds }) =>
      series.key === state.series.key && kind === state.kind && bounds.join() === state.bounds.join(),
  );
  if (at < 0) draining.push(state);
  else draining[at] = mergeOwed(draining[at] as SeriesState, state);
}

/** Series with something pending, and the start of the oldest window that is still owed. */
export function owed(baseline: Baseline): { readonly series: number; readonly sinceMs: number | undefined } {
  let series = 0;
  let sinceMs: number | undefined;
  for (const states of [baseline.series.values(), baseline.draining]) {
    for (const state of states) {
      if (!owes(state)) continue;
      series++;
      sinceMs = Math.min(sinceMs ?? state.windowStartMs, state.windowStartMs);
    }
  }
  return { series, sinceMs };
}
