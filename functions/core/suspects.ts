/**
 * Series that Dynatrace will not have (D12): refused as malformed while the rest of their body was accepted. They stay
 * pending, travel in bodies of their own, and are tried again with growing pauses; what is accepted is cleared.
 */
export interface Suspect {
  /** Key of the series, gauges included. */
  readonly key: string;
  /** How often it was refused. */
  readonly tries: number;
  /** Not tried again before this tick. */
  readonly untilTickMs: number;
}

/** Intervals between two tries at most, about an hour. */
export const MAX_PAUSE_INTERVALS = 64;
/** Suspects kept per target; beyond it the ones refused least often are tried like all others again. */
export const MAX_SUSPECTS = 1_000;

/** The suspects of a target by key: which of them may be tried at this tick. */
export function suspectsAt(
  suspects: readonly Suspect[],
  tickMs: number,
): ReadonlyMap<string, 'due' | 'paused'> {
  return new Map(suspects.map(({ key, untilTickMs }) => [key, untilTickMs <= tickMs ? 'due' : 'paused']));
}

/** Suspects after a run in which `refused` were refused and `cleared` were accepted. */
export function nextSuspects(
  suspects: readonly Suspect[],
  refused: ReadonlySet<string>,
  cleared: ReadonlySet<string>,
  tickMs: number,
  intervalMs: number,
): readonly Suspect[] {
  if (refused.size === 0 && cleared.size === 0) return suspects;
  const next = new Map(suspects.filter(({ key }) => !cleared.has(key)).map((one) => [one.key, one]));
  for (const key of refused) {
    const tries = (next.get(key)?.tries ?? 0) + 1;
    const pause = Math.min(2 ** tries, MAX_PAUSE_INTERVALS);
    next.set(key, { key, tries, untilTickMs: tickMs + pause * intervalMs });
  }
  const sorted = [...next.values()].sort((a, b) => b.tries - a.tries || (a.key < b.key ? -1 : 1));
  return sorted.slice(0, MAX_SUSPECTS).sort((a, b) => (a.key < b.key ? -1 : 1));
}
