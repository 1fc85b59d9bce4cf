/** A value with a memory: an old one is better than none while its store does not answer. */
import type { Clock } from '../core/ports.ts';

/** A single value of a store. */
export type ParameterValue =
  /** Trimmed, never empty. With `problem`: reading failed just now and this is the value known from before. */
  | { readonly code: 'read'; readonly value: string; readonly problem?: string }
  /** There is no such thing, or nothing but white space in it. */
  | { readonly code: 'absent' }
  | { readonly code: 'failed'; readonly message: string };

/** `fresh` asks the store itself, whatever is remembered. */
export type Reader = (fresh: boolean) => Promise<ParameterValue>;

/** A token changes rarely, and a refused one is read again at once (`fresh`). */
export const TOKEN_MAX_AGE_MS = 5 * 60_000;

/** One small read with the SDK's own retries; a run has 70 s for everything. */
export const READ_TIMEOUT_MS = 5_000;

/** Reads what is older than `maxAgeMs`. */
export function createReader(clock: Clock, maxAgeMs: number, read: () => Promise<ParameterValue>): Reader {
  let known: { readonly value: string; readonly readAtMs: number } | undefined;
  return async (fresh) => {
    // Wall time, since a frozen sandbox may stop the other clock; a step backwards counts as old.
    const ageMs = known === undefined ? Infinity : clock.wallMs() - known.readAtMs;
    if (known !== undefined && !fresh && ageMs >= 0 && ageMs < maxAgeMs) {
      return { code: 'read', value: known.value };
    }
    const answer = await read();
    switch (answer.code) {
      case 'read':
        known = { value: answer.value, readAtMs: clock.wallMs() };
        return answer;
      case 'absent':
        known = undefined;
        return answer;
      case 'failed':
        return known === undefined ? answer : { code: 'read', value: known.value, problem: answer.message };
    }
  };
}
