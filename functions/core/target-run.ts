/** One target's way through a run: what was known of it, what became of it, what is written back. */
import { type Baseline, owed, settle } from './baseline.ts';
import { decodeBaseline, encodeBaseline } from './baseline-format.ts';
import { FLIP_MESSAGE } from './flips.ts';
import type { Target } from './model.ts';
import type { Refused } from './exposition.ts';
import { assert, unreachable } from './outcome.ts';
import type { Memory } from './point-names.ts';
import type { Sendable } from './points.ts';
import type { LoadedItem, TargetItem } from './ports.ts';
import type { SeriesState } from './series-state.ts';
import { nextSuspects, suspectsAt } from './suspects.ts';
import { writeOutput } from './output-text.ts';
import { DEFAULT_PATHS, targetOfItem, urlOf } from './targets.ts';
import type { ShardWork } from './work.ts';

/** An item with something pending outlives its staleness by this: only code gives increments up, never TTL (D4). */
export const PENDING_GRACE_MS = 7 * 24 * 3_600_000;

/** What stands in the item of a target that is no longer scraped. */
const VANISHED = 'vanished: no document names this target any more';
const FLIPPED = `replica_flip: ${FLIP_MESSAGE}`;

const NOTHING_OWED = { series: 0, sinceMs: undefined } as const;

/** Filled in stage by stage. */
export interface TargetRun {
  readonly target: Target;
  /** As it was loaded; absent for a new target. */
  readonly item: TargetItem | undefined;
  up: boolean;
  samples: number;
  /** Absent where nothing was scraped. */
  scrapeDurationMs: number | undefined;
  /** `<code>: <message>` of what went wrong. */
  error: string | undefined;
  /** Lines of the page that could not be read. */
  refused: Refused | undefined;
  /** The first of what Dynatrace could not tell apart, in words. */
  collision: string | undefined;
  /** Another process answered than before (D8). */
  flipped: boolean;
  /** No document names it any more: it is not scraped, only what it owes is sent (D4). */
  readonly vanished: boolean;
  /** Left alone in this run: its state was not to be had. */
  skipped: boolean;
  /** Its last commit failed and it could not be written since: no delta of it leaves (D2). */
  held: boolean;
  baseline: Baseline | undefined;
  sendables: readonly Sendable[];
  /** Series of which nothing is owed any more: accepted, or dropped by us. */
  readonly settled: Set<SeriesState>;
  /** Suspects at this tick, by key (D12); and of this run: those refused, those accepted after all. */
  readonly suspects: ReadonlyMap<string, 'due' | 'paused'>;
  readonly suspected: Set<string>;
  readonly cleared: Set<string>;
  /** Of the item as it stands in the store; 0: there is none. */
  version: number;
  lastOutcome: string | undefined;
  /** Why its item was not written at the run's end. */
  commitError: string | undefined;
}

/** What is known of a target. An unread or unreadable state is no new target: the target is left alone. */
export function beginRun(
  target: Target,
  loaded: LoadedItem | undefined,
  tickMs: number,
  memory: Memory,
): TargetRun {
  assert(loaded !== undefined, `the store answers for every key, also for ${target.key}`);
  switch (loaded.code) {
    case 'absent':
      return newRun(target, tickMs, undefined, undefined);
    case 'unread':
    case 'unreadable':
      return newRun(target, tickMs, undefined, undefined, `state_${loaded.code}: ${loaded.message}`);
    case 'found': {
      if (loaded.item.baseline === undefined) return newRun(target, tickMs, loaded.item, undefined);
      const decoded = decodeBaseline(loaded.item.baseline, memory.table);
      return decoded.code === 'baseline'
        ? newRun(target, tickMs, loaded.item, decoded.baseline)
        : newRun(target, tickMs, loaded.item, undefined, `state_unreadable: ${decoded.message}`);
    }
    default:
      return unreachable(loaded);
  }
}

/** A target that vanished: known by its item alone. Undefined where there is nothing to be had or done. */
export function beginDrain(
  loaded: LoadedItem | undefined,
  tickMs: number,
  memory: Memory,
): TargetRun | undefined {
  if (loaded?.code !== 'found') return undefined;
  const run = beginRun(targetOfItem(loaded.item), loaded, tickMs, memory);
  return run.skipped ? undefined : { ...run, vanished: true, samples: loaded.item.samples };
}

/** The product's own points travel as a target's do; there is no state behind them. */
export function beginSelf(target: Target, sendables: readonly Sendable[], tickMs: number): TargetRun {
  return { ...newRun(target, tickMs, undefined, undefined), sendables };
}

function newRun(
  target: Target,
  tickMs: number,
  item: TargetItem | undefined,
  baseline: Baseline | undefined,
  error?: string,
): TargetRun {
  return {
    target,
    item,
    up: false,
    samples: 0,
    scrapeDurationMs: undefined,
    error,
    refused: undefined,
    collision: undefined,
    flipped: false,
    vanished: false,
    skipped: error !== undefined,
    held: false,
    baseline,
    sendables: [],
    settled: new Set(),
    suspects: suspectsAt(baseline?.suspects ?? [], tickMs),
    suspected: new Set(),
    cleared: new Set(),
    version: item?.version ?? 0,
    lastOutcome: undefined,
    commitError: undefined,
  };
}

/** What is known of the target once the outcome of each of its bodies is. */
export function settledBaseline(run: TargetRun, tickMs: number): Baseline | undefined {
  const { baseline, target, settled, suspected, cleared } = run;
  if (baseline === undefined) return undefined;
  const suspects = nextSuspects(baseline.suspects, suspected, cleared, tickMs, target.intervalMs);
  return { ...settle(baseline, settled, tickMs), suspects };
}

/** The state item to write, with what a person wants to know of the target. */
export function itemOf(
  run: TargetRun,
  baseline: Baseline | undefined,
  work: Pick<ShardWork, 'tickMs' | 'writer' | 'maxStalenessMs'>,
  nowMs: number,
): TargetItem {
  const { target, item } = run;
  const { series, sinceMs } = baseline === undefined ? NOTHING_OWED : owed(baseline);
  const exported = run.lastOutcome === 'accepted' || run.lastOutcome === 'partial';
  return withoutAbsent({
    key: target.key,
    job: target.job,
    instance: target.instance,
    url: run.vanished && item !== undefined ? item.url : urlOf(target, target.path || DEFAULT_PATHS[0]),
    attributes: Object.keys(target.attributes).length === 0 ? undefined : target.attributes,
    up: run.up,
    samples: run.samples,
    version: run.version + 1,
    writer: work.writer,
    runTickMs: work.tickMs,
    intervalMs: target.intervalMs,
    lastTickMs: baseline?.tickMs,
    lastScrapeAtMs: baseline?.scrapedAtMs,
    scrapeDurationMs: run.scrapeDurationMs,
    lastError: run.vanished ? VANISHED : (run.error ?? (run.flipped ? FLIPPED : undefined)),
    lastExportAtMs: exported ? nowMs : item?.lastExportAtMs,
    lastOutcome: run.lastOutcome ?? item?.lastOutcome,
    output: writeOutput(target.output),
    pendingSinceMs: sinceMs,
    pendingSeries: series === 0 ? undefined : series,
    expiresAtMs: expiresAt(baseline?.tickMs, sinceMs !== undefined, work),
    baseline: baseline === undefined ? undefined : encodeBaseline(baseline),
  });
}

/** D9: last seen + max_staleness; while something is pending, days beyond this very write (D4). */
function expiresAt(
  seenMs: number | undefined,
  pending: boolean,
  { tickMs, maxStalenessMs }: Pick<ShardWork, 'tickMs' | 'maxStalenessMs'>,
): number | undefined {
  if (maxStalenessMs === 0) return undefined;
  return pending ? tickMs + maxStalenessMs + PENDING_GRACE_MS : (seenMs ?? tickMs) + maxStalenessMs;
}

type Partially<T> = { [K in keyof T]: T[K] | undefined };

function withoutAbsent(fields: Partially<Required<TargetItem>>): TargetItem {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as unknown as TargetItem;
}
