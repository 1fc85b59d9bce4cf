/** One shard's run against a world in memory: what moves, what stays, what is written down. */
import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import { decodeBaseline } from '../../functions/core/baseline-format.ts';
import { createSeriesTable } from '../../functions/core/series.ts';
import { PENDING_GRACE_MS } from '../../functions/core/target-run.ts';
import {
  type Page,
  createWorld,
  deltasOf,
  gaugesOf,
  instanceOf,
  oneCounter,
  printPoint,
  target,
} from '../fakes/ports.ts';
import { T0_MS } from '../fakes/virtual-time.ts';
import { counters } from './story.ts';

const A = target('10.0.0.1:8000');
const B = target('10.0.0.2:8000');
const STALENESS_MS = 25 * 3_600_000;

describe('the story of a run', () => {
  test('D6, D3: a baseline, then growth, in windows that touch', async () => {
    const { run } = oneCounter();
    const first = await run(0, 5);
    assert.deepEqual(first.deltas, []);
    assert.deepEqual(first.report.drops, { initial: 1 });
    assert.deepEqual((await run(60, 7)).deltas, ['a_total 2 (0,60]']);
    assert.deepEqual((await run(120, 7)).deltas, ['a_total 0 (60,120]']);
    const last = await run(180, 10);
    assert.deepEqual(last.deltas, ['a_total 3 (120,180]']);
    assert.deepEqual(last.report.drops, {});
    assert.equal(last.report.pending, 0);
  });

  test('the claim comes first, the commit after the answer, the end last', async () => {
    const { run, calls } = oneCounter();
    await run(0, 5);
    const sequence = ['claim', 'load', `scrape ${A.instance}`, 'export', `commit ${A.instance}`, 'end'];
    assert.deepEqual(calls, sequence);
  });

  test('up and scrape_* leave with every run, at its tick', async () => {
    const { run, bodies } = oneCounter();
    await run(0, 5);
    await run(60, undefined);
    const about = (up: number, samples: number, added: number, tickS: number) => [
      `up ${up} @${tickS}`,
      `scrape_duration_seconds 0 @${tickS}`,
      `scrape_samples_scraped ${samples} @${tickS}`,
      `scrape_samples_post_metric_relabeling ${samples} @${tickS}`,
      `scrape_series_added ${added} @${tickS}`,
    ];
    assert.deepEqual(gaugesOf(bodies.slice(0, 1)), about(1, 1, 1, 0));
    assert.deepEqual(gaugesOf(bodies.slice(1)), about(0, 0, 0, 60));
  });

  test('the item says what a person wants to know', async () => {
    const { run } = oneCounter();
    await run(0, 5);
    const { item } = await run(60, 7);
    assert(item?.baseline !== undefined);
    const { baseline, ...rest } = item;
    assert.deepEqual(rest, {
      key: A.key,
      job: 'nim',
      instance: '10.0.0.1:8000',
      url: 'http://10.0.0.1:8000/v1/metrics',
      up: true,
      samples: 1,
      version: 2,
      writer: 'run-2',
      runTickMs: T0_MS + 60_000,
      intervalMs: 60_000,
      lastTickMs: T0_MS + 60_000,
      lastScrapeAtMs: T0_MS + 60_000,
      scrapeDurationMs: 0,
      lastExportAtMs: T0_MS + 60_000,
      lastOutcome: 'accepted',
      expiresAtMs: T0_MS + 60_000 + STALENESS_MS,
    });
    const decoded = decodeBaseline(baseline, createSeriesTable());
    assert(decoded.code === 'baseline');
    assert.deepEqual(decoded.baseline.series.get('a_total')?.last, [7]);
  });

  test('the report counts', async () => {
    const { run } = oneCounter();
    await run(0, 5);
    const { report } = await run(60, 7);
    const { targets, exports, ...rest } = report;
    assert.deepEqual(rest, {
      tickMs: T0_MS + 60_000,
      shard: 0,
      code: 'ended',
      pointsSent: 6,
      pointsRejected: 0,
      rejections: [],
      seriesTracked: 1,
      drops: {},
      pending: 0,
      caughtUp: 0,
      commitsFailed: 0,
      durationMs: 0,
    });
    const { key, job, instance } = A;
    assert.deepEqual(targets, [
      {
        key,
        job,
        instance,
        up: true,
        vanished: false,
        samples: 1,
        flipped: false,
        refusedLines: 0,
        points: 6,
        suspects: [],
        pending: 0,
      },
    ]);
    assert.deepEqual(
      exports.map(({ outcome, points, durationMs }) => [outcome.code, points, durationMs]),
      [['accepted', 6, 0]],
    );
  });

  test('no targets: nothing is posted, the run ends', async () => {
    const world = createWorld();
    const report = await world.run(0, []);
    assert.equal(report.code, 'ended');
    assert.deepEqual(world.calls, ['claim', 'load', 'end']);
  });
});

describe('the claim', () => {
  test('D2: a doubled or late message is left untouched', async () => {
    const { run, calls } = oneCounter();
    await run(60, 5);
    for (const tickS of [60, 0]) {
      calls.length = 0;
      const { report } = await run(tickS, 7);
      assert.equal(report.code, 'not_newer');
      assert.deepEqual(calls, ['claim']);
    }
    assert.deepEqual((await run(120, 8)).deltas, ['a_total 3 (60,120]']);
  });

  test('D2: no run exports without its shard item', async () => {
    const { run, script, calls } = oneCounter();
    await run(0, 5);
    for (const [tickS, fault] of [
      [60, 'failed'],
      [120, 'lost'],
      [180, 'hangs'],
    ] as const) {
      calls.length = 0;
      script.claim = () => fault;
      const { report } = await run(tickS, 7);
      assert.equal(report.code, 'failed');
      assert.match(report.message ?? '', /out of order/);
      assert.deepEqual(calls, ['claim']);
    }
    script.claim = () => undefined;
    assert.deepEqual((await run(300, 8)).deltas, ['a_total 3 (0,300]']);
  });
});

describe('what could not be loaded', () => {
  for (const code of ['unread', 'unreadable'] as const) {
    test(`D6: an ${code} target is no new target: left alone, the others go on`, async () => {
      const world = createWorld();
      world.script.scrape = () => counters({ a_total: 5 });
      await world.run(0, [A, B]);
      const before = world.items.get(A.key);
      world.script.scrape = () => counters({ a_total: 7 });
      world.script.load = (key) => (key === A.key ? code : undefined);
      world.calls.length = 0;
      const report = await world.run(60, [A, B]);
      assert(!world.calls.includes(`scrape ${A.instance}`));
      assert.equal(world.items.get(A.key), before);
      assert(world.bodies[1]?.points.every((point) => instanceOf(point) === B.instance));
      assert.deepEqual(
        report.targets.map(({ error, up }) => [error, up]),
        [
          [`state_${code}: cannot load the state: out of order`, false],
          [undefined, true],
        ],
      );
      world.script.load = () => undefined;
      await world.run(120, [A, B]);
      assert.deepEqual(deltasOf(world.bodies.slice(2)), ['a_total 2 (0,120]', 'a_total 0 (60,120]']);
    });
  }

  test('a baseline of a newer format, or a damaged one, is never overwritten', async () => {
    for (const damage of [
      (bytes: Uint8Array) => Uint8Array.of(99, ...bytes.slice(1)),
      (bytes: Uint8Array) => bytes.slice(0, -1),
    ]) {
      const { run, script, items, calls } = oneCounter();
      script.answer = () => 'retry';
      await run(0, 5);
      const { item } = await run(60, 7);
      assert(item?.baseline !== undefined);
      const damaged = { ...item, baseline: damage(item.baseline) };
      items.set(A.key, damaged);
      calls.length = 0;
      const { report } = await run(120, 8);
      assert.deepEqual(calls, ['claim', 'load', 'end']);
      assert.match(report.targets[0]?.error ?? '', /^state_unreadable: cannot read the baseline: /);
      assert.equal(report.caughtUp, 0);
      assert.equal(items.get(A.key), damaged);
    }
  });
});

describe('failed scrapes', () => {
  test('D10: a failed scrape moves nothing and is an up of 0', async () => {
    const { run, bodies } = oneCounter();
    await run(0, 5);
    const { item, deltas } = await run(60, undefined);
    assert.deepEqual(deltas, []);
    assert(gaugesOf(bodies.slice(1)).includes('up 0 @60'));
    assert.equal(item?.up, false);
    assert.equal(item.lastError, 'connect: cannot scrape: as scripted');
    assert.equal(item.lastTickMs, T0_MS);
    assert.equal(item.version, 2);
    assert.deepEqual((await run(120, 7)).deltas, ['a_total 2 (0,120]']);
  });

  test('a first scrape that fails leaves an item without a baseline', async () => {
    const { run } = oneCounter();
    const { item } = await run(0, undefined);
    assert.equal(item?.baseline, undefined);
    assert.equal(item?.expiresAtMs, T0_MS + STALENESS_MS);
    assert.deepEqual((await run(60, 5)).report.drops, { initial: 1 });
  });

  test('D4: what is pending leaves although the scrape fails', async () => {
    const { run, script } = oneCounter();
    await run(0, 5);
    script.answer = () => 'retry';
    await run(60, 7);
    script.answer = () => 'accepted';
    const { deltas, report } = await run(120, undefined);
    assert.deepEqual(deltas, ['a_total 2 (0,120]']);
    assert.equal(report.caughtUp, 1);
    assert.deepEqual((await run(180, undefined)).deltas, []);
    assert.deepEqual((await run(240, 8)).deltas, ['a_total 1 (120,240]']);
  });

  test('a page that is no page, or too long, is a failed scrape', async () => {
    const world = createWorld();
    const limited = target(A.instance, { sampleLimit: 2 });
    const run = async (tickS: number, page: string) => {
      world.script.scrape = () => page;
      return (await world.run(tickS, [limited])).targets[0];
    };
    assert.equal((await run(0, counters({ a_total: 6, b_total: 1 })))?.error, undefined);
    assert.match((await run(60, '<html>login</html>\n'))?.error ?? '', /^not_exposition: /);
    const over = await run(120, counters({ a_total: 7, b_total: 1, c_total: 1 }));
    assert.match(over?.error ?? '', /^sample_limit: /);
    assert.equal(over?.up, false);
    await run(180, counters({ a_total: 8, b_total: 1 }));
    assert.deepEqual(deltasOf(world.bodies), ['a_total 2 (0,180]', 'b_total 0 (0,180]']);
  });

  test('state_too_large refuses the page and keeps the state', async () => {
    const { run, script } = oneCounter();
    await run(0, 5);
    script.fits = () => false;
    const { item, deltas, report } = await run(60, 7);
    assert.deepEqual(deltas, []);
    assert.equal(report.targets[0]?.up, false);
    assert.match(item?.lastError ?? '', /^state_too_large: cannot keep the baseline: /);
    assert.equal(item?.lastTickMs, T0_MS);
    script.fits = () => true;
    assert.deepEqual((await run(120, 8)).deltas, ['a_total 3 (0,120]']);
  });
});

describe('one bad page hits one target only', () => {
  /** A page of one target beside a good one, twice. */
  async function beside(page: Page) {
    const world = createWorld();
    world.script.scrape = (of) => (of === A ? page : counters({ a_total: 5 }));
    await world.run(0, [A, B]);
    world.script.scrape = (of) => (of === A ? page : counters({ a_total: 7 }));
    const report = await world.run(60, [A, B]);
    const theirs = world.bodies[1]?.points.filter((point) => instanceOf(point) === B.instance) ?? [];
    assert(theirs.map(printPoint).includes('a_total 2 (0,60]'));
    assert.equal(report.targets[1]?.up, true);
    assert.equal(report.commitsFailed, 0);
    return report.targets[0];
  }

  test('a program error is named as such', async () => {
    for (const broken of ['text', undefined, 5]) {
      const bad = await beside({ broken });
      assert.equal(bad?.up, false);
      assert.match(bad.error ?? '', /^bug: TypeError/);
    }
  });

  test('times beyond all times are no times', async () => {
    const start = '# TYPE a_total counter\na_total 1\nprocess_start_time_seconds ';
    const created = '# TYPE a counter\na_total 1\na_created ';
    for (const page of [
      `${start}1e300\n`,
      `${start}1e308\n`,
      `${start}-1e300\n`,
      `${start}NaN\n`,
      `${created}1e300\n# EOF\n`,
      `${created}-1e300\n# EOF\n`,
      `${created}+Inf\n# EOF\n`,
    ]) {
      const odd = await beside(page);
      assert.deepEqual([odd?.up, odd?.error], [true, undefined], page);
    }
  });
});

describe('when an item expires', () => {
  test('D4, D9: days later while something is pending; never with max_staleness 0', async () => {
    const { run, script } = oneCounter();
    const { item: settled } = await run(0, 5);
    assert.equal(settled?.expiresAtMs, T0_MS + STALENESS_MS);
    assert.equal(settled.pendingSinceMs, undefined);
    script.answer = () => 'retry';
    const { item: pending } = await run(60, 7);
    assert.equal(pending?.expiresAtMs, T0_MS + 60_000 + STALENESS_MS + PENDING_GRACE_MS);
    assert.equal(pending.pendingSinceMs, T0_MS);
    assert.equal(pending.lastOutcome, 'retry: as scripted');
    assert.equal(pending.lastExportAtMs, T0_MS);

    const world = createWorld();
    world.script.scrape = () => counters({ a_total: 5 });
    await world.run(0, [A], { maxStalenessMs: 0 });
    assert.equal(world.items.get(A.key)?.expiresAtMs, undefined);
  });
});
