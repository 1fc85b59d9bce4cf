/**
 * Kills `nim-to-dynatrace run` with SIGKILL, over and over, at chosen moments of its run; lets it run
 * normally in between; and holds the receiver, the pages and the state directory against the ledger after
 * every run. Which moment a kill really met is told by what it left behind, not by what was aimed at.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { type Random, createRandom } from '../../functions/cli/world/random.ts';
import { type Receiver, startReceiver } from '../../functions/cli/world/receiver.ts';
import { SELF_PREFIX } from '../../functions/core/self-metrics.ts';
import { type Ended, startCli, targetArgs } from '../cli/harness.ts';
import { type PageServer, startPageServer } from '../cli/page-server.ts';
import { createScriptedProcess } from '../cli/scripted-process.ts';
import { type Aim, type Aimed, MAX_GROWTHS, type Post, ROUND, type Script, arm, once } from './aim.ts';
import { type Ledger, type StoredState, type Tally, createLedger, readStateDirectory } from './ledger.ts';

/** What a kill met. */
export type Moment =
  /** No body of this tick had reached the receiver. */
  | 'before the POST'
  /** Nor had it, but items were written: what the run before had left unsure is pending, for certain. */
  | 'at the write before the POST'
  /** A body had, and no item of this tick was written. */
  | 'between POST and commit'
  /** Some items of this tick were written and others not. */
  | 'during the commit'
  /** All items were written, the end of the run was not. */
  | 'before the end'
  /** The run was written down whole. */
  | 'after';

export interface KillOptions {
  readonly kills: number;
  readonly seed: number;
  readonly targets: number;
  /** Counters and histograms of each target, one of five a histogram. */
  readonly series: number;
  /** A killed run has up to so many ticks. */
  readonly ticks: number;
  /** Part of the kills after which the next run is left alone. */
  readonly rest: number;
  readonly say: (line: string) => void;
}

export interface Result {
  readonly kills: Readonly<Record<Moment, number>>;
  readonly normalRuns: number;
  /** Bodies that were accepted. */
  readonly bodies: number;
  readonly restarts: number;
  readonly tally: Tally;
  /** What broke a promise, each with the kill after which it was found. */
  readonly problems: readonly string[];
}

/** Then a new world begins in an empty directory, so that the making of the table is met too. */
export const KILLS_PER_WORLD = 25;

/** Ends early at a broken promise. The plan comes from the seed; times are the machine's. */
export async function killRepeatedly(options: KillOptions): Promise<Result> {
  const random = createRandom(options.seed);
  const results: Result[] = [];
  for (let done = 0; done < options.kills; done += KILLS_PER_WORLD) {
    const kills = Math.min(KILLS_PER_WORLD, options.kills - done);
    const result = await killWorld({ ...options, kills }, random, done);
    results.push(result);
    // A broken promise breaks others after it: the first one is the one to look at.
    if (result.problems.length > 0) break;
  }
  return results.reduce(combined);
}

async function killWorld(options: KillOptions, random: Random, done: number): Promise<Result> {
  const world = await openWorld(options, random);
  const creations = 1 + ((done / KILLS_PER_WORLD) % MAX_GROWTHS);
  const kills: Record<Moment, number> = { ...NO_KILLS };
  const problems: string[] = [];
  let normalRuns = 0;
  let inARow = 0;
  let aims: readonly Aim[] = ['creation'];
  const note = (found: readonly string[], after: string): void => {
    for (const problem of found) {
      problems.push(`${after}: ${problem}`);
      options.say(`VIOLATION ${after}: ${problem}`);
    }
  };
  try {
    for (let killed = 0; killed < options.kills && problems.length === 0;) {
      if (aims.length === 0) aims = shuffled(ROUND, random);
      const [at = 'time', ...rest] = aims;
      aims = rest;
      const ticks = 1 + Math.floor(random.uniform() * options.ticks);
      const run = await play(world, { at, ticks, creations });
      if (run.moment !== undefined) {
        kills[run.moment]++;
        killed++;
      }
      const what = `kill ${done + killed} (${at}: ${run.moment ?? 'missed'})`;
      options.say(what);
      note(run.problems, what);
      inARow = run.moment === undefined ? 0 : inARow + 1;
      const rests = random.uniform() < options.rest || inARow === MAX_IN_A_ROW || killed === options.kills;
      // What is wrong with the store shows at once in a normal run.
      if (run.moment !== undefined && at !== 'creation' && !rests) continue;
      inARow = 0;
      restartSome(world);
      const normal = await play(world);
      normalRuns++;
      note(normal.problems, `normal run after ${what}`);
      restartSome(world);
    }
    const { receiver, ledger, targets } = world;
    const bodies = receiver.requests.filter(({ accepted }) => accepted > 0).length;
    // Windows of doubled bodies overlap, as they must: the ledger knows which may. Nothing else is excused.
    const objections = receiver.violations.filter((violation) => !violation.includes(' overlaps window '));
    note(objections.slice(0, MAX_OBJECTIONS), 'the receiver');
    const restarts = targets.reduce((sum, target) => sum + target.restarts(), 0);
    return { kills, normalRuns, bodies, restarts, tally: ledger.tally(), problems };
  } finally {
    await closeWorld(world);
  }
}

const NO_KILLS: Readonly<Record<Moment, number>> = {
  'before the POST': 0,
  'at the write before the POST': 0,
  'between POST and commit': 0,
  'during the commit': 0,
  'before the end': 0,
  after: 0,
};
/** Until a normal run has been seen. */
const TYPICAL_RUN_MS = 1_000;
const MAX_OBJECTIONS = 10;
/** Kills without a normal run between: each doubles the ticks for which deltas wait (D2). */
const MAX_IN_A_ROW = 5;

function combined(a: Result, b: Result): Result {
  const added = <K extends string>(x: Readonly<Record<K, number>>, y: Readonly<Record<K, number>>) =>
    Object.fromEntries(Object.keys(x).map((key) => [key, x[key as K] + y[key as K]])) as Record<K, number>;
  return {
    kills: added(a.kills, b.kills),
    normalRuns: a.normalRuns + b.normalRuns,
    bodies: a.bodies + b.bodies,
    restarts: a.restarts + b.restarts,
    tally: added({ ...a.tally }, { ...b.tally }),
    problems: [...a.problems, ...b.problems],
  };
}

interface RunResult {
  /** Undefined: nothing killed it. */
  readonly moment: Moment | undefined;
  readonly problems: readonly string[];
}

/** The world around the runs, and what is known of it. */
interface World {
  readonly root: string;
  /** Of the state. */
  readonly directory: string;
  readonly random: Random;
  readonly targets: readonly Target[];
  readonly instances: readonly string[];
  readonly receiver: Receiver;
  readonly ledger: Ledger;
  /** Of the run under way. */
  script: Script;
  /** Bodies that came in the run under way. */
  posted: { readonly tickMs: number; readonly hasDeltas: boolean }[];
  /** After the run before. */
  state: StoredState;
  /** Of the last normal run. */
  bodies: number;
  durationMs: number;
}

async function openWorld({ targets: count, series }: KillOptions, random: Random): Promise<World> {
  const root = await mkdtemp(join(tmpdir(), 'nim-to-dynatrace-kill-'));
  const directory = join(root, 'state');
  await mkdir(directory);
  const receiver = await startReceiver({
    maxPoints: 1,
    answer: ({ points }) => {
      const tickMs = points[0]?.timeMs ?? 0;
      // What the product counts of itself is in no book.
      const hasDeltas = points.some(({ kind, name }) => kind !== 'gauge' && !name.startsWith(SELF_PREFIX));
      world.posted.push({ tickMs, hasDeltas });
      const ofTick = world.posted.filter((posted) => posted.tickMs === tickMs);
      const body = ofTick.filter((posted) => posted.hasDeltas === hasDeltas).length - 1;
      const tick = new Set(world.posted.map((posted) => posted.tickMs)).size - 1;
      return world.script.onPost?.({ tick, hasDeltas, body });
    },
  });
  const serve: Ledger['serve'] = (...page) => {
    world.ledger.serve(...page);
    world.script.onPage?.();
  };
  const targets = await Promise.all(
    Array.from({ length: count }, () => startTarget(createRandom(random.uniform() * 2 ** 32), series, serve)),
  );
  const instances = targets.map(({ address }) => address);
  const ledger = createLedger(instances);
  receiver.onPoints(ledger.accept);
  const world: World = {
    root,
    directory,
    random,
    targets,
    instances,
    receiver,
    ledger,
    script: {},
    posted: [],
    state: { shard: undefined, items: new Map(), problems: [] },
    bodies: 1,
    durationMs: TYPICAL_RUN_MS,
  };
  return world;
}

async function closeWorld({ root, receiver, targets }: World): Promise<void> {
  await Promise.all([receiver.close(), ...targets.map(({ close }) => close())]);
  await rm(root, { recursive: true, force: true });
}

/** One run of the program. Without an aim it is left alone until it has delivered everything. */
async function play(world: World, aim?: Aimed): Promise<RunResult> {
  const { directory, instances, ledger, receiver, root } = world;
  const ticks = aim?.ticks ?? MAX_NORMAL_TICKS;
  const length = ticks === 1 ? ['--once'] : ['--count', String(ticks), '--interval', '100ms'];
  const place = ['--state', directory, '--endpoint', receiver.endpoint, ...targetArgs(instances)];
  world.posted = [];
  const child = startCli(['run', '-o', 'json', ...length, ...place], {
    // Most of a run here is the start of the program.
    NODE_COMPILE_CACHE: join(root, 'compiled'),
  });
  let fired = false;
  const kill = (signal: NodeJS.Signals): void => {
    fired ||= signal === 'SIGKILL';
    child.kill(signal);
  };
  const armed = aim === undefined ? undefined : arm(aim, { stdout: child.stdout, kill }, world);
  // Interrupted, it ends after the tick: the first that sends deltas sends them all.
  const interrupt = once(() => child.kill('SIGINT'));
  const onPost = ({ hasDeltas }: Post): undefined => void (hasDeltas && interrupt());
  world.script = armed?.script ?? { onPost };
  const ended = await child.ended;
  armed?.disarm();
  world.script = {};
  // What the killed process had sent lies in our sockets still.
  for (let i = 0; i < SETTLING_TURNS; i++) await turn();

  const before = world.state;
  const state = await readStateDirectory(directory, instances);
  world.state = state;
  const killed = fired && ended.signal === 'SIGKILL';
  // On a machine that stalls for seconds an answer can be lost without a kill.
  const unsure = / unknown: /.test(ended.stderr);
  const problems = [...ledger.settle(killed || unsure, state), ...unkept(ended, state, instances)];
  if (!killed && ended.signal !== null) problems.push(`it hung until ${ended.signal}`);
  if (aim === undefined) {
    if (!unsure) problems.push(...undelivered(ended, state));
    world.bodies = Math.max(1, world.posted.filter(({ hasDeltas }) => hasDeltas).length);
  }
  const postedTicks = new Set(world.posted.map(({ tickMs }) => tickMs));
  if (aim === undefined && postedTicks.size === 1) world.durationMs = ended.durationMs;
  return { moment: killed ? momentOf(before, state, postedTicks, instances) : undefined, problems };
}

function restartSome({ targets, random }: World): void {
  for (const target of targets) if (random.uniform() < RESTARTED) target.restart();
}

/** After lost answers deltas wait for 64 ticks at most (D2); then they leave. */
const MAX_NORMAL_TICKS = 66;
/** Part of the processes. */
const RESTARTED = 0.1;
/** Turns of the event loop: each reads a part of what lies in the sockets; the largest body needs a few. */
const SETTLING_TURNS = 100;

/** Told by what the kill left behind. */
function momentOf(
  before: StoredState,
  after: StoredState,
  posted: ReadonlySet<number>,
  instances: readonly string[],
): Moment {
  const { shard } = after;
  if (shard === undefined || shard.tickMs === before.shard?.tickMs) return 'before the POST';
  if (shard.ended) return 'after';
  const items = instances.flatMap((instance) => after.items.get(instance) ?? []);
  const touched = items.filter(({ lastTickMs }) => lastTickMs === shard.tickMs);
  // What is written before the POST has a writer of its own.
  const committed = touched.filter(({ writer }) => writer === shard.writer);
  if (committed.length === instances.length) return 'before the end';
  if (committed.length > 0) return 'during the commit';
  if (posted.has(shard.tickMs)) return 'between POST and commit';
  return touched.length > 0 ? 'at the write before the POST' : 'before the POST';
}

/** A printed tick was acknowledged by the store: nothing of it may be missing, however the process ended. */
function unkept({ stdout }: Ended, state: StoredState, instances: readonly string[]): readonly string[] {
  const lines = stdout.slice(0, stdout.lastIndexOf('\n')).split('\n');
  const tick = /"tick":"([^"]+)"/.exec(lines.at(-1) ?? '')?.[1];
  if (tick === undefined) return [];
  const tickMs = Date.parse(tick);
  const missing = instances.filter((instance) => !((state.items.get(instance)?.lastTickMs ?? 0) >= tickMs));
  return missing.map((instance) => `acknowledged and lost by the store: ${instance} at ${tick}`);
}

/** A run that nothing killed ends well, and owes nothing. */
function undelivered({ code, stderr }: Ended, state: StoredState): readonly string[] {
  const problems: string[] = [];
  if (code !== 0) problems.push(`exit code ${code}: ${stderr.trim().split('\n').slice(-3).join(' | ')}`);
  for (const [instance, { pending }] of state.items) {
    const owed = [...pending].filter(([, value]) => value !== 0).length;
    if (owed > 0) problems.push(`${instance}: ${owed} series pending after a run without a fault`);
  }
  if (state.shard?.ended !== true) problems.push('its end is not written');
  return problems;
}

interface Target {
  readonly address: string;
  readonly restart: () => void;
  readonly restarts: () => number;
  readonly close: PageServer['close'];
}

/** Of one life: starts that are nearer to each other are jitter of the same process (D7). */
const MIN_LIFE_MS = 6_000;
/** Younger than an hour: all that it counts is to be delivered (D6). */
const FIRST_AGE_MS = 60_000;

/** A process that counts a little between any two pages; its chance is its own, as pages come at any time. */
async function startTarget(random: Random, series: number, serve: Ledger['serve']): Promise<Target> {
  let startMs = Date.now() - FIRST_AGE_MS;
  let life = 0;
  let process = createScriptedProcess({ startMs, showStart: true });
  const countSome = (): void => {
    for (let i = 0; i < series; i++) {
      if (random.uniform() < 0.4) continue;
      const amount = 1 + Math.floor(random.uniform() * 20);
      if (i % 5 === 4) process.observe(`latency_seconds{route="${i}"}`, amount / 4, 0.25);
      else process.count(`requests_total{route="${i}"}`, amount);
    }
  };
  const server = await startPageServer(() => {
    countSome();
    const page = process.page();
    serve(server.address, life, process.truth());
    return page;
  });
  return {
    address: server.address,
    restart: () => {
      if (Date.now() - startMs < MIN_LIFE_MS) return;
      startMs = Date.now();
      life++;
      process = createScriptedProcess({ startMs, showStart: true });
    },
    restarts: () => life,
    close: server.close,
  };
}

function shuffled<T>(items: readonly T[], random: Random): readonly T[] {
  const keyed = items.map((item) => [random.uniform(), item] as const);
  return keyed.sort(([a], [b]) => a - b).map(([, item]) => item);
}
