/** A value with a memory: an old one is better than none while its store does not answer. */
import type { Clock } from '../core/ports.ts';

/** A single value of a store. */
export type ParameterValue =
  /** Trimmed, never empty. With `problem`: reading failed just now and this is the value known from before. */
  | { readonly code: 'read'; readonly value: string; readonly problem?: string }
  /** There is no such thing, or nothing but white space in it. */
  | { readonly code: 'absent' }
  | { readonly code: 'failed'; readonly message: string };

/** `fresh` asks the store itself, whatever is remembered. `deadlineMs` is on the monotonic clock. */
export type Reader = (fresh: boolean, deadlineMs: number) => Promise<ParameterValue>;

/** A token changes rarely, and a refused one is read again at once (`fresh`). */
export const TOKEN_MAX_AGE_MS = 5 * 60_000;

/** One small read with the SDK's own retries; a run has 70 s for everything, or less: its deadline ends it sooner. */
export const READ_TIMEOUT_MS = 5_000;

/** After a failed read the known value is in force for so long unasked: a store that hangs is waited for once a run. */
export const FAILED_PAUSE_MS = 30_000;

/** Reads what is older than `maxAgeMs`. */
export function createReader(
  clock: Clock,
  maxAgeMs: number,
  read: (deadlineMs: number) => Promise<ParameterValue>,
): Reader {
  let known: { readonly value: string; readonly readAtMs: number } | undefined;
  let failedAtMs = -Infinity;
  // Wall time, since a frozen sandbox may stop the other clock; a step backwards counts as old.
  const isWithin = (ms: number, sinceMs: number): boolean => {
    const ageMs = clock.wallMs() - sinceMs;
    return ageMs >= 0 && ageMs < ms;
  };
  return async (fresh, deadlineMs) => {
    const isInForce =
      known !== undefined &&
      !fresh &&
      (isWithin(maxAgeMs, known.readAtMs) || isWithin(FAILED_PAUSE_MS, failedAtMs));
    if (known !== undefined && isInForce) return { code: 'read', value: known.value };
    const answer = await read(deadlineMs);
    switch (answer.code) {
      case 'read':
        known = { value: answer.value, readAtMs: clock.wallMs() };
        return answer;
      case 'absent':
        known = undefined;
        return answer;
      case 'failed':
        failedAtMs = clock.wallMs();
        return known === undefined ? answer : { code: 'read', value: known.value, problem: answer.message };
    }
  };
}
