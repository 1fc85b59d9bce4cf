/** The queue between dispatch and worker, and workers that die: the shipped handlers' logic is what runs. */
import type { Log, LogRecord } from '../../functions/adapters/log.ts';
import type { Queue, QueueMessage } from '../../functions/adapters/queue-sqs.ts';
import type { Ports } from '../../functions/core/ports.ts';
import { VISIBILITY_TIMEOUT_MS } from '../../functions/scrape/work-off.ts';
import type { VirtualTime } from '../fakes/virtual-time.ts';

/** The function's own limit, as the stack sets it. */
export const LAMBDA_TIMEOUT_MS = 75_000;
/** SQS: how long a message is kept, and how long its deduplication id is remembered. */
const RETENTION_MS = 300_000;
const DEDUPLICATION_MS = 300_000;
/** Then it goes to the dead-letter queue. */
const MAX_RECEIVES = 3;

export interface Message {
  readonly body: string;
  readonly sentMs: number;
  visibleMs: number;
  firstReceivedMs: number | undefined;
  receives: number;
}

/** One FIFO group. Its head blocks all behind it while a worker has it. */
export interface SimulatedQueue {
  readonly send: (messages: readonly QueueMessage[]) => void;
  /** The head, if it is visible now; else when it will be. */
  readonly receive: () => Message | { readonly visibleMs: number } | undefined;
  readonly remove: (message: Message) => void;
}

export function createSimulatedQueue({ clock }: VirtualTime): SimulatedQueue {
  const messages: Message[] = [];
  const seen = new Map<string, number>();
  return {
    send: (sent) => {
      const nowMs = clock.wallMs();
      for (const { body, deduplicationId } of sent) {
        if (nowMs - (seen.get(deduplicationId) ?? -Infinity) < DEDUPLICATION_MS) continue;
        seen.set(deduplicationId, nowMs);
        messages.push({ body, sentMs: nowMs, visibleMs: nowMs, firstReceivedMs: undefined, receives: 0 });
      }
    },
    receive: () => {
      const nowMs = clock.wallMs();
      for (let head = messages[0]; head !== undefined; head = messages[0]) {
        if (nowMs - head.sentMs > RETENTION_MS || (head.receives >= MAX_RECEIVES && head.visibleMs <= nowMs))
          messages.shift();
        else if (head.visibleMs > nowMs) return { visibleMs: head.visibleMs };
        else {
          head.firstReceivedMs ??= nowMs;
          head.receives++;
          head.visibleMs = nowMs + VISIBILITY_TIMEOUT_MS;
          return head;
        }
      }
      return undefined;
    },
    remove: (message) => {
      const i = messages.indexOf(message);
      if (i >= 0) messages.splice(i, 1);
    },
  };
}

/** The queue's own port, failing as told. `lost`: it is sent, but nobody knows. */
export function queuePort(queue: SimulatedQueue, fault: () => 'unsent' | 'lost' | undefined): Queue {
  return {
    send: (messages) => {
      const how = fault();
      if (how !== 'unsent') queue.send(messages);
      const failures = messages.map(
        ({ shard }) => ({ shard, code: 'failed', message: 'as simulated' }) as const,
      );
      return Promise.resolve(how === undefined ? [] : failures);
    },
  };
}

/** Where a worker dies: at its nth call to the world, before or after it takes effect; it never continues. */
export interface Death {
  readonly at: number;
  readonly after: boolean;
}

export interface Mortal {
  readonly ports: Ports;
  /** Resolves if it dies. */
  readonly death: Promise<'dead'>;
  readonly die: () => Promise<never>;
  readonly isDead: () => boolean;
}

export function mortal(ports: Ports, death: Death | undefined, onCall: (nth: number) => void): Mortal {
  let calls = 0;
  let dead = false;
  let tell: (word: 'dead') => void = () => undefined;
  const told = new Promise<'dead'>((resolve) => {
    tell = resolve;
  });
  const die = (): Promise<never> => {
    dead = true;
    tell('dead');
    return new Promise<never>(() => undefined);
  };
  const guard =
    <A extends readonly unknown[], R>(call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      const nth = calls++;
      if (dead || (nth === death?.at && !death.after)) return die();
      onCall(nth);
      const answer = await call(...args);
      if (dead || (nth === death?.at && death.after)) return die();
      return answer;
    };
  const { claim, load, commit, end, fits } = ports.state;
  return {
    ports: {
      clock: ports.clock,
      scrape: guard(ports.scrape),
      export: guard(ports.export),
      state: { claim: guard(claim), load: guard(load), commit: guard(commit), end: guard(end), fits },
    },
    death: told,
    die,
    isDead: () => dead,
  };
}

/** A log in memory. */
export function memoryLog(into: (event: string, fields: LogRecord) => void): Log {
  const write = (event: string, fields: LogRecord = {}): void => into(event, fields);
  return { info: write, warn: write, error: write };
}
