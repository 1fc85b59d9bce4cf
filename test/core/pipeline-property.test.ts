/**
 * Short random worlds against a ledger of what truly happened. Every series of every target is followed part by part
 * (a histogram is its sum and each of its buckets): what Dynatrace holds and what the committed state still owes make
 * up what was counted between the first and the last committed scrape (D1), but for what left twice because a commit or
 * an answer was lost.
 */
import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { MAX_WAIT_TICKS } from '../../functions/core/caution.ts';
import type { DecodedPoint } from '../../functions/cli/world/otlp-decoder.ts';
import { decodeBaseline } from '../../functions/core/baseline-format.ts';
import type { Target } from '../../functions/core/model.ts';
import { increase } from '../../functions/core/series-state.ts';
import { createSeriesTable } from '../../functions/core/series.ts';
import {
  type Answer,
  type SentBody,
  type World,
  createWorld,
  instanceOf,
  printPoint,
  target,
} from '../fakes/ports.ts';
import type { Fault } from '../fakes/store.ts';
import { T0_MS } from '../fakes/virtual-time.ts';

const TARGETS = [target('10.0.0.1:8000'), target('10.0.0.2:8000')];
const INTERVAL_S = 60;
/** Random worlds of each kind, a second or two. */
const RUNS = 200;
/** Before the world began: a first sight of this process is a baseline only. */
const LONG_AGO_S = -100_000;
/** One process, what it has counted so far in its life, and what it shows. */
interface Life {
  readonly startS: number;
  readonly parts: Map<string, number>;
}

/** What happens to one target until a tick and at it. */
interface TargetStep {
  /** Added before and after the restart, if there is one; to each part in turn. */
  readonly counted: readonly number[];
  readonly countedSince: readonly number[];
  readonly restarts: 0 | 1 | 2;
  readonly hides: boolean;
  readonly scrape: 'page' | 'fails' | 'hangs';
  readonly unread: boolean;
  readonly commits: readonly (Fault | 'conflict' | undefined)[];
}

interface Step {
  readonly targets: readonly TargetStep[];
  readonly answers: readonly Answer[];
  /** Larger bodies are refused with 413. */
  readonly maxPoints: number;
  readonly claim: Fault | undefined;
  readonly end: Fault | undefined;
}

const PARTS = [
  'a_total/0',
  'b_total{x="1"}/0',
  'b_total{x="2"}/0',
  'wait/0',
  'wait/1',
  'wait/2',
  'wait/3',
  'size/0',
  'size/1',
] as const;

/** A label set that is shown from its first increment on, as clients do it, and may be away for a while. */
const LATE = 'b_total{x="2"}/0';

function pageOf({ parts, startS }: Life, hides: boolean): string {
  const value = (part: (typeof PARTS)[number]): number => parts.get(part) ?? 0;
  const [one, two, more] = [value('wait/1'), value('wait/2'), value('wait/3')];
  const late = hides || !parts.has(LATE) ? '' : `b_total{x="2"} ${value(LATE)}\n`;
  return `# TYPE a_total counter
a_total ${value('a_total/0')}
# TYPE b_total counter
b_total{x="1"} ${value('b_total{x="1"}/0')}
${late}# TYPE wait histogram
wait_bucket{le="1"} ${one}
wait_bucket{le="2"} ${one + two}
wait_bucket{le="+Inf"} ${one + two + more}
wait_count ${one + two + more}
wait_sum ${value('wait/0')}
# TYPE size summary
size_sum ${value('size/0')}
size_count ${value('size/1')}
# TYPE process_start_time_seconds gauge
process_start_time_seconds ${T0_MS / 1000 + startS}
`;
}

/** The parts of a delta point, as the state numbers them. */
function partsOf(point: DecodedPoint): readonly (readonly [part: string, amount: number])[] {
  const labels = point.attributes
    .filter(([key]) => key === 'x')
    .map((pair) => `{x=${JSON.stringify(pair[1])}}`);
  const { histogram, value = NaN } = point;
  if (histogram !== undefined)
    return [histogram.sum ?? NaN, ...histogram.buckets].map((amount, i) => [`${point.name}/${i}`, amount]);
  if (point.name === 'size_sum') return [['size/0', value]];
  if (point.name === 'size_count') return [['size/1', value]];
  return [[`${point.name}${labels.join('')}/0`, value]];
}

/** One target's truth. */
interface Ledger {
  life: Life;
  /** Of the last committed scrape; undefined before the first. */
  committed: { readonly life: Life; readonly shown: Map<string, number>; readonly tickS: number } | undefined;
  /** Counted between the first and the last committed scrape. */
  readonly due: Map<string, number>;
  readonly delivered: Map<string, number>;
  /** Delivered by runs or bodies of which the state does not know. */
  readonly surplus: Map<string, number>;
  /** Where the next window begins, as far as the state knows. */
  readonly ends: Map<string, number>;
}

function add(to: Map<string, number>, part: string, amount: number): void {
  to.set(part, (to.get(part) ?? 0) + amount);
}

function live(ledger: Ledger, step: TargetStep, tickS: number): void {
  count(ledger.life, step.counted);
  for (let i = 0; i < step.restarts; i++) {
    ledger.life = { startS: tickS - 40 + 20 * i, parts: new Map() };
    count(ledger.life, step.countedSince);
  }
}

function count({ parts }: Life, amounts: readonly number[]): void {
  for (const [i, part] of PARTS.entries()) {
    const amount = amounts[i] ?? 0;
    if (part !== LATE || amount > 0) add(parts, part, amount);
  }
}

/** D1, D6: what a committed scrape adds to what is due; of a first one, only what a young process has counted. */
function commitScrape(ledger: Ledger, hides: boolean, tickS: number): void {
  const { life, committed, due, ends } = ledger;
  const isYoung = life.startS !== LONG_AGO_S;
  const beginS = committed?.tickS ?? (isYoung ? tickS - INTERVAL_S : tickS);
  const seen = committed?.life === life ? committed.shown : new Map<string, number>();
  const shown = new Map(seen);
  for (const [part, value] of life.parts) {
    if (part === LATE && hides) continue;
    if (committed !== undefined || isYoung) add(due, part, value - (seen.get(part) ?? 0));
    shown.set(part, value);
    if (!ends.has(part)) ends.set(part, beginS);
  }
  ledger.committed = { life, shown, tickS };
}

function pendingOf(world: World, { key }: Target): Map<string, number> {
  const pending = new Map<string, number>();
  const baseline = world.items.get(key)?.baseline;
  if (baseline === undefined) return pending;
  const decoded = decodeBaseline(baseline, createSeriesTable());
  assert(decoded.code === 'baseline');
  for (const state of [...decoded.baseline.series.values(), ...decoded.baseline.draining]) {
    for (const [i, amount] of increase(state).entries()) add(pending, `${state.series.key}/${i}`, amount);
  }
  return pending;
}

/** Takes in what one run did to one target, and holds it against D1 to D3. */
function settleTarget(world: World, of: Target, ledger: Ledger, step: TargetStep, run: RunFacts): void {
  const { tickS, bodies } = run;
  const written = run.writes.filter(({ item }) => item.key === of.key);
  const stored = world.items.get(of.key);
  if (stored?.lastTickMs === T0_MS + tickS * 1000) commitScrape(ledger, step.hides, tickS);
  // The state knows of a delivery if the run's last write took it in.
  const recorded = written.at(-1)?.applied === true;
  const series = new Set<string>();
  for (const { stored: kept, rejected, answer } of bodies) {
    for (const point of [...kept, ...rejected]) {
      if (point.type === 'gauge' || instanceOf(point) !== of.instance) continue;
      const about = `${printPoint(point)} at ${tickS}`;
      const startS = (Number(point.startNs / 1_000_000n) - T0_MS) / 1000;
      const endS = (Number(point.timeNs / 1_000_000n) - T0_MS) / 1000;
      for (const [part, amount] of partsOf(point)) {
        assert(amount >= 0, `D2: negative: ${about}`);
        assert(!series.has(part), `one point per series and tick: ${about}`);
        series.add(part);
        add(ledger.delivered, part, amount);
        const known = recorded && answer !== 'unknown_stored';
        if (!known) add(ledger.surplus, part, amount);
        assert.equal(endS, tickS, `D3: ends at the tick: ${about}`);
        assert(startS < endS, `D3: begins before it ends: ${about}`);
        const touches = ledger.ends.get(part);
        if (touches === undefined)
          assert(startS % INTERVAL_S === 0 && startS >= -INTERVAL_S, `D3: begins: ${about}`);
        else assert.equal(startS, touches, `D3: windows touch: ${about}`);
        if (known) ledger.ends.set(part, tickS);
      }
    }
  }
  if (series.size > 0 && run.uncommitted.includes(of.key))
    assert(written.length === 2 && written[0]?.applied, `D2: written first: ${of.instance} at ${tickS}`);
  const pending = pendingOf(world, of);
  for (const part of PARTS) {
    const held =
      (ledger.delivered.get(part) ?? 0) - (ledger.surplus.get(part) ?? 0) + (pending.get(part) ?? 0);
    assert.equal(held, ledger.due.get(part) ?? 0, `D1: ${of.instance} ${part} at ${tickS}`);
  }
}

interface RunFacts {
  readonly tickS: number;
  /** Targets that the shard's item named as uncommitted when the run began. */
  readonly uncommitted: readonly string[];
  readonly bodies: readonly SentBody[];
  readonly writes: World['writes'];
}

const QUIET: TargetStep = {
  counted: [],
  countedSince: [],
  restarts: 0,
  hides: false,
  scrape: 'page',
  unread: false,
  commits: [],
};

function cleanStep(changes: Partial<TargetStep>): Step {
  const targets = TARGETS.map(() => ({ ...QUIET, ...changes }));
  return { targets, answers: [], maxPoints: Infinity, claim: undefined, end: undefined };
}

const ONE_EACH = PARTS.map(() => 1);

/** Once faults stop, a run leaves nothing owed: without a page, without a label set, at last with all of them. */
function cleanSteps(order: number): readonly Step[] {
  const first = [cleanStep({ scrape: 'fails' }), cleanStep({ hides: true, counted: ONE_EACH })];
  return [...(order % 2 === 0 ? first : first.reverse()), cleanStep({ counted: ONE_EACH })];
}

/** The steps; then quiet ones while the shard is still careful (D2), then those after which nothing may be owed. */
function* script(
  world: World,
  steps: readonly Step[],
): Iterable<{ readonly step: Step; readonly clean: boolean }> {
  for (const step of steps) yield { step, clean: false };
  for (let i = 0; i <= MAX_WAIT_TICKS && isCareful(world); i++) yield { step: cleanStep({}), clean: false };
  for (const step of cleanSteps(steps.length)) yield { step, clean: true };
}

function isCareful({ shards }: World): boolean {
  const shard = shards.get(0);
  return shard !== undefined && (shard.unended > 0 || shard.legacy.caution.unknowns > 0);
}

async function play(steps: readonly Step[]): Promise<readonly Ledger[]> {
  const world = createWorld();
  const ledgers = TARGETS.map((): Ledger => ({
    life: { startS: LONG_AGO_S, parts: new Map() },
    committed: undefined,
    due: new Map(),
    delivered: new Map(),
    surplus: new Map(),
    ends: new Map(),
  }));
  let tickS = -INTERVAL_S;
  for (const { step, clean } of script(world, steps)) {
    tickS += INTERVAL_S;
    const [bodies, writes] = [world.bodies.length, world.writes.length];
    const uncommitted = world.shards.get(0)?.legacy.uncommitted ?? [];
    const ofTarget = ({ key }: { readonly key: string }): TargetStep =>
      step.targets[TARGETS.findIndex((one) => one.key === key)] ?? QUIET;
    for (const [k, ledger] of ledgers.entries()) live(ledger, step.targets[k] ?? QUIET, tickS);
    const commits = new Map<string, number>();
    const { script } = world;
    script.claim = () => step.claim;
    script.end = () => step.end;
    script.load = (key) => (ofTarget({ key }).unread ? 'unread' : undefined);
    script.commit = ({ key }) => {
      const nth = commits.get(key) ?? 0;
      commits.set(key, nth + 1);
      return ofTarget({ key }).commits[nth];
    };
    script.answer = (points, nth) =>
      points.length > step.maxPoints ? 'too_large' : (step.answers[nth] ?? 'accepted');
    script.scrape = (of) => {
      const { scrape, hides } = ofTarget(of);
      const ledger = ledgers[TARGETS.findIndex(({ key }) => key === of.key)];
      if (scrape !== 'page' || ledger === undefined)
        return scrape === 'hangs' ? { hangs: true } : { fails: 'connect' };
      return pageOf(ledger.life, hides);
    };
    await world.run(tickS, TARGETS, { deadlineMs: world.monotonicMs() + 50_000 });
    const run = {
      tickS,
      uncommitted,
      bodies: world.bodies.slice(bodies),
      writes: world.writes.slice(writes),
    };
    const unknown = run.bodies.findIndex(
      ({ answer }) => typeof answer === 'string' && LOST_ANSWERS.includes(answer),
    );
    assert(
      unknown < 0 || unknown === run.bodies.length - 1,
      `D2: a body after an unknown outcome at ${tickS}`,
    );
    for (const [k, of] of TARGETS.entries()) {
      settleTarget(world, of, ledgers[k] as Ledger, step.targets[k] ?? QUIET, run);
      const owed = clean ? [...pendingOf(world, of)].filter(([, amount]) => amount !== 0) : [];
      assert.deepEqual(owed, [], `D4: all has left at ${tickS}`);
    }
  }
  return ledgers;
}

/** After these nobody can tell whether Dynatrace has the body. */
const LOST_ANSWERS: readonly Answer[] = ['unknown', 'unknown_stored', 'hangs'];

/** Mostly the first, now and then one of the others. */
function mostly<T>(usual: T, ...others: readonly T[]): fc.Arbitrary<T> {
  return fc.oneof({ arbitrary: fc.constant(usual), weight: 3 * others.length }, fc.constantFrom(...others));
}

const amounts = fc.array(fc.nat({ max: 5 }), { minLength: PARTS.length, maxLength: PARTS.length });

function targetStep(commit: fc.Arbitrary<Fault | 'conflict' | undefined>): fc.Arbitrary<TargetStep> {
  return fc.record({
    counted: amounts,
    countedSince: amounts,
    restarts: mostly<0 | 1 | 2>(0, 1, 2),
    hides: mostly(false, true),
    scrape: mostly<TargetStep['scrape']>('page', 'fails', 'hangs'),
    unread: mostly(false, true),
    commits: fc.array(commit, { maxLength: 2 }),
  });
}

function steps(
  commit: fc.Arbitrary<Fault | 'conflict' | undefined>,
  lostAnswers: readonly Answer[],
): fc.Arbitrary<Step[]> {
  const answer = mostly<Answer>(
    'accepted',
    { partial: 2 },
    'partial',
    'malformed',
    'refused',
    'retry',
    'unknown',
    'waiting_for_token',
    ...lostAnswers,
  );
  const fault = mostly<Fault | undefined>(undefined, 'failed', 'lost');
  const step = fc.record({
    targets: fc.tuple(targetStep(commit), targetStep(commit)),
    answers: fc.array(answer, { maxLength: 6 }),
    maxPoints: mostly(Infinity, 0, 1, 2, 5),
    claim: fault,
    end: fault,
  });
  return fc.array(step, { maxLength: 12 });
}

describe('random worlds', () => {
  test('D1, D2, D3: nothing is lost and nothing leaves twice while commits succeed', async () => {
    const always = fc.constant(undefined);
    await fc.assert(
      fc.asyncProperty(steps(always, []), async (world) => {
        const ledgers = await play(world);
        for (const { surplus } of ledgers) assert.deepEqual([...surplus.values()].filter(Boolean), []);
      }),
      { numRuns: RUNS },
    );
  });

  test('D1, D2: with lost commits and answers, only what they carried leaves twice', async () => {
    const commit = mostly<Fault | 'conflict' | undefined>(undefined, 'failed', 'lost', 'conflict', 'hangs');
    await fc.assert(
      fc.asyncProperty(steps(commit, ['unknown_stored', 'hangs']), async (world) => {
        await play(world);
      }),
      { numRuns: RUNS },
    );
  });
});
