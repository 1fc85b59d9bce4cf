/**
 * The outside world as the pipeline sees it: plain function types. Lambda, the laptop, the tests and the simulation
 * each bring their own; no port throws for what the world did.
 */
import type { Caution } from './caution.ts';
import type { Attributes, Target } from './model.ts';
import type { SelfFacts } from './self-facts.ts';
import type { CommitOutcome, ExportOutcome, ScrapeFailureCode } from './outcome.ts';
import type { RunRecord } from './run-record.ts';

/** Wall time for what others read, monotonic time for durations and deadlines; both integer milliseconds. */
export interface Clock {
  readonly wallMs: () => number;
  readonly monotonicMs: () => number;
}

/** A page as it came, or why there is none. */
export type ScrapeResult =
  | {
      readonly code: 'page';
      /** After gunzip. */
      readonly body: Uint8Array;
      /** The path that answered 200: `/v1/metrics` or `/metrics` where none is configured. */
      readonly path: string;
      /** Whether HTTP told where the page ends, by its length or by chunks; else it may have been cut. */
      readonly complete: boolean;
      /** The response's `Date`, on the target's own clock. */
      readonly dateMs?: number;
    }
  | {
      readonly code: ScrapeFailureCode;
      readonly message: string;
      /** Of `status`, where one path was asked. */
      readonly status?: number;
    };

/** GETs one target's page. `deadlineMs` is on the monotonic clock; the target's own timeout may end it sooner. */
export type Scrape = (target: Target, deadlineMs: number) => Promise<ScrapeResult>;

/** POSTs one OTLP protobuf body, retrying within `deadlineMs` (monotonic) what was surely not accepted. */
export type Export = (body: Uint8Array, deadlineMs: number) => Promise<ExportOutcome>;

/**
 * The state item of one target. Everything but `baseline` is for people (the console, `status`) and for draining;
 * the pipeline reads `version`, `baseline` and `pendingSinceMs` only.
 */
export interface TargetItem {
  readonly key: string;
  readonly job: string;
  readonly instance: string;
  readonly url: string;
  /** Of the job (`dynatrace: attributes:`), so that what is owed can be sent without it; absent if there are none. */
  readonly attributes?: Attributes;
  readonly up: boolean;
  readonly samples: number;
  /** Rises by one with each write; absent before the first. The write's condition. */
  readonly version: number;
  /** The run that wrote it: a condition that failed on our own write is no conflict. */
  readonly writer: string;
  /** Tick of the run that wrote it, whatever the scrape came to; with the interval: when the next one is due. */
  readonly runTickMs?: number;
  readonly intervalMs?: number;
  /** Tick of the last committed successful scrape. */
  readonly lastTickMs?: number;
  readonly lastScrapeAtMs?: number;
  /** How long the last scrape took, also one that failed. */
  readonly scrapeDurationMs?: number;
  readonly lastError?: string;
  readonly lastExportAtMs?: number;
  readonly lastOutcome?: string;
  /** Start of the oldest window not accepted yet; absent when nothing is pending. */
  readonly pendingSinceMs?: number;
  /** Series with something pending; absent when nothing is. */
  readonly pendingSeries?: number;
  /** When DynamoDB may clear the item away (TTL); absent: never. */
  readonly expiresAtMs?: number;
  /** JSON of what the job's `dynatrace:` options say of names; absent: the defaults. */
  readonly output?: string;
  /** Canonical bytes of core/baseline; absent until the first successful scrape. */
  readonly baseline?: Uint8Array;
}

/** Found, absent and unread are three answers: an unread target is skipped, never taken for a new one. */
export type LoadedItem =
  | { readonly code: 'found'; readonly item: TargetItem }
  | { readonly code: 'absent' }
  | { readonly code: 'unread'; readonly message: string }
  | { readonly code: 'unreadable'; readonly message: string };

/** The shard's own item, taken before anything else (D2): no run exports without it. */
export type Claim =
  | {
      readonly code: 'claimed';
      /** Runs in a row, just before this one, that never came to their end: any of their commits may be missing. */
      readonly unended: number;
      readonly caution: Caution;
      /** Targets whose commit failed in the run before: written successfully before their deltas leave again. */
      readonly uncommitted: readonly string[];
      /** What the last run that ended counted of itself (core/self-facts). */
      readonly self?: SelfFacts;
    }
  /** A doubled or late message: a run of this tick or a later one has begun. */
  | { readonly code: 'not_newer'; readonly tickMs: number }
  | { readonly code: 'failed'; readonly message: string };

/** What a run leaves to the next. */
export interface Legacy {
  /** Targets whose commit failed. */
  readonly uncommitted: readonly string[];
  readonly caution: Caution;
  /** What it counted of itself; absent where nothing is said of that. */
  readonly self?: SelfFacts;
  /** What came of the run, for people; the next run does not read it. */
  readonly run?: RunRecord;
}

export interface State {
  /** Writes `{tick, writer}` on the condition that the stored tick is older. */
  readonly claim: (shard: number, tickMs: number, writer: string, deadlineMs: number) => Promise<Claim>;
  /** Strongly consistent; answers for every key. */
  readonly load: (keys: readonly string[], deadlineMs: number) => Promise<ReadonlyMap<string, LoadedItem>>;
  /** Whether the packed baseline, and with it the item, stays below the size limit of one item. */
  readonly fits: (baseline: Uint8Array) => boolean;
  /** Writes the item on the condition that the stored version is `item.version - 1` (0: that there is none). */
  readonly commit: (item: TargetItem, deadlineMs: number) => Promise<CommitOutcome>;
  /** Marks the claim as ended, and leaves to the next run what it has to know. */
  readonly end: (
    shard: number,
    tickMs: number,
    writer: string,
    legacy: Legacy,
    deadlineMs: number,
  ) => Promise<CommitOutcome>;
}

export interface Ports {
  readonly clock: Clock;
  readonly scrape: Scrape;
  readonly export: Export;
  readonly state: State;
}
