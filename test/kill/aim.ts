/** The moments at which a run is killed, and how a kill comes at one of them. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import type { Random } from '../../functions/cli/world/random.ts';
import type { ScriptedAnswer } from '../../functions/cli/world/receiver.ts';
import type { Cli } from '../cli/harness.ts';

/** How a kill is aimed. */
export type Aim =
  /** As the store of a fresh directory has grown `nth` times: its table is being made. */
  | 'creation'
  /** Any time, the start of the program included. */
  | 'time'
  /** As a page is asked for. */
  | 'scrape'
  /** The store grows for the nth time since the first page: after a killed run, items are written first. */
  | 'write'
  /** A body is accepted, and the answer never written. */
  | 'accepted'
  /** The answer has just been written. */
  | 'answered'
  /** The store grows for the nth time since the body came. */
  | 'commit'
  /** The first word about a finished tick. */
  | 'printed';

/** One round of aims, in any order: no world may miss a moment. */
export const ROUND: readonly Aim[] = [
  'time',
  'time',
  'scrape',
  'write',
  'accepted',
  'accepted',
  'accepted',
  'answered',
  'commit',
  'commit',
  'commit',
  'commit',
  'printed',
];

export interface Post {
  /** Of the run, from 0. */
  readonly tick: number;
  /** Whether it has more than gauges. After a killed run a body of gauges goes first. */
  readonly hasDeltas: boolean;
  /** Of the tick and of its kind, from 0. */
  readonly body: number;
}

/** What the run under way meets. */
export interface Script {
  readonly onPage?: (() => void) | undefined;
  readonly onPost?: ((post: Post) => ScriptedAnswer | undefined) | undefined;
}

/** One aim, and the run that it is taken at. */
export interface Aimed {
  readonly at: Aim;
  /** Of the run. */
  readonly ticks: number;
  /** At which growth of a fresh store to kill. */
  readonly creations: number;
}

/** What there is to aim at. */
export interface Range {
  /** Of the state. */
  readonly directory: string;
  readonly instances: readonly string[];
  /** Bodies of one tick with deltas, and the time that a run takes, as far as known. */
  readonly bodies: number;
  readonly durationMs: number;
  readonly random: Random;
}

/** Makes the kill come; whether it met its moment is told afterwards. Disarm when the process has ended. */
export function arm(
  aim: Aimed,
  child: Pick<Cli, 'kill' | 'stdout'>,
  { directory, instances, bodies, durationMs, random }: Range,
): { readonly script: Script; readonly disarm: () => void } {
  const { ticks } = aim;
  const upTo = (max: number): number => Math.floor(random.uniform() * max);
  const kill = (): void => child.kill('SIGKILL');
  const target = { tick: upTo(ticks), body: upTo(bodies), gauges: random.uniform() < GAUGES };
  const { tick, body } = target;
  const hits = (post: Post): boolean =>
    post.tick === tick && (post.hasDeltas ? post.body === body : post.body === 0 && target.gauges);
  // So that something is pending when the kill comes.
  const refusal = random.uniform() < REFUSED ? { status: 401, body: 'refused' } : undefined;
  const stopped = new AbortController();
  const disarm = (): void => stopped.abort();
  const growths = (nth: number): void => void killAfterGrowths(directory, nth, child, stopped.signal);
  switch (aim.at) {
    case 'creation':
      growths(aim.creations);
      return { script: {}, disarm };
    case 'time': {
      const timer = setTimeout(kill, random.uniform() * durationMs * 1.1);
      return { script: { onPost: () => refusal }, disarm: () => clearTimeout(timer) };
    }
    case 'scrape': {
      let left = upTo(instances.length * ticks);
      return { script: { onPage: () => void (left-- === 0 && kill()) }, disarm };
    }
    case 'write': {
      const nth = 1 + upTo(MAX_GROWTHS);
      let left = instances.length * tick;
      return { script: { onPage: () => void (left-- === 0 && growths(nth)) }, disarm };
    }
    case 'accepted':
      return {
        script: {
          onPost: (post) => {
            if (!hits(post)) return undefined;
            setImmediate(kill);
            return { acceptAndHang: true };
          },
        },
        disarm,
      };
    case 'answered': {
      const delayMs = upTo(3);
      return {
        script: {
          onPost: (post) => {
            // The answer is written before the next turn.
            if (hits(post)) setImmediate(() => (delayMs === 0 ? kill() : setTimeout(kill, delayMs)));
            return undefined;
          },
        },
        disarm,
      };
    }
    case 'commit': {
      const commits = once(() => growths(1 + upTo(MAX_GROWTHS)));
      return {
        script: {
          onPost: (post) => {
            if (post.tick === tick) commits();
            return refusal;
          },
        },
        disarm,
      };
    }
    case 'printed':
      child.stdout.once('data', kill);
      return { script: {}, disarm };
  }
}

/** The store writes several items at once: with more than these all are written. */
export const MAX_GROWTHS = 3;
/** Part of the runs: they are killed at their body of gauges, if they have one. */
const GAUGES = 0.15;
/** Part of the runs. */
const REFUSED = 0.35;

/**
 * Kills once the store's log, its newest file of that name, has grown `nth` times. The process runs in
 * short steps meanwhile, so that it cannot get far while this one waits for a processor.
 */
async function killAfterGrowths(
  directory: string,
  nth: number,
  child: Pick<Cli, 'kill'>,
  signal: AbortSignal,
): Promise<void> {
  let [newest, bytes] = logOf(directory);
  for (let growths = 0; growths < nth && !signal.aborted;) {
    await turn();
    // Before its store it has nothing that could be met.
    if (newest === '') {
      [newest, bytes] = logOf(directory);
      continue;
    }
    child.kill('SIGCONT');
    for (const untilMs = performance.now() + STEP_MS; performance.now() < untilMs;);
    child.kill('SIGSTOP');
    const [name, size] = logOf(directory);
    if (size > (name === newest ? bytes : 0)) growths++;
    [newest, bytes] = [name, size];
  }
  child.kill('SIGKILL');
}

/** One item is written in less. */
const STEP_MS = 0.3;

function logOf(directory: string): readonly [name: string, bytes: number] {
  const name = readdirSync(directory)
    .filter((file) => file.endsWith('.log'))
    .sort()
    .at(-1);
  if (name === undefined) return ['', 0];
  // The store removes an old log at any time.
  return [name, statSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0];
}

/** Does it the first time only. */
export function once(work: () => void): () => void {
  let done = false;
  return () => {
    if (!done) work();
    done = true;
  };
}
