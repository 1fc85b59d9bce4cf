/**
 * The world: NIM targets, a scheduler, a queue, workers, a store and a Dynatrace, played along a plan. The shipped
 * dispatch and worker logic runs in it; the ledger is asked after every step.
 */
import type { DecodedPoint } from '../../functions/cli/world/otlp-decoder.ts';
import type { LogRecord } from '../../functions/adapters/log.ts';
import { createMemory } from '../../functions/core/point-names.ts';
import type { Export, Ports, Scrape } from '../../functions/core/ports.ts';
import type { ShardMessage } from '../../functions/core/work.ts';
import { createToldOnce } from '../../functions/core/told-once.ts';
import { workOff } from '../../functions/scrape/work-off.ts';
import { instanceOf } from '../fakes/ports.ts';
import { createStore } from '../fakes/store.ts';
import { T0_MS, createVirtualTime } from '../fakes/virtual-time.ts';
import { createCluster } from './cluster.ts';
import type { Event, Plan, Step } from './commands.ts';
import { createDispatching, documentOf } from './dispatching.ts';
import { createDynatrace } from './dynatrace.ts';
import { type Invariant, checkConservation, heldBy, secondsOf } from './ledger.ts';
import { createMischief } from './mischief.ts';
import { ownerOf, ownerOfKey } from './names.ts';
import { MAX_STALENESS_MS, TICK_MS, createPlaces, isAt, isOf, living, recent } from './places.ts';
import { happen } from './happenings.ts';
import { checkPoison, checkReport } from './reports.ts';
import { type Run, createBook } from './runs.ts';
import { createScrape } from './scraping.ts';
import {
  LAMBDA_TIMEOUT_MS,
  type Death,
  type Message,
  type Mortal,
  createSimulatedQueue,
  memoryLog,
  mortal,
} from './schedule.ts';

/** A run ends this long before its worker's time or its message's does; a message older than that is left alone. */
const MARGIN_MS = 5_000;
const MAX_MESSAGE_AGE_MS = 120_000;
/** D2, D12: what may hold something back once faults have stopped. */
const MAX_WAIT_TICKS = 64;
const MAX_PAUSE_TICKS = 64;
/** A dead worker's message blocks its group for 90 s; then the canary, then the deltas; old bounds drain one by one. */
const MAX_CALM_TICKS = 10;

export interface Tally {
  readonly faults: Map<string, number>;
  readonly invariants: Map<Invariant, number>;
  ticks: number;
}

export function newTally(): Tally {
  return { faults: new Map(), invariants: new Map(), ticks: 0 };
}

/** Plays the plan; throws what broke first. */
export async function play(plan: Plan, tally: Tally): Promise<void> {
  const world = createSimulation(plan, tally);
  for (const step of plan.steps) await world.step(step);
  await world.calmDown();
}

function createSimulation(plan: Plan, tally: Tally) {
  const time = createVirtualTime();
  const { clock } = time;
  let broken: string | undefined;
  const evaluate = (invariant: Invariant, holds: boolean, what: () => string): void => {
    tally.invariants.set(invariant, (tally.invariants.get(invariant) ?? 0) + 1);
    if (!holds) broken ??= `${invariant}: ${what()}`;
  };
  const happened = (kind: string): void => {
    tally.faults.set(kind, (tally.faults.get(kind) ?? 0) + 1);
    if (plan.cluster !== undefined && kind === 'restart') happened('crash');
  };
  const places = plan.cluster === undefined ? createPlaces(plan.nims) : [];
  const mischief = createMischief(happened);
  const { take, note } = mischief;
  const cluster = plan.cluster && createCluster(plan.cluster, plan.nims, places, clock, happened);
  const book = createBook(
    ({ tickMs }) => ({ tickMs, intervalMs: TICK_MS, maxStalenessMs: MAX_STALENESS_MS }),
    evaluate,
  );
  let tickMs = T0_MS;
  let ticks = 0;
  let workers = 0;
  let memory = createMemory();
  let refusesAll = false;
  let metricNames: 'nim' | 'raw' = 'nim';
  const open = new Set<Run>();
  /** What was said in the log since the step began. */
  const alarms = new Set<string>();
  const outage = { until: 0, how: 'retry' as const as Extract<Event, { kind: 'outage' }>['how'] };

  const { state, items, shards, catchUp } = createStore({
    time,
    script: {
      claim: () => note(take('claim')),
      load: (key) =>
        note(take('load', ({ of }) => isOf(recent(places)[of % recent(places).length]?.id)(key))),
      fits: () => true,
      commit: ({ key, writer }) => {
        const how = note(take('commit', isAt(recent(places), ownerOfKey(key))));
        if (how !== undefined && how !== 'lost') excuse(ownerOfKey(key), writer);
        return how;
      },
      end: () => note(take('end')),
    },
    onWrite: ({ item, applied }) => {
      // Whoever loaded the item before will meet a conflict.
      if (applied)
        for (const run of open) if (!item.writer.startsWith(run.id)) run.excuses.add(ownerOfKey(item.key));
      book.written(item, applied);
    },
    onClaim: book.claimed,
    onEnd: book.ended,
  });
  const excuse = (owner: string, writer: string): void => {
    for (const run of open) if (writer.replace(/-first$/, '') === run.id) run.excuses.add(owner);
  };

  const scrapeFor = (run: Run, worker: () => Mortal): Scrape => {
    const scrape = createScrape(run, () => worker().die(), {
      places,
      mischief,
      book,
      time,
      tickMs: () => tickMs,
    });
    return (target, deadlineMs) => {
      // An outage of 400s with an accepted part in it can make suspects of all gauges (D12).
      run.hasGauges = !refusesAll;
      return scrape(target, deadlineMs);
    };
  };
  const exportFor = (run: Run): Export =>
    createDynatrace(
      {
        answer: (nth) => take('answer', (event) => event.nth === nth)?.how,
        outage: () => (ticks < outage.until ? outage.how : undefined),
        isPoison: (owner, key) =>
          places.some(({ id, poison }) => id === owner && poison?.key === key && ticks < poison.until),
        maxPoints: () => mischief.limit(),
        onFault: (kind) => {
          refusesAll ||= kind === 'malformed';
          happened(kind === 'poison' || kind === 'limit' ? kind : `answer ${kind}`);
        },
      },
      time,
      (body) => {
        if (isBeforeItsSuccessor(run, body.points)) happened('successor waits');
        book.posted(run, body, clock.monotonicMs());
      },
    );

  /** One invocation of the scrape function; whether it came to its end. */
  const invoke = async (
    message: Message,
    death: Death | undefined,
    second?: () => void,
  ): Promise<boolean> => {
    const id = `w${++workers}`;
    const startedMs = clock.monotonicMs();
    const startedWallMs = clock.wallMs();
    const firstReceivedMs = message.firstReceivedMs ?? clock.wallMs();
    const visibleForMs = firstReceivedMs + 90_000 - clock.wallMs();
    const { tickMs: ofTick, targets, drains } = JSON.parse(message.body) as ShardMessage;
    const named = [...targets.map(({ key }) => key), ...drains].map(ownerOfKey);
    const isPlace = (owner: string): boolean => places.some(({ id }) => id === owner);
    evaluate('D11 identity', named.every(isPlace), () => named.join(' '));
    const run = book.begin(
      id,
      ofTick,
      startedMs + Math.min(LAMBDA_TIMEOUT_MS, visibleForMs) - MARGIN_MS,
      named,
    );
    open.add(run);
    const ports: Ports = { clock, state, scrape: scrapeFor(run, () => worker), export: exportFor(run) };
    const twiceAt = second === undefined ? undefined : take('twice')?.at;
    const worker: Mortal = mortal(ports, death, (nth) => {
      if (nth === twiceAt) second?.();
    });
    const lines: { readonly event: string; readonly fields: LogRecord }[] = [];
    const log = memoryLog((event, fields) => {
      lines.push({ event, fields });
      alarms.add(event);
    });
    const deps = {
      ports: worker.ports,
      memory,
      log,
      metrics: { publish: () => undefined },
      toldOnce: createToldOnce(),
      selfMetrics: true,
      maxStalenessMs: MAX_STALENESS_MS,
    };
    const delivery = { body: message.body, writer: id, firstReceivedMs, remainingMs: LAMBDA_TIMEOUT_MS };
    const done = workOff(delivery, deps).then(
      () => 'done' as const,
      (error: unknown) => {
        evaluate('nothing is thrown', false, () => String(error));
        return 'done' as const;
      },
    );
    const end = await Promise.race([done, worker.death]);
    if (end === 'dead') {
      run.excuses.add('*');
      alarms.add('died');
      await time.idle();
      memory = createMemory();
    } else {
      const tookMs = clock.monotonicMs() - startedMs;
      evaluate(
        'nothing is sent too late',
        tookMs <= LAMBDA_TIMEOUT_MS - MARGIN_MS,
        () => `a run took ${tookMs} ms`,
      );
      evaluate(
        'nothing is thrown',
        lines.every(({ event }) => event !== 'bug'),
        () => 'a bug in the log',
      );
      checkReport(run, lines, evaluate);
      if (!refusesAll) checkPoison(run, items, places, lines, evaluate);
    }
    run.gaveUp = end === 'dead' || lines.some(({ event }) => event === 'pending_given_up');
    const isTooOld = startedWallMs - ofTick > MAX_MESSAGE_AGE_MS;
    evaluate('nothing is sent too late', !(isTooOld && run.claimed), () => 'an old message was worked off');
    book.close(run);
    open.delete(run);
    return end === 'done';
  };

  const queue = createSimulatedQueue(time);
  const schedule = createDispatching({
    time,
    queue,
    evaluate,
    document: () =>
      documentOf(
        places.filter(({ vanishedUntil }) => ticks >= vanishedUntil),
        metricNames,
        plan.cluster,
      ),
    discover:
      cluster?.discover ??
      (({ staticConfigs: groups }) => Promise.resolve({ groups, complete: true, problems: [] })),
    isNamed:
      cluster?.isListed ??
      ((owner) => places.some(({ id, vanishedUntil }) => id === owner && ticks >= vanishedUntil)),
    items,
  });

  /** All that can be worked off before the next tick. */
  const workOffQueue = async (): Promise<void> => {
    for (let head = queue.receive(); head !== undefined; head = queue.receive()) {
      if (!('body' in head)) {
        if (head.visibleMs >= tickMs + 2 * TICK_MS) return;
        time.advanceTo(head.visibleMs);
        continue;
      }
      const message = head;
      if (message.receives > 1) happened('redelivered');
      const deadly = take('kill') ?? take('deploy');
      let other: Promise<unknown> = Promise.resolve();
      const second = (): void => {
        happened('twice');
        other = invoke(message, undefined);
      };
      const ended = await invoke(message, deadly, second);
      if (!ended && deadly !== undefined) happened(deadly.kind);
      await other;
      if (ended) queue.remove(message);
    }
  };

  const step = async ({ load, events: planned }: Step): Promise<void> => {
    ticks++;
    tally.ticks++;
    mischief.begin(planned);
    alarms.clear();
    metricNames = note(take('names')) ?? metricNames;
    const pause = take('pause');
    if (pause !== undefined) happened('pause');
    const [first] = living(places);
    if (pause?.vanishes === true && first !== undefined) first.vanishedUntil = ticks + 2;
    tickMs += TICK_MS + (pause?.hours ?? 0) * 3_600_000;
    const skipped = tickMs - TICK_MS;
    const delay = take('delay')?.seconds ?? 0;
    if (delay > 0) happened(delay > 59 ? 'delay long' : 'delay');
    const nowMs = Math.max(clock.wallMs() + 1_000, tickMs + delay * 1_000);
    cluster?.begin(ticks, nowMs);
    if (cluster !== undefined) mischief.each((event) => cluster.happen(event, ticks, nowMs));
    happen(load, places, mischief, { ticks, nowMs, outage, pages: book.pages });
    time.advanceTo(nowMs);
    catchUp();
    if (pause?.expires === true) expire();
    const how = note(take('schedule'));
    const dispatchOnce = (at: number): Promise<void> => schedule(at, note(take('dispatch')));
    if (how !== 'dropped') await dispatchOnce(tickMs);
    if (how === 'doubled') await dispatchOnce(tickMs);
    if (how === 'late') await dispatchOnce(skipped);
    await workOffQueue();
    for (const { id } of places) {
      const account = book.accounts.get(id);
      const item = [...items.values()].find(({ key }) => isOf(id)(key));
      const unseenMs = tickMs - (account?.known?.tickMs ?? tickMs);
      // Who dies between the commit and the log takes the word along.
      const isSaid = alarms.has('pending_given_up') || alarms.has('died');
      const givenUp = isSaid && unseenMs > MAX_STALENESS_MS;
      if (givenUp && alarms.has('pending_given_up')) happened('given up');
      if (account !== undefined) checkConservation(account, item, givenUp, evaluate);
    }
    if (broken !== undefined) throw new Error(`${broken} (checked at ${secondsOf(tickMs)})`);
  };

  /** DynamoDB's TTL, whenever it comes to it. */
  const expire = (): void => {
    for (const [key, { expiresAtMs }] of items) {
      if (expiresAtMs === undefined || expiresAtMs > clock.wallMs()) continue;
      happened('expire');
      items.delete(key);
      book.forgotten(ownerOfKey(key));
    }
  };

  /** No fault happens any more: all that is owed leaves within a bound. */
  const calmDown = async (): Promise<void> => {
    const pause = places.some(({ everPoison }) => everPoison.size > 0) ? MAX_PAUSE_TICKS + 1 : 0;
    /** How long deltas wait by what the shard's item says; a late claim may still add to it. */
    const waitTicks = (): number => {
      const shard = shards.get(0);
      const lost = (shard?.legacy.caution.unknowns ?? 0) + (shard?.unended ?? 0);
      return lost === 0 ? 0 : Math.min(2 ** (lost - 1), MAX_WAIT_TICKS);
    };
    // Of those that share an instance one sends at a tick.
    const calm = MAX_CALM_TICKS + places.length + pause;
    let bound = calm + waitTicks();
    outage.until = 0;
    cluster?.heal();
    for (const place of places) {
      place.vanishedUntil = 0;
      place.poison = undefined;
    }
    let owed: readonly (readonly [string, number])[] = [];
    for (let i = 0; i < bound; i++) {
      await step({ load: i + 1, events: [] });
      if (i === 0) bound = Math.max(bound, calm + waitTicks());
      owed = [...items.values()].flatMap((item) => [...heldBy(item)].filter(([, amount]) => amount > 0));
      const isKnown = living(places).every(({ id }) => [...items.keys()].some(isOf(id)));
      if (owed.length === 0 && isKnown) break;
    }
    evaluate(
      'D4 all leaves once faults stop',
      owed.length === 0,
      () => `${String(owed[0])} after ${bound} ticks`,
    );
    if (broken !== undefined) throw new Error(broken);
  };
  return { step, calmDown };
}

/** Whether what a vanished target owes leaves while another of its instance is scraped. */
function isBeforeItsSuccessor({ previews }: Run, points: readonly DecodedPoint[]): boolean {
  const up = new Set(points.filter(({ name }) => name === 'up').map(instanceOf));
  return points.some(
    (point) => point.type !== 'gauge' && up.has(instanceOf(point)) && !previews.has(ownerOf(point)),
  );
}
