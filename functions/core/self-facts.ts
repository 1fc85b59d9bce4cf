/** What a run counted of itself, as it stands in the shard's item until the next run sends it. */

/** One count that waits to be sent. */
export interface SelfCount {
  readonly name: CountName;
  readonly reason?: string;
  readonly value: number;
  /** Tick of the first run that it counts: the start of its window. */
  readonly sinceMs: number;
}

/** What a run leaves to the next. */
export interface SelfFacts {
  readonly counts: readonly SelfCount[];
  readonly pendingPoints: number;
  readonly pendingSinceMs?: number;
  readonly exportDurationMs: number;
  readonly exportBytes: number;
  readonly seriesTracked: number;
}

/** Names behind `nim_to_dynatrace.`. */
export const COUNTS = {
  'points.sent': { unit: '{point}', about: 'Points that Dynatrace accepted' },
  'points.dropped': { unit: '{point}', about: 'Series and samples that were not sent, by reason' },
  'points.rejected': {
    unit: '{point}',
    about: 'Points that Dynatrace rejected in partial successes, by reason',
  },
  'exports.unknown': { unit: '{request}', about: 'Bodies whose answer was lost' },
  catch_up: { unit: '{target}', about: 'Targets whose gap was filled' },
} as const;
type CountName = keyof typeof COUNTS;

/** As they stand in the shard's item; undefined where they are not as this release writes them. */
export function readSelfFacts(text: string): SelfFacts | undefined {
  let facts: Partial<SelfFacts> | null;
  try {
    facts = JSON.parse(text) as Partial<SelfFacts> | null;
  } catch {
    return undefined;
  }
  const numbers = [facts?.pendingPoints, facts?.exportDurationMs, facts?.exportBytes, facts?.seriesTracked];
  const isWhole =
    numbers.every(Number.isFinite) &&
    Array.isArray(facts?.counts) &&
    facts.counts.every(
      (count: Partial<SelfCount> | null) =>
        Object.hasOwn(COUNTS, count?.name ?? '') &&
        Number.isFinite(count?.value) &&
        Number.isFinite(count?.sinceMs),
    );
  return isWhole ? (facts as SelfFacts) : undefined;
}
