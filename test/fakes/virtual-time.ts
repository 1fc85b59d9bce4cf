/** Time that stands still while anyone has something to do, then jumps to the next one who sleeps. */
import { strict as assert } from 'node:assert';
import type { Clock } from '../../functions/core/ports.ts';

/** Second 0 of every world. */
export const T0_MS = Date.parse('2026-01-01T00:00:00Z');
/** What the monotonic clock shows at second 0: not the same as the wall's. */
const START_MS = 5_000;

export interface VirtualTime {
  readonly clock: Clock;
  /** To this moment on the wall, never back. */
  readonly advanceTo: (wallMs: number) => void;
  readonly sleepUntil: (monotonicMs: number) => Promise<void>;
  /** Until nobody sleeps any more. */
  readonly idle: () => Promise<void>;
}

export function createVirtualTime(): VirtualTime {
  const sleepers: { readonly atMs: number; readonly wake: () => void }[] = [];
  let nowMs = START_MS;
  const wakeNext = (): void => {
    sleepers.sort((a, b) => a.atMs - b.atMs);
    const next = sleepers.shift();
    assert(next !== undefined);
    nowMs = Math.max(nowMs, next.atMs);
    next.wake();
    if (sleepers.length > 0) setImmediate(wakeNext);
  };
  return {
    clock: { monotonicMs: () => nowMs, wallMs: () => T0_MS + nowMs - START_MS },
    advanceTo: (wallMs) => {
      nowMs = Math.max(nowMs, START_MS + wallMs - T0_MS);
    },
    sleepUntil: (atMs) =>
      new Promise((wake) => {
        if (sleepers.push({ atMs, wake }) === 1) setImmediate(wakeNext);
      }),
    idle: async () => {
      while (sleepers.length > 0) await new Promise((resolve) => setImmediate(resolve));
    },
  };
}
