/** Whose page it is: an address that a pod has left may be another pod's before a list tells. */
import { START_SKEW_MS } from './delta.ts';
import type { Target } from './model.ts';
import type { NotTaken, ScrapedPage, Taken } from './take-in.ts';

/** A list older than this may be of a tick before: one that is new is read seconds before its pods are scraped. */
export const FRESH_LIST_MS = 30_000;

export interface NotItsPod {
  readonly code: 'another_process';
  readonly message: string;
}

/**
 * D11: a page is its pod's if its process was there when the pod was listed. What another one shows is counted under
 * that one's own name, and must not be counted twice. A container that restarted since then waits for the next list, a
 * tick as a rule. A whole page without a start time is taken, for nothing tells. `nowMs`: on the wall, when it came.
 */
export function ofItsPod(
  taken: Taken | NotTaken,
  { listedAtMs }: Pick<Target, 'listedAtMs'>,
  { complete, dateMs }: Pick<ScrapedPage, 'complete' | 'dateMs'>,
  nowMs: number,
): Taken | NotTaken | NotItsPod {
  if (taken.code !== 'taken' || listedAtMs === undefined) return taken;
  const { startMs } = taken.families;
  if (startMs === undefined) {
    const isCut = !complete && nowMs - listedAtMs > FRESH_LIST_MS;
    return isCut
      ? notIts('it was cut before it told when its process began, and the pod list is old')
      : taken;
  }
  // The server's own clock, by its Date: whole seconds, cut off, so that a start is rather taken for a later one.
  const beganMs = startMs - (dateMs === undefined ? 0 : dateMs - nowMs);
  // Nothing begins after its own page: such a start tells nothing.
  if (beganMs <= listedAtMs || beganMs > nowMs + START_SKEW_MS) return taken;
  return notIts('its process began after the pod was listed');
}

function notIts(cause: string): NotItsPod {
  return {
    code: 'another_process',
    message: `cannot tell whether this page is its pod's: ${cause}; the next list tells`,
  };
}
