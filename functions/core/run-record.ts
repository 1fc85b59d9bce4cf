/** What a run leaves in its shard's item for people: `status` shows it, no run reads it. */

export interface RunRecord {
  /** Scraped, and how many of them answered. */
  readonly targets: number;
  readonly up: number;
  readonly pointsSent: number;
  readonly pendingSeries: number;
  /** The worst of what became of the run's bodies, as `lastOutcome` of a target; absent where nothing was posted. */
  readonly outcome?: string;
  /** Whether Dynatrace took any of them. */
  readonly accepted: boolean;
  /** Targets whose own item does not tell of this run, since it was not written, and why. */
  readonly unwritten: readonly Unwritten[];
}

export interface Unwritten {
  readonly key: string;
  readonly problem: string;
}

/** Targets named as unwritten: enough to see what is wrong, and a fraction of the item. */
export const MAX_UNWRITTEN = 20;
