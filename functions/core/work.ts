/** From targets to the work of shards: what dispatch puts on the queue and the scrape function takes off it. */
import type { Target } from './model.ts';

/** One shard's work at one tick: the content of a queue message, and the run's own facts. */
export interface ShardWork {
  readonly tickMs: number;
  readonly shard: number;
  readonly targets: readonly Target[];
  /** Keys of targets that no document names any more and that still owe: loaded and sent, not scraped (D4). */
  readonly drains: readonly string[];
  /** 0: never stale. */
  readonly maxStalenessMs: number;
  /** Unique to this run: tells its own writes from another's. */
  readonly writer: string;
  /** On the monotonic clock; nothing is posted or written after it. */
  readonly deadlineMs: number;
  /** Whether the shard sends what it counts of itself as well. */
  readonly selfMetrics?: boolean;
}

/** What travels in the queue: everything the worker needs but secrets and its own facts. */
export interface ShardMessage {
  readonly tickMs: number;
  readonly shards: number;
  readonly shard: number;
  readonly targets: readonly Target[];
  readonly drains: readonly string[];
}

export const MESSAGE_VERSION = 4;
/** Targets of one shard: what one run scrapes, sends and commits with time to spare. There is one shard so far. */
export const MAX_SHARD_TARGETS = 150;
/** Vanished targets drained at once: beside a full shard, with keys of 2 KB, they fit one queue message. */
export const MAX_DRAINS = 50;
/** A message older than this is dropped: the ticks behind it carry everything it would have. */
export const MAX_MESSAGE_AGE_MS = 120_000;

/** What there is to do at one tick. */
export interface TickPlan {
  readonly tickMs: number;
  /** When the schedule fired before, or would have; absent: everything is due. */
  readonly previousTickMs?: number;
  /** The schedule's interval: a shorter one of a job is raised to it, and such a job is due at every tick. */
  readonly tickIntervalMs: number;
  /** All that the documents name, due or not. */
  readonly targets: readonly Target[];
  /** Keys of all items with something pending, oldest first; none where the list of targets may not be whole. */
  readonly owing: readonly string[];
}

export interface ShardPlan {
  readonly messages: readonly ShardMessage[];
  readonly problems: readonly string[];
}

/**
 * One message for the one shard, none if there is nothing to do. Targets past the bound are named, not scraped; which
 * ones does not change by tick. Those of `owing` that no document names are drained, a shard full of them at a time.
 */
export function planShards(plan: TickPlan): ShardPlan {
  const { tickMs, previousTickMs, tickIntervalMs, targets, owing } = plan;
  const sorted = [...targets].sort((a, b) => (a.key < b.key ? -1 : 1));
  const over = sorted.length - MAX_SHARD_TARGETS;
  const problems =
    over <= 0
      ? []
      : [
          `cannot scrape ${over} of ${sorted.length} targets: one deployment scrapes up to ${MAX_SHARD_TARGETS}; ` +
            'remove targets, or deploy a second stack with its own parameter prefix',
        ];
  const known = new Set(targets.map((target) => target.key));
  const drains = owing.filter((key) => !known.has(key)).slice(0, MAX_DRAINS);
  const due = sorted
    .slice(0, MAX_SHARD_TARGETS)
    .filter(({ intervalMs }) => intervalMs <= tickIntervalMs || isDue(intervalMs, previousTickMs, tickMs))
    .map((target) => ({ ...target, intervalMs: Math.max(target.intervalMs, tickIntervalMs) }));
  const message: ShardMessage = { tickMs, shards: 1, shard: 0, targets: due, drains };
  return { messages: due.length + drains.length === 0 ? [] : [message], problems };
}

/** Whether the interval's grid has a point after the previous tick, up to this one. */
export function isDue(intervalMs: number, previousTickMs: number | undefined, tickMs: number): boolean {
  if (previousTickMs === undefined) return true;
  return Math.floor(tickMs / intervalMs) > Math.floor(previousTickMs / intervalMs);
}

/** Settings of a job are written once, not with each of its targets: rules and certificates are long. */
export function writeMessage({ targets, ...message }: ShardMessage): string {
  const settings = new Map<string, number>();
  const written = targets.map((target) => {
    const [own, shared] = splitSettings(target);
    const text = JSON.stringify(shared);
    const index = settings.get(text) ?? settings.size;
    settings.set(text, index);
    return { ...own, settings: index };
  });
  const head = JSON.stringify({ version: MESSAGE_VERSION, ...message, targets: written });
  return `${head.slice(0, -1)},"settings":[${[...settings.keys()].join(',')}]}`;
}

function splitSettings(target: Target): readonly [own: object, shared: object] {
  const { key, job, instance, scheme, address, path, params, labels, intervalMs, timeoutMs, ...shared } =
    target;
  const { attributes, ...rest } = shared;
  const own = { key, job, instance, scheme, address, path, params, labels, intervalMs, timeoutMs };
  // Each pod has others: with them its settings would be its own, too.
  return [{ ...own, attributes }, rest];
}

/** The same tick, plan and shard is the same message: the queue drops the second within five minutes. */
export function deduplicationId({ tickMs, shards, shard }: ShardMessage): string {
  return `${tickMs}-${shards}-${shard}`;
}

export type ReadMessage =
  | { readonly code: 'message'; readonly message: ShardMessage }
  | { readonly code: 'malformed'; readonly message: string };

/** Reads a message's JSON value. Dispatch and worker are deployed together, but a message may be older than a deploy. */
export function readMessage(value: unknown): ReadMessage {
  const message = value as (Partial<ShardMessage> & { version?: unknown; settings?: unknown }) | null;
  if (typeof message !== 'object' || message === null || message.version !== MESSAGE_VERSION) {
    return malformed(`its version is not ${MESSAGE_VERSION}`);
  }
  const { tickMs, shards, shard, targets, drains, settings } = message;
  if (!isCount(tickMs) || !isCount(shards) || !isCount(shard)) {
    return malformed('tick or shard is no whole number');
  }
  const read: readonly unknown[] = Array.isArray(targets) ? joined(targets, settings) : [undefined];
  if (read.length > MAX_SHARD_TARGETS || !read.every(isTarget)) {
    return malformed('its targets are not as dispatch writes them');
  }
  if (
    !Array.isArray(drains) ||
    drains.length > MAX_DRAINS ||
    !drains.every((key) => typeof key === 'string')
  ) {
    return malformed('its drains are not as dispatch writes them');
  }
  return { code: 'message', message: { tickMs, shards, shard, targets: read, drains } };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Each target with the settings to which it points. */
function joined(targets: readonly unknown[], settings: unknown): readonly unknown[] {
  const all = Array.isArray(settings) ? (settings as readonly unknown[]) : [];
  return targets.map((target) => {
    const { settings: index, ...own } = { ...(target as { settings?: number }) };
    return { ...(all[index ?? -1] as object | undefined), ...own };
  });
}

function isTarget(value: unknown): value is Target {
  const target = value as Partial<Target> | undefined;
  if (target === undefined) return false;
  const texts = [target.key, target.job, target.instance, target.address, target.path];
  const numbers = [target.intervalMs, target.timeoutMs, target.sampleLimit, target.bodySizeLimitBytes];
  const { params, labels, metricRelabelConfigs, httpHeaders, output } = target;
  const lists = [params, labels, metricRelabelConfigs, httpHeaders, output?.include, output?.exclude];
  return (
    texts.every((text) => typeof text === 'string') &&
    numbers.every((number) => typeof number === 'number' && number > 0) &&
    (target.scheme === 'http' || target.scheme === 'https') &&
    lists.every(Array.isArray) &&
    typeof target.attributes === 'object'
  );
}

function malformed(cause: string): ReadMessage {
  return {
    code: 'malformed',
    message: `cannot read the queue message: ${cause}; the next tick sends a new one`,
  };
}
