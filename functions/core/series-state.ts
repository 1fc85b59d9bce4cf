/**
 * The state of one cumulative series (D4) and the four moves it can make. Increments are never computed from a page:
 * a page moves `last`, an accepted body moves `base`, and what lies between is pending.
 */
import type { CumulativeKind, Series } from './model.ts';
import { assert } from './outcome.ts';

/** One cumulative series, as committed. */
export interface SeriesState {
  readonly series: Series;
  readonly kind: CumulativeKind;
  /** Upper bounds of a histogram; empty for the others. */
  readonly bounds: readonly number[];
  /**
   * Raw values last committed: `[value]` of a counter, `[sum, count]` of a summary, `[sum, bucket, bucket, ...]` of a
   * histogram, buckets not cumulative, one more than bounds.
   */
  readonly last: readonly number[];
  /** Raw values up to which Dynatrace has accepted; absent: `last`. */
  readonly base?: readonly number[];
  /** Unaccepted increments of earlier process lives; absent: none. */
  readonly carry?: readonly number[];
  /** End of the series' previous window, the start of its next (D3). */
  readonly windowStartMs: number;
}

/** The same process goes on: `last` follows. A fall within the tolerance of D7 is no fall. */
export function grow(state: SeriesState, values: readonly number[]): SeriesState {
  assert(values.length === state.last.length, 'a series keeps its number of values');
  const last = values.map((value, i) => (isSum(state, i) ? value : Math.max(value, state.last[i] as number)));
  return canonical({ ...state, last, base: state.base ?? state.last });
}

/** A new process life: everything counted since is increase, and what was owed before it is carried (D4, D7). */
export function restart(state: SeriesState, values: readonly number[]): SeriesState {
  return canonical({ ...state, last: values, base: zeros(values), carry: increase(state) });
}

/** A baseline only: what was pending stays pending, nothing of this page is (D8). */
export function rebase(state: SeriesState, values: readonly number[], tickMs: number): SeriesState {
  const windowStartMs = isPending(state) ? state.windowStartMs : tickMs;
  return canonical({ ...state, last: values, base: values, carry: increase(state), windowStartMs });
}

/** Dynatrace has the increase up to here. A fall stays owed (D2), but for one beyond all numbers. */
export function settleSeries(state: SeriesState, tickMs: number): SeriesState {
  const owed = increase(state);
  const base = state.last.map((last, i) => {
    const fall = Math.min(0, owed[i] as number);
    return Number.isFinite(fall) ? last - fall : last;
  });
  const { series, kind, bounds, last } = state;
  return canonical({ series, kind, bounds, last, base, windowStartMs: tickMs });
}

/** The state of a series that is seen for the first time, counted from `base` (zeros: all of it is increase). */
export function firstState(
  series: Series,
  kind: CumulativeKind,
  bounds: readonly number[],
  last: readonly number[],
  base: readonly number[],
  windowStartMs: number,
): SeriesState {
  return canonical({ series, kind, bounds, last, base, windowStartMs });
}

/** A target that was forgotten and came back begins anew, but what its series owed is owed (D9). */
export function inherit(next: SeriesState, owing: SeriesState): SeriesState {
  if (!owes(owing)) return next;
  return canonical({ ...next, carry: increase(owing), windowStartMs: owing.windowStartMs });
}

/** Two states of one series that cannot go on, as one. */
export function mergeOwed(older: SeriesState, newer: SeriesState): SeriesState {
  const added = increase(newer);
  return canonical({
    ...older,
    carry: (older.carry ?? zeros(added)).map((value, i) => value + (added[i] as number)),
  });
}

/** Whether there is anything to send: a sum that fell is owed to us, so to speak. */
export function owes(state: SeriesState): boolean {
  return isPending(state) && increase(state).some((value) => value > 0);
}

export function isPending(state: SeriesState): boolean {
  return state.base !== undefined || state.carry !== undefined;
}

/** carry + last - base, value by value. */
export function increase({ last, base, carry }: SeriesState): readonly number[] {
  return last.map((value, i) => value - (base?.[i] ?? value) + (carry?.[i] ?? 0));
}

/**
 * What a point of this series says: what is pending, never below zero (D2). A sum of observations can fall without a
 * restart where observations are negative; what it fell by stays pending until it has risen again.
 */
export function sendableIncrease(state: SeriesState): readonly number[] {
  return increase(state).map((value) => Math.max(0, value));
}

export function zeros(values: readonly number[]): readonly number[] {
  return values.map(() => 0);
}

/** Whether value `i` is a sum of observations, which says nothing about restarts. */
export function isSum(state: { readonly kind: CumulativeKind }, i: number): boolean {
  return i === 0 && state.kind !== 'counter';
}

/** Equal states have one form: a base equal to `last` and a carry of zeros are not stored. */
function canonical(state: SeriesState): SeriesState {
  const { series, kind, bounds, last, base, carry, windowStartMs } = state;
  return {
    series,
    kind,
    bounds,
    last,
    ...(base === undefined || base.every((value, i) => value === last[i]) ? {} : { base }),
    ...(carry === undefined || carry.every((value) => value === 0) ? {} : { carry }),
    windowStartMs,
  };
}
