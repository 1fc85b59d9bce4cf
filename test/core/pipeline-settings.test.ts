/** What a job's settings make of a page: labels, relabelling, limits, timestamps. */
import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import type { Labels, Target } from '../../functions/core/model.ts';
import { MAX_VIEWED_SERIES, MAX_VIEWS, type PageViews, trimViews } from '../../functions/core/page-view.ts';
import { DEFAULT_RELABEL_CONFIG } from '../../functions/core/relabel/relabel.ts';
import type { RelabelConfig } from '../../functions/core/scrape-config.ts';
import { createWorld, deltasOf, gaugesOf, target } from '../fakes/ports.ts';
import { T0_MS } from '../fakes/virtual-time.ts';

const ADDRESS = '10.0.0.1:8000';

function rule(given: Partial<RelabelConfig>): RelabelConfig {
  return { ...DEFAULT_RELABEL_CONFIG, ...given };
}

const drop = (regex: string): RelabelConfig => rule({ action: 'drop', sourceLabels: ['__name__'], regex });

/** Runs one tick after the other, each with the settings and the page of that tick. */
async function play(...ticks: readonly (readonly [settings: Partial<Target>, page: string])[]) {
  const world = createWorld();
  const told: string[][] = [];
  const reports = [];
  for (const [i, [settings, page]] of ticks.entries()) {
    world.script.scrape = () => page;
    const before = world.bodies.length;
    reports.push(await world.run(i * 60, [target(ADDRESS, settings)]));
    told.push([...deltasOf(world.bodies.slice(before))]);
  }
  const gauges = gaugesOf(world.bodies).filter((line) => !/^(up|scrape_)/.test(line));
  return { told, reports, gauges, world };
}

const counter = (value: number, labels = ''): string => `# TYPE a_total counter\na_total${labels} ${value}\n`;
const LABELS: Labels = ['env', 'prod'];

describe('labels of the target', () => {
  test('are on every series', async () => {
    const settings = { labels: LABELS };
    const { told, gauges } = await play(
      [settings, `${counter(5)}gg 1\n`],
      [settings, `${counter(8, '{x="y"}')}gg 1\n`],
    );
    assert.deepEqual(told, [[], ['a_total{env="prod",x="y"} 8 (0,60]']]);
    assert.deepEqual(gauges, ['gg{env="prod"} 1 @0', 'gg{env="prod"} 1 @60']);
  });

  test('are on up and scrape_* as well, as in Prometheus', async () => {
    const { world } = await play([{ labels: LABELS }, 'gg 1\n']);
    const own = gaugesOf(world.bodies).filter((line) => /^(up|scrape_)/.test(line));
    assert.deepEqual(
      own.map((line) => line.split(' ')[0]),
      [
        'up{env="prod"}',
        'scrape_duration_seconds{env="prod"}',
        'scrape_samples_scraped{env="prod"}',
        'scrape_samples_post_metric_relabeling{env="prod"}',
        'scrape_series_added{env="prod"}',
      ],
    );
  });

  test("take the place of the page's own, which are renamed exported_", async () => {
    const page = (value: number) => counter(value, '{env="x",job="y",instance="z"}');
    const { told } = await play([{ labels: LABELS }, page(5)], [{ labels: LABELS }, page(6)]);
    const labels = 'env="prod",exported_env="x",exported_instance="z",exported_job="y"';
    assert.deepEqual(told[1], [`a_total{${labels}} 1 (0,60]`]);
  });

  test("honor_labels: the page's own stand, job and instance as the identity of the point", async () => {
    const settings = { labels: LABELS, honorLabels: true };
    const page = (value: number) => counter(value, '{env="x",job="y",instance="z"}');
    const { told, world } = await play([settings, page(5)], [settings, page(6)]);
    assert.deepEqual(told[1], ['a_total{env="x"} 1 (0,60]']);
    const point = world.bodies.flatMap(({ points }) => points).find(({ name }) => name === 'a_total');
    const { 'service.name': job, 'service.instance.id': instance } = Object.fromEntries(
      point?.attributes ?? [],
    );
    assert.deepEqual([job, instance], ['y', 'z']);
  });

  test('two series that differ in an empty label are one: the first counts', async () => {
    const { gauges, reports } = await play([{}, 'gg 1\ngg{x=""} 2\n']);
    assert.deepEqual([gauges, reports[0]?.drops], [['gg 1 @0'], { duplicate: 1 }]);
  });

  test('honor_labels: an empty label of the page is none, and keeps the target’s away, as in Prometheus', async () => {
    const page = (value: number) => counter(value, '{env="",job=""}');
    for (const [honorLabels, labels] of [
      [true, ''],
      [false, '{env="prod"}'],
    ] as const) {
      const settings = { labels: LABELS, honorLabels };
      const { told, world } = await play([settings, page(5)], [settings, page(6)]);
      assert.deepEqual(told[1], [`a_total${labels} 1 (0,60]`]);
      const point = world.bodies.flatMap(({ points }) => points).find(({ name }) => name === 'a_total');
      // Each point has an identity: where the page has none, the target's, as with the Collector's receiver.
      assert.equal(Object.fromEntries(point?.attributes ?? [])['service.name'], 'nim');
    }
  });
});

describe('metric_relabel_configs', () => {
  test('drop and rename; a renamed counter and histogram keep their types', async () => {
    const settings = {
      metricRelabelConfigs: [
        drop('gg|b_.*'),
        rule({
          sourceLabels: ['__name__'],
          regex: '(a|h)(_.*)',
          targetLabel: '__name__',
          replacement: 'nim_$1$2',
        }),
      ],
    };
    const page = (n: number): string =>
      `${counter(n)}b_x 1\ngg 2\ncc 3\n# TYPE h histogram\nh_bucket{le="1"} ${n}\nh_bucket{le="+Inf"} ${n}\nh_count ${n}\nh_sum ${n}\n`;
    const { told, gauges } = await play([settings, page(1)], [settings, page(3)]);
    assert.deepEqual(
      told[1],
      ['nim_a_total 2 (0,60]', 'nim_h 2 2 [2 0]'].map((line) =>
        line.startsWith('nim_h') ? `${line} (0,60]` : line,
      ),
    );
    assert.deepEqual(gauges, ['cc 3 @0', 'cc 3 @60']);
  });

  test('D5: a rule that is edited makes no false delta, and what was owed is delivered', async () => {
    const world = createWorld();
    const run = async (tickS: number, value: number, settings: Partial<Target>) => {
      world.script.scrape = () => counter(value);
      const before = world.bodies.length;
      const report = await world.run(tickS, [target(ADDRESS, settings)]);
      return { report, deltas: deltasOf(world.bodies.slice(before)) };
    };
    await run(0, 1_000, {});
    world.script.answer = () => 'retry';
    await run(60, 1_005, {});
    world.script.answer = () => 'accepted';
    const site = { metricRelabelConfigs: [rule({ targetLabel: 'site', replacement: 'eu' })] };
    const edited = await run(120, 1_006, site);
    assert.deepEqual(edited.deltas, ['a_total 5 (0,120]']);
    assert.deepEqual(edited.report.drops, { initial: 1 });
    assert.deepEqual((await run(180, 1_009, site)).deltas, ['a_total{site="eu"} 3 (120,180]']);
  });

  test('D7: the start of the process is read before a rule drops it', async () => {
    const settings = { metricRelabelConfigs: [drop('process_.*')] };
    const page = (startS: number, value: number): string =>
      `process_start_time_seconds ${T0_MS / 1000 + startS}\n${counter(value)}`;
    const { told } = await play([settings, page(-100_000, 5)], [settings, page(30, 9)]);
    assert.deepEqual(told[1], ['a_total 9 (0,60]']);
  });

  test('series that a rule makes equal count once', async () => {
    const settings = { metricRelabelConfigs: [rule({ action: 'labeldrop', regex: 'x' })] };
    const page = `# TYPE a_total counter\na_total{x="1"} 1\na_total{x="2"} 2\n`;
    const { reports } = await play([settings, page]);
    assert.deepEqual(reports[0]?.drops, { duplicate: 1, initial: 1 });
  });

  test('scrape_samples_post_metric_relabeling tells what is left', async () => {
    const world = createWorld();
    world.script.scrape = () => 'gg 1\nhh 2\nii 3\n';
    await world.run(0, [target(ADDRESS, { metricRelabelConfigs: [drop('gg|hh')] })]);
    const [scraped, left] = ['scrape_samples_scraped', 'scrape_samples_post_metric_relabeling'].map((name) =>
      gaugesOf(world.bodies).find((line) => line.startsWith(`${name} `)),
    );
    assert.deepEqual(
      [scraped, left],
      ['scrape_samples_scraped 3 @0', 'scrape_samples_post_metric_relabeling 1 @0'],
    );
  });
});

describe('limits', () => {
  const failureOf = async (settings: Partial<Target>, page: string): Promise<string | undefined> =>
    (await play([settings, page])).reports[0]?.targets[0]?.error;

  test('sample_limit counts what rules leave: at it a page, one past it none', async () => {
    const page = 'gg 1\nh 2\ni 3\n';
    assert.equal(await failureOf({ sampleLimit: 3 }, page), undefined);
    assert.equal(
      await failureOf({ sampleLimit: 2 }, page),
      'sample_limit: cannot read the page: 3 samples, and sample_limit is 2; raise sample_limit, or drop series by metric_relabel_configs',
    );
    assert.equal(await failureOf({ sampleLimit: 2, metricRelabelConfigs: [drop('gg')] }, page), undefined);
  });

  test('label_limit and lengths fail the scrape as a whole, and nothing moves', async () => {
    // The metric's name, job and instance are labels too.
    assert.equal(await failureOf({ labelLimit: 4 }, 'g{x="1"} 1\n'), undefined);
    assert.match(
      String(await failureOf({ labelLimit: 3 }, 'g{x="1"} 1\n')),
      /^label_limit: .*label_limit is 3/,
    );
    assert.match(
      String(await failureOf({ labelValueLengthLimit: 14 }, 'g{x="123456789012345"} 1\n')),
      /^label_limit: /,
    );
    const { told } = await play([{}, counter(5)], [{ labelLimit: 2 }, counter(7)], [{}, counter(9)]);
    assert.deepEqual(told, [[], [], ['a_total 4 (0,120]']]);
  });
});

describe('honor_timestamps', () => {
  test('a gauge has the time that the page gives it, a counter its tick', async () => {
    const at = (tickS: number): string => String(T0_MS + tickS * 1000);
    const page = (tickS: number, value: number): string =>
      `# TYPE a_total counter\na_total ${value} ${at(tickS - 7)}\ngg 1 ${at(tickS - 7)}\n`;
    const { told, gauges } = await play([{}, page(0, 5)], [{}, page(60, 6)]);
    assert.deepEqual(told[1], ['a_total 1 (0,60]']);
    assert.deepEqual(gauges, ['gg 1 @-7', 'gg 1 @53']);
  });

  test('off, and in OpenMetrics, whose timestamps are seconds', async () => {
    const page = `gg 1 ${T0_MS - 7_000}\n`;
    assert.deepEqual((await play([{ honorTimestamps: false }, page])).gauges, ['gg 1 @0']);
    assert.deepEqual((await play([{}, `gg 1 ${T0_MS / 1000 - 7}\n# EOF\n`])).gauges, ['gg 1 @-7']);
  });

  test('a time that Dynatrace does not take is not sent', async () => {
    const { gauges, reports } = await play([
      {},
      `gg ${1} ${T0_MS - 59 * 60_000}\nhh 1 ${T0_MS - 59 * 60_000 - 1}\nii 1 ${T0_MS + 9 * 60_000}\njj 1 ${T0_MS + 9 * 60_000 + 1}\n`,
    ]);
    assert.deepEqual(gauges, ['gg 1 @-3540', 'ii 1 @540']);
    assert.deepEqual(reports[0]?.drops, { unsendable: 2 });
  });
});

test('views are forgotten past their bounds, and only then', () => {
  const view = (series: number) =>
    ({ bySeries: { size: series } }) as unknown as NonNullable<ReturnType<PageViews['get']>>;
  const views = (count: number, series: number): PageViews =>
    new Map(Array.from({ length: count }, (_, i) => [String(i), view(series)]));
  const sizes = [
    views(1, MAX_VIEWED_SERIES),
    views(1, MAX_VIEWED_SERIES + 1),
    views(MAX_VIEWS, 1),
    views(MAX_VIEWS + 1, 1),
  ].map((some) => {
    trimViews(some);
    return some.size;
  });
  assert.deepEqual(sizes, [1, 0, MAX_VIEWS, 0]);
});
