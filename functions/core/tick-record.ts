/** What dispatch leaves in the table of each tick, for people: `status` shows it, nothing that is sent hangs on it. */

export type TickRecord = {
  readonly tickMs: number;
  /** Where the parameters are: remedies name them. */
  readonly prefix: string;
} & (
  | PlannedTick
  /** SSM did not answer: what stood there before is still the latest of targets and documents. */
  | { readonly code: 'documents_unread'; readonly message: string }
);

interface PlannedTick {
  readonly code: 'planned';
  readonly documents: number;
  readonly invalid: readonly InvalidDocument[];
  /** What kept a target from being planned or a message from being sent: `<event>: <message>`. */
  readonly problems: readonly string[];
  /** Of all targets that the documents name, due or not. */
  readonly keys: readonly string[];
  /** False: some targets may only not have been found, and do not count as vanished. */
  readonly complete: boolean;
  /** Whether work went out to the shards. */
  readonly sent: boolean;
}

/** One mistake in one document. */
export interface InvalidDocument {
  readonly document: string;
  readonly line?: number;
  readonly column?: number;
  readonly message: string;
  /** Its last good version; absent: nothing of it is in force. */
  readonly versionInForce?: number;
}

/** Mistakes and problems kept of a tick: who mends the first twenty reads the next. The log has all of them. */
export const MAX_RECORDED_PROBLEMS = 20;
