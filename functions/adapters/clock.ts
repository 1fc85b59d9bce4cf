/** The host's clocks. Nothing else in functions/ reads them. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../core/ports.ts';

/** The longest delay a Node timer can count; beyond it a timer fires at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Wall time since the epoch and time since the process began, both in whole milliseconds. */
export const systemClock: Clock = {
  wallMs: () => Math.round(Date.now()),
  monotonicMs: () => Math.floor(performance.now()),
};

/** Resolves after `ms`, or as soon as `signal` aborts. Never rejects. */
export async function sleepMs(ms: number, signal?: AbortSignal): Promise<void> {
  const options = signal === undefined ? {} : { signal };
  // The only rejection of this promise is the abort, which here just means waking up.
  await delay(Math.min(Math.max(ms, 0), MAX_TIMER_MS), undefined, options).catch(() => undefined);
}

/**
 * Aborts at `deadlineMs` on the monotonic clock, already aborted when that has passed. Its timer does not
 * keep the process alive.
 */
export function signalAt(clock: Clock, deadlineMs: number): AbortSignal {
  const remainingMs = deadlineMs - clock.monotonicMs();
  return remainingMs > 0 ? AbortSignal.timeout(Math.min(remainingMs, MAX_TIMER_MS)) : AbortSignal.abort();
}
