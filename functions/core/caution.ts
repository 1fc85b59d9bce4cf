/**
 * What a shard remembers of lost answers (D2). A body whose answer is lost may have been accepted, and goes out again:
 * that doubles it at most once per lost answer, and it must not become a habit. So after one, a body of gauges goes
 * first, harmless to double, and deltas follow only once it was answered; after several in a row the bodies shrink and
 * the deltas wait.
 */
import { MAX_BODY_POINTS } from './dynatrace.ts';

export interface Caution {
  /** Unknown outcomes in a row. */
  readonly unknowns: number;
  /** Runs in which deltas still wait. */
  readonly waitTicks: number;
}

export const NO_CAUTION: Caution = { unknowns: 0, waitTicks: 0 };

/** Deltas wait this many ticks at most, about an hour. */
export const MAX_WAIT_TICKS = 64;
/** Beyond this many the bodies have long held a single series. */
const MAX_UNKNOWNS = 32;

/** A run that never ended may have died between the answer and the commit: its outcome is unknown as well. */
export function cautionAtStart(stored: Caution, unendedRuns: number): Caution {
  let caution = stored;
  for (let i = 0; i < Math.min(unendedRuns, MAX_UNKNOWNS); i++) caution = raise(caution);
  return caution;
}

/** What the run's end leaves to the next: more after an unknown outcome, nothing after deltas were answered. */
export function cautionAtEnd(caution: Caution, deltas: 'answered' | 'unknown' | 'not_sent'): Caution {
  if (deltas === 'answered') return NO_CAUTION;
  if (deltas === 'unknown') return raise(caution);
  return { ...caution, waitTicks: Math.max(0, caution.waitTicks - 1) };
}

function raise({ unknowns }: Caution): Caution {
  const raised = Math.min(unknowns + 1, MAX_UNKNOWNS);
  return { unknowns: raised, waitTicks: Math.min(2 ** (raised - 1) - 1, MAX_WAIT_TICKS) };
}

/** Points of one body: halved once per unknown outcome in a row. */
export function maxBodyPoints({ unknowns }: Caution): number {
  return Math.max(1, Math.floor(MAX_BODY_POINTS / 2 ** unknowns));
}
