/** The store in memory, with the real conditions on tick, writer and version, and the ways in which one fails. */
import { NO_CAUTION } from '../../functions/core/caution.ts';
import type { CommitOutcome } from '../../functions/core/outcome.ts';
import type { Legacy, LoadedItem, State, TargetItem } from '../../functions/core/ports.ts';
import type { VirtualTime } from './virtual-time.ts';

/**
 * `lost`: it happened, but the answer never came. `hangs`: nothing happened until the deadline. `late`: nobody waited
 * for it any more when it happened after all.
 */
export type Fault = 'failed' | 'lost' | 'hangs' | 'late';

/** How long after its deadline a late write is carried out. */
const LATE_MS = 3_000;

export interface StoreScript {
  claim: (shard: number, tickMs: number) => Fault | undefined;
  load: (key: string) => 'unread' | 'unreadable' | undefined;
  fits: (baseline: Uint8Array) => boolean;
  /** `conflict`: somebody else writes the item first, its content unchanged. */
  commit: (item: TargetItem) => Fault | 'conflict' | undefined;
  end: () => Fault | undefined;
}

export interface Write {
  readonly item: TargetItem;
  readonly applied: boolean;
  readonly atMs: number;
}

export interface ShardItem {
  readonly tickMs: number;
  readonly writer: string;
  readonly legacy: Legacy;
  readonly unended: number;
}

export interface Store {
  readonly state: State;
  readonly items: Map<string, TargetItem>;
  readonly shards: Map<number, ShardItem>;
  /** Carries out what is late; every call does as well. */
  readonly catchUp: () => void;
}

export interface StoreDeps {
  readonly script: StoreScript;
  readonly time: VirtualTime;
  /** Told of every attempt to write an item. */
  readonly onWrite: (write: Write) => void;
  /** Told of every call. */
  readonly onCall?: (call: string) => void;
  /** Told of every claim that was carried out, and what it found; and of every end. */
  readonly onClaim?: (writer: string, before: ShardItem | undefined) => void;
  readonly onEnd?: (writer: string) => void;
}

export function createStore({ script, time, onWrite, onCall, onClaim, onEnd }: StoreDeps): Store {
  const items = new Map<string, TargetItem>();
  const shards = new Map<number, ShardItem>();
  const later: { readonly atMs: number; readonly apply: () => unknown }[] = [];
  const failed = (what: string) => ({ code: 'failed', message: `cannot ${what}: out of order` }) as const;
  const nowMs = time.clock.monotonicMs;

  const catchUp = (): void => {
    const due = later.filter(({ atMs }) => atMs <= nowMs());
    for (const one of due) {
      later.splice(later.indexOf(one), 1);
      one.apply();
    }
  };
  const begin = (call: string): void => {
    onCall?.(call);
    catchUp();
  };
  /** Carries `apply` out as the fault has it; undefined: there is no answer to give. */
  const carryOut = async <T>(
    fault: Fault | undefined,
    deadlineMs: number,
    apply: () => T,
  ): Promise<T | undefined> => {
    if (fault === 'late') later.push({ atMs: deadlineMs + LATE_MS, apply });
    if (fault === 'late' || fault === 'hangs') await time.sleepUntil(deadlineMs);
    if (fault === undefined || fault === 'lost') {
      const answer = apply();
      return fault === undefined ? answer : undefined;
    }
    return undefined;
  };

  const state: State = {
    claim: async (shard, tickMs, writer, deadlineMs) => {
      begin('claim');
      const answer = await carryOut(script.claim(shard, tickMs), deadlineMs, () => {
        const before = shards.get(shard);
        if (before !== undefined && before.tickMs >= tickMs)
          return { code: 'not_newer', tickMs: before.tickMs } as const;
        const legacy = before?.legacy ?? { uncommitted: [], caution: NO_CAUTION };
        const unended = before?.unended ?? 0;
        shards.set(shard, { tickMs, writer, legacy, unended: unended + 1 });
        onClaim?.(writer, before);
        return { code: 'claimed', unended, ...legacy } as const;
      });
      return answer ?? failed('claim');
    },
    load: (keys) => {
      begin('load');
      return Promise.resolve(new Map(keys.map((key) => [key, loadedItem(script.load(key), items.get(key))])));
    },
    fits: (baseline) => script.fits(baseline),
    commit: async (item, deadlineMs) => {
      begin(`commit ${item.instance}`);
      const fault = script.commit(item);
      const stored = items.get(item.key);
      if (fault === 'conflict' && stored !== undefined)
        items.set(item.key, { ...stored, version: stored.version + 1, writer: 'another' });
      const answer = await carryOut(fault === 'conflict' ? undefined : fault, deadlineMs, () =>
        write(items, item, nowMs(), onWrite),
      );
      if (answer === undefined && fault !== 'lost' && fault !== 'late')
        onWrite({ item, applied: false, atMs: nowMs() });
      return answer ?? failed('commit');
    },
    end: async (shard, tickMs, writer, legacy, deadlineMs) => {
      begin('end');
      const answer = await carryOut(script.end(), deadlineMs, (): CommitOutcome => {
        const claimed = shards.get(shard);
        if (claimed?.tickMs !== tickMs || claimed.writer !== writer) return { code: 'conflict' };
        shards.set(shard, { ...claimed, legacy, unended: 0 });
        onEnd?.(writer);
        return { code: 'committed' };
      });
      return answer ?? failed('end');
    },
  };
  return { state, items, shards, catchUp };
}

function write(
  items: Map<string, TargetItem>,
  item: TargetItem,
  atMs: number,
  onWrite: StoreDeps['onWrite'],
): CommitOutcome {
  const stored = items.get(item.key);
  const applied = (stored?.version ?? 0) === item.version - 1;
  if (applied) items.set(item.key, item);
  onWrite({ item, applied, atMs });
  // A condition that failed on our own write is success, as in the real store.
  const ours = stored?.version === item.version && stored.writer === item.writer;
  return { code: applied || ours ? 'committed' : 'conflict' };
}

function loadedItem(fault: 'unread' | 'unreadable' | undefined, item: TargetItem | undefined): LoadedItem {
  if (fault !== undefined) return { code: fault, message: 'cannot load the state: out of order' };
  return item === undefined ? { code: 'absent' } : { code: 'found', item };
}
