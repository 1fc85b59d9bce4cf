/**
 * The world: NIM targets, a scheduler, a queue, workers, a store and a Dynatrace, played along a plan. The shipped
 * dispatch and worker logic runs in it; the ledger is asked after every step.
 */
import type { LogRecord } from '../../functions/adapters/log.ts';
import type { OwingKeys } from '../../functions/adapters/owing-dynamodb.ts';
import type { PlanningPorts } from '../../functions/core/planning.ts';
import { createMemory } from '../../functions/core/point-names.ts';
import type { Export, Ports, Scrape } from '../../functions/core/ports.ts';
import type { ShardMessage } from '../../functions/core/work.ts';
import { dispatch } from '../../functions/dispatch/dispatch.ts';
import { createToldOnce } from '../../functions/core/told-once.ts';
import { workOff } from '../../functions/scrape/work-off.ts';
import { createStore } from '../fakes/store.ts';
import { T0_MS, createVirtualTime } from '../fakes/virtual-time.ts';
import type { Event, Plan, Step } from './commands.ts';
import { createDynatrace } from './dynatrace.ts';
import { type Invariant, checkConservation, heldBy, secondsOf } from './ledger.ts';
import { createMischief } from './mischief.ts';
import { MAX_STALENESS_MS, type Place, TICK_MS, createPlaces, isAt, isOf, pageOf } from './places.ts';
import { happen } from './happenings.ts';
import { checkPoison, checkReport } from './reports.ts';
import { type Run, createBook } from './runs.ts';
import {
  LAMBDA_TIMEOUT_MS,
  type Death,
  type Message,
  type Mortal,
  createSimulatedQueue,
  memoryLog,
  mortal,
  queuePort,
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
  const happened = (kind: string): void => void tally.faults.set(kind, (tally.faults.get(kind) ?? 0) + 1);
  const places = createPlaces(plan.nims);
  const mischief = createMischief(happened);
  const { take, note } = mischief;
  const book = createBook(
    places.map(({ address }) => address),
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
      load: (key) => note(take('load', (event) => isOf(addressOf(event.of))(key))),
      fits: () => true,
      commit: ({ instance, writer }) => {
        const how = note(take('commit', isAt(places, instance)));
        if (how !== undefined && how !== 'lost') excuse(instance, writer);
        return how;
      },
      end: () => note(take('end')),
    },
    onWrite: ({ item, applied }) => {
      // Whoever loaded the item before will meet a conflict.
      if (applied)
        for (const run of open) if (!item.writer.startsWith(run.id)) run.excuses.add(item.instance);
      book.written(item, applied);
    },
    onClaim: book.claimed,
    onEnd: book.ended,
  });
  const addressOf = (of: number): string => (places[of % places.length] as Place).address;
  const excuse = (instance: string, writer: string): void => {
    for (const run of open) if (writer.replace(/-first$/, '') === run.id) run.excuses.add(instance);
  };

  const scrapeFor =
    (run: Run, worker: () => Mortal): Scrape =>
    async (target, deadlineMs) => {
      const place = places.find(({ address }) => address === target.address) as Place;
      // An outage of 400s with an accepted part in it can make suspects of all gauges (D12).
      run.hasGauges = !refusesAll;
      const how = note(take('scrape', isAt(places, place.address)));
      if (how === 'kills') return worker().die();
      if (how === 'hangs')
        await time.sleepUntil(Math.min(deadlineMs, clock.monotonicMs() + target.timeoutMs));
      if (how === 'hangs' || how === 'connect')
        return { code: how === 'hangs' ? 'timeout' : 'connect', message: 'as simulated' };
      if (how === 'html')
        return { code: 'page', body: bytes('<html></html>\n'), path: '/v1/metrics', complete: true };
      const moment = { tickMs, nowMs: clock.wallMs(), known: book.accounts.get(place.address)?.known };
      const page = pageOf(place, places, mischief, moment);
      book.scraped(run, place.address, page);
      const dated = place.nim.kind.aheadS === undefined ? {} : { dateMs: page.scrapedAtMs };
      const complete = page.torn !== 'all';
      return { code: 'page', body: bytes(page.text), path: '/v1/metrics', complete, ...dated };
    };
  const exportFor = (run: Run): Export =>
    createDynatrace(
      {
        answer: (nth) => take('answer', (event) => event.nth === nth)?.how,
        outage: () => (ticks < outage.until ? outage.how : undefined),
        isPoison: (instance, key) =>
          places.some(
            ({ address, poison }) => address === instance && poison?.key === key && ticks < poison.until,
          ),
        maxPoints: () => mischief.limit(),
        onFault: (kind) => {
          refusesAll ||= kind === 'malformed';
          happened(kind === 'poison' || kind === 'limit' ? kind : `answer ${kind}`);
        },
      },
      time,
      (body) => book.posted(run, body, clock.monotonicMs()),
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
    const named = places.map(({ address }) => address);
    const run = book.begin(
      id,
      ofTick,
      startedMs + Math.min(LAMBDA_TIMEOUT_MS, visibleForMs) - MARGIN_MS,
      named.filter((one) => targets.some(({ address }) => address === one) || drains.some(isOf(one))),
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
  const dispatchMemory = {};
  const planning: PlanningPorts = {
    histories: () => Promise.resolve(new Map()),
    discover: ({ staticConfigs: groups }) => Promise.resolve({ groups, complete: true, problems: [] }),
  };
  const schedule = async (scheduledMs: number): Promise<void> => {
    const named = places.filter(({ vanishedUntil }) => ticks >= vanishedUntil);
    const value = documentOf(
      named.map(({ address }) => address),
      metricNames,
    );
    const how = note(take('dispatch'));
    const documents = [
      { name: '/nim-to-dynatrace/targets/nim', value, version: 1, type: 'String' as const },
    ].filter(() => named.length > 0);
    const parameters = {
      targetDocuments: () =>
        Promise.resolve(
          how === 'unread'
            ? ({ code: 'failed', message: 'as simulated' } as const)
            : ({ code: 'read', documents } as const),
        ),
      earlierVersions: () => Promise.resolve({ code: 'read' as const, versions: [] }),
      endpoint: () => Promise.resolve({ code: 'absent' as const }),
      token: () => Promise.resolve({ code: 'absent' as const }),
    };
    await dispatch(
      { scheduledTime: new Date(scheduledMs).toISOString() },
      {
        clock,
        parameters,
        planning,
        prefix: '/nim-to-dynatrace',
        maxStalenessMs: MAX_STALENESS_MS,
        memory: dispatchMemory,
        owing: { keys: () => Promise.resolve(owingKeys()) },
        record: () => Promise.resolve(undefined),
        queue: queuePort(queue, () => (how === 'unsent' || how === 'lost' ? how : undefined)),
        log: memoryLog((event) => evaluate('nothing is thrown', event !== 'bug', () => event)),
        metrics: { publish: () => undefined },
      },
      clock.monotonicMs() + 20_000,
    ).catch((error: unknown) => evaluate('nothing is thrown', false, () => String(error)));
  };

  /** The sparse index over items with something pending, oldest first. */
  const owingKeys = (): OwingKeys => {
    const owing = [...items.values()].filter(({ pendingSinceMs }) => pendingSinceMs !== undefined);
    owing.sort((a, b) => (a.pendingSinceMs ?? 0) - (b.pendingSinceMs ?? 0));
    return { code: 'read', keys: owing.map(({ key }) => key) };
  };

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
    if (pause?.vanishes === true) (places[0] as Place).vanishedUntil = ticks + 2;
    tickMs += TICK_MS + (pause?.hours ?? 0) * 3_600_000;
    const skipped = tickMs - TICK_MS;
    const delay = take('delay')?.seconds ?? 0;
    if (delay > 0) happened(delay > 59 ? 'delay long' : 'delay');
    const nowMs = Math.max(clock.wallMs() + 1_000, tickMs + delay * 1_000);
    happen(load, places, mischief, { ticks, nowMs, outage, pages: book.pages });
    time.advanceTo(nowMs);
    catchUp();
    if (pause?.expires === true) expire();
    const how = note(take('schedule'));
    if (how !== 'dropped') await schedule(tickMs);
    if (how === 'doubled') await schedule(tickMs);
    if (how === 'late') await schedule(skipped);
    await workOffQueue();
    for (const { address } of places) {
      const account = book.accounts.get(address);
      const item = [...items.values()].find(({ instance }) => instance === address);
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
    for (const [key, { expiresAtMs, instance }] of items) {
      if (expiresAtMs === undefined || expiresAtMs > clock.wallMs()) continue;
      happened('expire');
      items.delete(key);
      book.forgotten(instance);
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
    let bound = MAX_CALM_TICKS + waitTicks() + pause;
    outage.until = 0;
    for (const place of places) {
      place.vanishedUntil = 0;
      place.poison = undefined;
    }
    let owed: readonly (readonly [string, number])[] = [];
    for (let i = 0; i < bound; i++) {
      await step({ load: i + 1, events: [] });
      if (i === 0) bound = Math.max(bound, MAX_CALM_TICKS + waitTicks() + pause);
      owed = [...items.values()].flatMap((item) => [...heldBy(item)].filter(([, amount]) => amount > 0));
      if (owed.length === 0 && items.size === places.length) break;
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

/** Both ways of writing the same targets. */
function documentOf(addresses: readonly string[], metricNames: 'nim' | 'raw'): string {
  if (metricNames === 'nim') return addresses.join(' ');
  const job = { job_name: 'nim', static_configs: [{ targets: addresses }] };
  return JSON.stringify({ scrape_configs: [{ ...job, dynatrace: { metric_names: metricNames } }] });
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
