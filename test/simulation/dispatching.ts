/** The timer's side of the world: the shipped dispatch, the documents that it reads and the list of those that owe. */
import type { OwingKeys } from '../../functions/adapters/owing-dynamodb.ts';
import type { Queue, QueueMessage } from '../../functions/adapters/queue-sqs.ts';
import type { Discovery } from '../../functions/core/discovery.ts';
import type { TargetItem } from '../../functions/core/ports.ts';
import type { ScrapeConfig } from '../../functions/core/scrape-config.ts';
import type { ShardMessage } from '../../functions/core/work.ts';
import { dispatch } from '../../functions/dispatch/dispatch.ts';
import type { VirtualTime } from '../fakes/virtual-time.ts';
import { clusterDocument } from './cluster.ts';
import type { ClusterKind } from './commands.ts';
import type { Evaluate } from './ledger.ts';
import { ownerOfKey } from './names.ts';
import { MAX_STALENESS_MS, type Place } from './places.ts';
import { type SimulatedQueue, memoryLog, queuePort } from './schedule.ts';

interface DispatchingDeps {
  readonly time: VirtualTime;
  readonly queue: SimulatedQueue;
  readonly evaluate: Evaluate;
  /** Undefined: there is none. */
  readonly document: () => string | undefined;
  readonly discover: Discovery<ScrapeConfig>;
  /** Whether a target is named by what was read last. */
  readonly isNamed: (owner: string) => boolean;
  readonly items: ReadonlyMap<string, TargetItem>;
}

/** One delivery of the schedule, and what befalls it. */
export type Schedule = (scheduledMs: number, how: 'unread' | 'unsent' | 'lost' | undefined) => Promise<void>;

export function createDispatching({
  time: { clock },
  queue,
  evaluate,
  document,
  discover,
  isNamed,
  items,
}: DispatchingDeps): Schedule {
  const memory = {};
  const checkDrains = (messages: readonly QueueMessage[]): void => {
    for (const { body } of messages)
      for (const owner of (JSON.parse(body) as ShardMessage).drains.map(ownerOfKey))
        evaluate('D4 only what vanished is drained', !isNamed(owner), () => owner);
  };
  const planning = { histories: () => Promise.resolve(new Map()), discover };
  return async (scheduledMs, how) => {
    const value = document();
    const stored = { name: '/nim-to-dynatrace/targets/nim', version: 1, type: 'String' as const };
    const documents = value === undefined ? [] : [{ ...stored, value }];
    const targetDocuments = () =>
      Promise.resolve(
        how === 'unread'
          ? ({ code: 'failed', message: 'as simulated' } as const)
          : ({ code: 'read', documents } as const),
      );
    const port = queuePort(queue, () => (how === 'unsent' || how === 'lost' ? how : undefined));
    const send: Queue['send'] = (messages, deadlineMs) => {
      checkDrains(messages);
      return port.send(messages, deadlineMs);
    };
    await dispatch(
      { scheduledTime: new Date(scheduledMs).toISOString() },
      {
        clock,
        parameters: { targetDocuments },
        planning,
        prefix: '/nim-to-dynatrace',
        maxStalenessMs: MAX_STALENESS_MS,
        memory,
        owing: { keys: () => Promise.resolve(owingKeys(items)) },
        record: () => Promise.resolve(undefined),
        queue: { send },
        log: memoryLog((event) => evaluate('nothing is thrown', event !== 'bug', () => event)),
        metrics: { publish: () => undefined },
      },
      clock.monotonicMs() + 20_000,
    ).catch((error: unknown) => evaluate('nothing is thrown', false, () => String(error)));
  };
}

/** The sparse index over items with something pending, oldest first. */
function owingKeys(items: ReadonlyMap<string, TargetItem>): OwingKeys {
  const owing = [...items.values()].filter(({ pendingSinceMs }) => pendingSinceMs !== undefined);
  owing.sort((a, b) => (a.pendingSinceMs ?? 0) - (b.pendingSinceMs ?? 0));
  return { code: 'read', keys: owing.map(({ key }) => key) };
}

/** The ways of writing the targets: as a list of addresses, as a job, by discovery. */
export function documentOf(
  places: readonly Place[],
  metricNames: 'nim' | 'raw',
  cluster: ClusterKind | undefined,
): string | undefined {
  if (cluster !== undefined) return clusterDocument(cluster, metricNames);
  const targets = places.map(({ address }) => address);
  if (targets.length === 0) return undefined;
  if (metricNames === 'nim') return targets.join(' ');
  const job = { job_name: 'nim', static_configs: [{ targets }] };
  return JSON.stringify({ scrape_configs: [{ ...job, dynatrace: { metric_names: metricNames } }] });
}
