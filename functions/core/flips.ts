/**
 * D8 on pages without a start time: several processes behind one address show as counters that fall, stand at or above
 * their old value, and fall again. From then on no page is trusted until the values have been calm for a while. What
 * the first fall sent is not promised: it looked like a restart.
 */
import type { CumulativeReading } from './families.ts';
import { type SeriesState, isSum } from './series-state.ts';

/** A counter that fell. */
export interface Fall {
  readonly key: string;
  /** What it stood at before, without its fraction. */
  readonly from: number;
  readonly scrapesAgo: number;
  /** Whether it has stood at or above that since. */
  readonly rose: boolean;
}

export interface Flips {
  readonly falls: readonly Fall[];
  /** Committed scrapes without a fall still to pass before deltas are trusted again; 0: they are. */
  readonly distrust: number;
}

/** For people: what a flip means, and its cure. */
export const FLIP_MESSAGE =
  'cannot tell what one process counts: several answer on this address; name each replica, not their load balancer';

export const NO_FLIPS: Flips = { falls: [], distrust: 0 };

/** Two falls this close are no two restarts: a NIM takes minutes to load its model. */
export const MAX_FALL_DISTANCE = 3;
/** Falls remembered: counters of one process fall together, so a few stand for all. */
export const MAX_FALLS = 8;
/** Scrapes without a fall after which one process is believed in again. */
export const CALM_SCRAPES = 8;
/** D7: a fall by less than this part of the value is rounding by the page's writer. */
export const FALL_TOLERANCE = 1e-9;

/** What the values of a page say of the process that made it, and what is to be remembered. */
export function judgeValues(
  known: { readonly series: ReadonlyMap<string, SeriesState>; readonly flips: Flips },
  readings: readonly CumulativeReading[],
): { readonly flipped: boolean; readonly flips: Flips } {
  const totals = new Map<string, number>();
  const fallen = new Map<string, number>();
  for (const reading of readings) {
    const key = reading.series.key;
    totals.set(key, total(reading));
    // `_created` tells a restart of its series from another process: no need to guess by values.
    const state = reading.createdMs === undefined ? known.series.get(key) : undefined;
    if (state !== undefined && sameShape(state, reading) && fell(state, reading.values)) {
      fallen.set(key, total({ kind: state.kind, values: state.last }));
    }
  }
  const before = known.flips.falls
    .map((fall) => ({
      ...fall,
      scrapesAgo: fall.scrapesAgo + 1,
      rose: fall.rose || (totals.get(fall.key) ?? -1) >= fall.from,
    }))
    .filter(({ scrapesAgo }) => scrapesAgo <= MAX_FALL_DISTANCE);
  const again = before.some(({ key, rose }) => rose && fallen.has(key));
  const flipped = again || known.flips.distrust > 0;
  const distrust =
    again || (flipped && fallen.size > 0) ? CALM_SCRAPES : Math.max(0, known.flips.distrust - 1);
  const fresh = [...fallen].map(([key, from]) => ({ key, from: whole(from), scrapesAgo: 0, rose: false }));
  const falls = [...fresh, ...before.filter(({ key }) => !fallen.has(key))].slice(0, MAX_FALLS);
  return { flipped, flips: { falls, distrust } };
}

/** Values of another kind or with other bounds cannot be held against each other. */
export function sameShape(state: SeriesState, reading: CumulativeReading): boolean {
  if (state.kind !== reading.kind || state.bounds.length !== reading.bounds.length) return false;
  return state.bounds.every((bound, i) => bound === reading.bounds[i]);
}

/** D7, by value: a histogram's restart is decided by its buckets, hence its count, never by its sum. */
export function fell(state: SeriesState, values: readonly number[]): boolean {
  return values.some((value, i) => {
    const last = state.last[i] as number;
    return !isSum(state, i) && value < last - FALL_TOLERANCE * last;
  });
}

/** A counter's value, a distribution's count. */
function total({ kind, values }: Pick<CumulativeReading, 'kind' | 'values'>): number {
  return values.reduce((sum, value, i) => (isSum({ kind }, i) ? sum : sum + value), 0);
}

function whole(value: number): number {
  return Math.min(Math.floor(value), Number.MAX_SAFE_INTEGER);
}
