/**
 * One command per scrape, each in a process of its own, with nothing in common but the state directory: what arrives
 * adds up to what the pages showed, whatever happened in between.
 */
import { strict as assert } from 'node:assert';
import { after, before, describe, test } from 'node:test';
import { type Receiver, startReceiver } from '../../functions/cli/world/receiver.ts';
import {
  type Cleaner,
  type Ended,
  type JsonPoint,
  cli,
  pointsOf,
  targetArgs,
  temporaryDirectory,
} from './harness.ts';
import { type Answer, type PageServer, startPageServer } from './page-server.ts';
import {
  type ScriptedProcess,
  createScriptedProcess,
  moved,
  totalsOfLines,
  totalsReceived,
  windowProblems,
} from './scripted-process.ts';

const HOUR_MS = 3_600_000;
const NOW_MS = Date.now();
/** Not worth waiting for within a run: nothing is tried again, the run ends at once. */
const BUSY = { status: 503, headers: { 'retry-after': '60' } } as const;

/** The steps, one run each, by what happens before it. */
const STEPS = [
  'baseline',
  'growth',
  'new label value',
  'new metric',
  'silence',
  'restart',
  'refused',
  'restart, refused again',
  'accepted',
  'growth again',
] as const;
type StepName = (typeof STEPS)[number];
const REFUSED: readonly StepName[] = ['refused', 'restart, refused again'];

/** The same story for each kind of page. `outgrows`: the new life is past the old one's values when it is seen. */
function tell(process: ScriptedProcess, step: StepName, outgrows: boolean): void {
  switch (step) {
    case 'baseline':
      process.count('requests_total{status="ok"}', 1_000);
      process.observe('latency_seconds{model="a"}', 0.25, 0.5, 8, 0.75);
      return;
    case 'growth':
      process.count('requests_total{status="ok"}', 7);
      process.observe('latency_seconds{model="a"}', 3, 16);
      return;
    case 'new label value':
      process.count('requests_total{status="error"}', 2);
      process.observe('latency_seconds{model="b"}', 0.125, 2);
      return;
    case 'new metric':
      process.count('tokens_total', 30);
      process.observe('queue_seconds', 1, 5);
      return;
    case 'silence':
      return;
    case 'restart':
      // What it still counted, no page ever showed.
      process.count('requests_total{status="ok"}', 13);
      process.restart(NOW_MS + 60_000);
      process.count('requests_total{status="ok"}', 4);
      process.observe('latency_seconds{model="a"}', 0.5);
      return;
    case 'refused':
      process.count('requests_total{status="ok"}', 5);
      process.count('tokens_total', 6);
      process.observe('latency_seconds{model="a"}', 0.5, 3);
      return;
    case 'restart, refused again':
      process.restart(NOW_MS + 120_000);
      process.count('requests_total{status="ok"}', outgrows ? 50_000 : 8);
      process.count('tokens_total', outgrows ? 60 : 5);
      process.observe('latency_seconds{model="a"}', ...(outgrows ? Array<number>(9).fill(0.25) : [9]));
      return;
    case 'accepted':
    case 'growth again':
      process.count('requests_total{status="ok"}', 1);
      process.observe('queue_seconds', 0.5);
      return;
  }
}

interface Column {
  readonly process: ScriptedProcess;
  readonly outgrows: boolean;
  /** What it counted before the first scrape is ours. */
  readonly young?: true;
  /** Instead of the page at that step. */
  readonly faults?: Readonly<Partial<Record<StepName, Answer>>>;
}

/** Place of the histogram whose bounds change. */
const BOUNDS = 'bounds';
const OLD = NOW_MS - 5 * HOUR_MS;

const COLUMNS: Readonly<Record<string, Column>> = {
  'with a start time': {
    process: createScriptedProcess({ startMs: OLD, showStart: true }),
    outgrows: true,
  },
  'without a start time: a restart is a value that fell': {
    process: createScriptedProcess({ startMs: OLD, showStart: false }),
    outgrows: false,
  },
  'OpenMetrics with _created': {
    process: createScriptedProcess({ startMs: OLD, showStart: false, openMetrics: true }),
    outgrows: true,
  },
  'a new target that is younger than an hour counts from zero': {
    process: createScriptedProcess({ startMs: NOW_MS - 59 * 60_000, showStart: true }),
    outgrows: true,
    young: true,
  },
  'a new target that is older than an hour begins with a baseline': {
    process: createScriptedProcess({ startMs: NOW_MS - 61 * 60_000, showStart: true }),
    outgrows: true,
  },
  'scrapes that fail stand between': {
    process: createScriptedProcess({ startMs: OLD, showStart: true }),
    outgrows: true,
    faults: {
      growth: { status: 500, body: 'oops' },
      silence: { status: 404, body: 'not here' },
      refused: { status: 200, contentType: 'text/html', body: '<!doctype html><title>Login</title>' },
    },
  },
};

/** Bounds of a histogram that change, by step: its page, and its increase `count sum bounds buckets`. */
const BOUNDS_STORY: Readonly<Record<StepName, readonly [page: string, increase: string | undefined]>> = {
  baseline: [histogramPage(OLD, [1, 2], [10, 5, 1], 30), undefined],
  growth: [histogramPage(OLD, [1, 2], [12, 5, 2], 40), '3 10 [1,2] [2,0,1]'],
  // The same process: what was counted in between has no honest buckets.
  'new label value': [histogramPage(OLD, [1, 4], [13, 6, 1], 44), undefined],
  'new metric': [histogramPage(OLD, [1, 4], [14, 8, 1], 50), '3 6 [1,4] [1,2,0]'],
  silence: [histogramPage(OLD, [1, 4], [14, 8, 1], 50), '0 0 [1,4] [0,0,0]'],
  restart: [histogramPage(NOW_MS + 60_000, [2, 8], [3, 1, 1], 20), '5 20 [2,8] [3,1,1]'],
  refused: [histogramPage(NOW_MS + 60_000, [2, 8], [3, 2, 1], 24), undefined],
  'restart, refused again': [histogramPage(NOW_MS + 120_000, [4], [7, 1], 12), undefined],
  // One point per series and tick: the old bounds drain first.
  accepted: [histogramPage(NOW_MS + 120_000, [4], [8, 1], 13), '1 4 [2,8] [0,1,0]'],
  'growth again': [histogramPage(NOW_MS + 120_000, [4], [8, 2], 21), '10 21 [4] [8,2]'],
};

describe('a process for each scrape', { concurrency: 2 }, () => {
  describe('ten runs, one state directory', tenRuns);
  test('answers that are lost: pending stays, is delivered twice at most, and nothing else is', lostAnswers);
});

function tenRuns(): void {
  const servers = new Map<string, PageServer>();
  const runs: Ended[] = [];
  let receiver: Receiver;
  let step: StepName = 'baseline';

  before(async () => {
    receiver = await startReceiver({ answer: () => (REFUSED.includes(step) ? BUSY : undefined) });
    for (const [name, column] of Object.entries(COLUMNS)) {
      const answer = (): Answer => column.faults?.[step] ?? column.process.page();
      servers.set(name, await startPageServer(answer));
    }
    servers.set(BOUNDS, await startPageServer(() => BOUNDS_STORY[step][0]));
    const directory = await temporaryDirectory({ after });
    const addresses = [...servers.values()].map(({ address }) => address);
    const args = ['run', '--once', '-o', 'json', '--state', directory, '--endpoint', receiver.endpoint];
    for (step of STEPS) {
      for (const { process, outgrows } of Object.values(COLUMNS)) tell(process, step, outgrows);
      runs.push(await cli(...args, ...targetArgs(addresses)));
      if (step !== 'baseline') continue;
      for (const { process, young } of Object.values(COLUMNS)) if (young !== true) process.takeBaseline();
    }
  });

  after(async () => {
    await receiver.close();
    for (const server of servers.values()) await server.close();
  });

  test('exit code 1 where Dynatrace refused, and said so; else 0', () => {
    assert.deepEqual(
      runs.map(({ code }) => code),
      STEPS.map((name) => (REFUSED.includes(name) ? 1 : 0)),
    );
    for (const [i, { stderr, stdout }] of runs.entries()) {
      const refused = REFUSED.includes(STEPS[i] as StepName);
      assert.equal(/export of \d+ points: retry: .*status 503; .*sends it again/.test(stderr), refused);
      assert.equal(stdout === '', refused);
    }
  });

  for (const [name, { process }] of Object.entries(COLUMNS)) {
    test(`${name}: the sums of all deltas are the truth`, () => {
      const truth = moved(process.truth());
      const { address } = servers.get(name) as PageServer;
      assert(Object.keys(truth).length > 15);
      assert.deepEqual(moved(totalsOfLines(runs.flatMap(pointsOf), address)), truth);
      assert.deepEqual(moved(totalsReceived(receiver, address)), truth);
    });
  }

  test('bounds that change: without a restart a baseline only, with one all of it counts', () => {
    const { address } = servers.get(BOUNDS) as PageServer;
    const increases = runs.map((run) =>
      pointsOf(run)
        .filter(
          ({ name, attributes }) => name === 'wait_seconds' && attributes['service.instance.id'] === address,
        )
        .map(({ count, sum, bounds, buckets }) =>
          [count, sum, ...[bounds, buckets].map((list) => JSON.stringify(list))].join(' '),
        ),
    );
    assert.deepEqual(
      increases,
      STEPS.map((name) => BOUNDS_STORY[name].slice(1).filter((text) => text !== undefined)),
    );
    assert.match(runs[STEPS.indexOf('new label value')]?.stderr ?? '', /^not sent: 1 bucket_mismatch /m);
  });

  test('windows touch, nothing is negative, Dynatrace has nothing to object to', () => {
    const ticks = new Set(runs.flatMap(pointsOf).map(({ tick }) => tick));
    assert.equal(ticks.size, STEPS.length - REFUSED.length);
    assert.deepEqual(windowProblems(runs.flatMap(pointsOf)), []);
    assert.deepEqual(receiver.violations, []);
  });

  test('silence is a zero, and after an outage one point carries the gap', () => {
    const { address } = servers.get('with a start time') as PageServer;
    const requests = (at: StepName): readonly (readonly [JsonPoint['value'], string | null])[] =>
      pointsOf(runs[STEPS.indexOf(at)] as Ended)
        .filter(({ name, attributes }) => name === 'requests_total' && attributes['status'] === 'ok')
        .filter(({ attributes }) => attributes['service.instance.id'] === address)
        .map(({ value, start }) => [value, start]);
    const tickOf = (at: StepName) => pointsOf(runs[STEPS.indexOf(at)] as Ended)[0]?.tick ?? null;
    assert.deepEqual(requests('baseline'), []);
    assert.deepEqual(requests('silence'), [[0, tickOf('new metric')]]);
    assert.deepEqual(requests('accepted'), [[5 + 50_000 + 1, tickOf('restart')]]);
  });

  test('what is not sent at first sight is said, with the reason', () => {
    // Of each of the five that are old: a counter and a histogram; and one with bounds of its own.
    assert.match(runs[0]?.stderr ?? '', /^not sent: 11 initial \(first sight: a baseline, /m);
    assert.doesNotMatch(runs[STEPS.indexOf('silence')]?.stderr ?? '', /^not sent: /m);
  });

  test('a failed scrape is `up` 0, is named with its cause, and moves nothing', () => {
    const { address } = servers.get('scrapes that fail stand between') as PageServer;
    const lines = runs.map(({ stderr }) => stderr.split('\n').filter((line) => line.startsWith(address)));
    const causes = [/: status: .*status 500/, /: status: .*404/, /: status: .*a page in HTML/];
    const failed = ['growth', 'silence', 'refused'].map((at) => lines[STEPS.indexOf(at as StepName)]?.join());
    failed.forEach((line, i) => assert.match(line ?? '', causes[i] as RegExp));
    assert.equal(lines.flat().length, 3);
    const growth = pointsOf(runs[STEPS.indexOf('growth')] as Ended).filter(
      ({ attributes }) => attributes['service.instance.id'] === address,
    );
    assert.equal(growth.find(({ name }) => name === 'up')?.value, 0);
    assert(growth.every(({ type }) => type === 'gauge'));
  });
}

async function lostAnswers(context: Cleaner): Promise<void> {
  const directory = await temporaryDirectory(context);
  const counted = createScriptedProcess({ startMs: NOW_MS - 60_000, showStart: true });
  const server = await startPageServer(() => counted.page());
  let lost = true;
  const receiver = await startReceiver({ answer: () => (lost ? { acceptAndReset: true } : undefined) });
  const args = ['--target', server.address, '--endpoint', receiver.endpoint, '--state', directory];
  try {
    counted.count('requests_total', 5);
    counted.observe('latency_seconds', 0.25, 2);
    const first = await cli('run', '--once', ...args);
    assert.equal(first.code, 1);
    assert.match(first.stdout, /^tick \S+: 0 points delivered, 2 series pending, /);
    assert.match(first.stderr, /export of \d+ points: unknown: .*whether the body was accepted is not known/);
    // All of it arrived, and none of it is known to have.
    const surplus = moved(counted.truth());
    assert.deepEqual(moved(totalsReceived(receiver, server.address)), surplus);

    lost = false;
    for (const by of [3, 4]) {
      counted.count('requests_total', by);
      counted.observe('latency_seconds', 1);
      const { code, stdout } = await cli('run', '--once', ...args);
      assert.equal(code, 0);
      assert.match(stdout, / 0 series pending, /);
    }
    const truth = moved(counted.truth());
    assert.deepEqual(
      moved(totalsReceived(receiver, server.address)),
      Object.fromEntries(Object.entries(truth).map(([key, value]) => [key, value + (surplus[key] ?? 0)])),
    );
  } finally {
    await server.close();
    await receiver.close();
  }
}

function histogramPage(startMs: number, bounds: readonly number[], buckets: readonly number[], sum: number) {
  const count = buckets.reduce((total, bucket) => total + bucket, 0);
  const cumulative = buckets.map((_, i) => buckets.slice(0, i + 1).reduce((a, b) => a + b, 0));
  const lines = cumulative.map((value, i) => `wait_seconds_bucket{le="${bounds[i] ?? '+Inf'}"} ${value}`);
  const head = [`process_start_time_seconds ${startMs / 1000}`, '# TYPE wait_seconds histogram'];
  return `${[...head, ...lines, `wait_seconds_sum ${sum}`, `wait_seconds_count ${count}`].join('\n')}\n`;
}
