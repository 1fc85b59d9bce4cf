/** What is due of a target, as the data points that Dynatrace takes. */
import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import { MAX_DIMENSIONS } from '../../functions/core/dynatrace.ts';
import { parseExposition } from '../../functions/core/exposition.ts';
import { type Families, groupFamilies } from '../../functions/core/families.ts';
import type { DataPoint } from '../../functions/core/model.ts';
import {
  MAX_REMEMBERED_NAMES,
  type Memory,
  createMemory,
  trimMemory,
} from '../../functions/core/point-names.ts';
import { type Sendables, buildPoints } from '../../functions/core/points.ts';
import { reportGauges } from '../../functions/core/scrape-report.ts';
import {
  type SeriesState,
  firstState,
  grow,
  isPending,
  restart,
  sendableIncrease,
  settleSeries,
  zeros,
} from '../../functions/core/series-state.ts';
import { MAX_INTERNED_TEXTS, internSeries } from '../../functions/core/series.ts';
import { createTarget } from '../../functions/core/targets.ts';

const TICK_MS = Date.parse('2026-01-01T00:01:00Z');
const START_MS = TICK_MS - 60_000;
const TARGET = createTarget({
  job: 'nim',
  instance: '10.0.0.1:8000',
  scheme: 'http',
  address: '10.0.0.1:8000',
  path: '',
  params: [],
});
const IDENTITY = { 'service.name': 'nim', 'service.instance.id': '10.0.0.1:8000' };

function read(page: string, memory: Memory): Families {
  const parsed = parseExposition(new TextEncoder().encode(page), memory.table, 10_000);
  assert(parsed.code === 'page');
  return groupFamilies(parsed.page, memory.table, new Map());
}

/** Every cumulative series of the page is due, all of it; then its gauges. */
function build(page: string, memory: Memory = createMemory()): Sendables {
  const families = read(page, memory);
  const due = families.cumulative.map(({ series, kind, bounds, values }) =>
    firstState(series, kind, bounds, values, zeros(values), START_MS),
  );
  return buildPoints(TARGET, due, families, [], TICK_MS, memory);
}

function pointsOf({ sendables }: Sendables): readonly DataPoint[] {
  return sendables
    .flatMap(({ points }) => points)
    .map((point) => ({ ...point, attributes: { ...point.attributes } }));
}

function dropsOf({ drops }: Sendables): Readonly<Record<string, number>> {
  return Object.fromEntries(drops);
}

describe('kinds', () => {
  test('a counter is one point with its labels, its help and its unit', () => {
    const page = `# HELP a_seconds Time spent
# TYPE a_seconds counter
# UNIT a_seconds seconds
a_seconds_total{Engine="0"} 3
# EOF
`;
    assert.deepEqual(pointsOf(build(page)), [
      {
        kind: 'counter',
        name: 'a_seconds_total',
        unit: 's',
        description: 'Time spent',
        attributes: { engine: '0', ...IDENTITY },
        startMs: START_MS,
        timeMs: TICK_MS,
        value: 3,
      },
    ]);
  });

  test('a gauge is a reading, with no state behind it', () => {
    const { sendables } = build('# TYPE vllm:usage gauge\nvllm:usage 0.25\n');
    assert.deepEqual(sendables[0]?.states, []);
    const [point] = sendables[0]?.points ?? [];
    assert(point?.kind === 'gauge');
    assert.deepEqual([point.name, point.value, point.timeMs], ['vllm_usage', 0.25, TICK_MS]);
  });

  test('a histogram is one point, its count the sum of its buckets', () => {
    const page = `# TYPE wait histogram
wait_bucket{le="1"} 2
wait_bucket{le="2"} 5
wait_bucket{le="+Inf"} 9
wait_count 9
wait_sum 12.5
`;
    const [point, ...more] = pointsOf(build(page));
    assert(point?.kind === 'histogram' && more.length === 0);
    const { name, count, sum, bounds, buckets, startMs } = point;
    assert.deepEqual([name, count, sum, startMs], ['wait', 9, 12.5, START_MS]);
    assert.deepEqual(
      [bounds, buckets],
      [
        [1, 2],
        [2, 3, 4],
      ],
    );
  });

  test('a summary is split into count and sum, which travel together', () => {
    const page = `# UNIT size bytes
# TYPE size summary
size{quantile="0.5"} 3
size_sum 40
size_count 4
`;
    const built = build(page);
    const [both, ...more] = built.sendables.filter(({ states }) => states.length > 0);
    assert(both !== undefined && more.length === 0);
    assert.deepEqual(
      both.points.map((point) => [
        point.kind,
        point.name,
        point.unit,
        point.kind === 'counter' && point.value,
      ]),
      [
        ['counter', 'size_count', '', 4],
        ['counter', 'size_sum', 'By', 40],
      ],
    );
  });

  test('D2: a sum that is owed less than nothing says zero', () => {
    const memory = createMemory();
    const series = internSeries(memory.table, 'wait', []);
    const state = firstState(series, 'histogram', [1], [3, 1, 1], [5, 1, 0], START_MS);
    const [point] = pointsOf(buildPoints(TARGET, [state], undefined, [], TICK_MS, memory));
    assert(point?.kind === 'histogram');
    assert.deepEqual([point.sum, point.count, point.buckets], [0, 1, [0, 1]]);
  });

  test('without a page, what is pending leaves all the same', () => {
    const memory = createMemory();
    const state: SeriesState = firstState(
      internSeries(memory.table, 'a_total', []),
      'counter',
      [],
      [5],
      [2],
      START_MS,
    );
    const [point] = pointsOf(buildPoints(TARGET, [state], undefined, [], TICK_MS, memory));
    assert(point?.kind === 'counter');
    assert.deepEqual([point.value, point.unit, point.description], [3, '', '']);
  });
});

describe('what is not sent', () => {
  test('by choice: nothing is owed of it any more, and it is counted', () => {
    const page = `# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total 5
# TYPE python_info gauge
python_info 1
# TYPE a_total counter
a_total 1
`;
    const built = build(page);
    assert.deepEqual(
      built.dropped.map(({ series }) => series.name),
      ['process_cpu_seconds_total'],
    );
    assert.deepEqual(dropsOf(built), { filtered: 2 });
    assert.deepEqual(
      pointsOf(built).map(({ name }) => name),
      ['a_total'],
    );
  });

  test('because Dynatrace would refuse it: no name left, too many dimensions', () => {
    const labels = Array.from({ length: MAX_DIMENSIONS }, (_, i) => `l${i}="x"`).join(',');
    const page = `# TYPE _ counter
_ 1
# TYPE b_total counter
b_total{${labels}} 1
b_total 2
# TYPE g gauge
g{${labels}} 1
`;
    const built = build(page);
    assert.deepEqual(
      built.dropped.map(({ series }) => series.name),
      ['_', 'b_total'],
    );
    assert.deepEqual(dropsOf(built), { unsendable: 3 });
    assert.deepEqual(
      pointsOf(built).map(({ name }) => name),
      ['b_total'],
    );
  });
});

describe('numbers beyond all numbers', () => {
  const HUGE = 1.7e308;
  const build = (state: SeriesState, memory: Memory) =>
    buildPoints(TARGET, [state], undefined, [], TICK_MS, memory);

  test('two lives whose sum is infinite: dropped as nan, and the series goes on', () => {
    const memory = createMemory();
    const series = internSeries(memory.table, 'a_total', []);
    const life = firstState(series, 'counter', [], [HUGE], [0], START_MS);
    assert.equal(build(life, memory).sendables.length, 1);
    const both = restart(life, [HUGE]);
    const built = build(both, memory);
    assert.deepEqual([built.sendables, dropsOf(built), built.dropped], [[], { nan: 1 }, [both]]);
    const settled = settleSeries(both, TICK_MS);
    assert.equal(isPending(settled), false);
    assert.deepEqual(sendableIncrease(grow(settled, [HUGE])), [0]);
  });

  test('a sum that fell by infinity is not waited for', () => {
    const memory = createMemory();
    const series = internSeries(memory.table, 'wait', []);
    const state = firstState(series, 'histogram', [], [-HUGE, 2], [HUGE, 1], START_MS);
    const [point] = pointsOf(build(state, memory));
    assert(point?.kind === 'histogram');
    assert.deepEqual([point.sum, point.count], [0, 1]);
    const settled = settleSeries(state, TICK_MS);
    assert.deepEqual(sendableIncrease(grow(settled, [3 - HUGE, 3])), [0, 1]);
    assert.equal(isPending(settled), false);
  });
});

describe('the gauges of a scrape', () => {
  const report = { up: true, durationMs: 250, samples: 12, samplesPostRelabeling: 11, seriesAdded: 3 };
  const values = (up: boolean) => {
    const built = buildPoints(
      TARGET,
      [],
      undefined,
      reportGauges({ ...report, up }),
      TICK_MS,
      createMemory(),
    );
    return pointsOf(built).map((point) => [point.name, point.unit, point.kind === 'gauge' && point.value]);
  };

  test('carry Prometheus’ names and units', () => {
    assert.deepEqual(values(true), [
      ['up', '', 1],
      ['scrape_duration_seconds', 's', 0.25],
      ['scrape_samples_scraped', '', 12],
      ['scrape_samples_post_metric_relabeling', '', 11],
      ['scrape_series_added', '', 3],
    ]);
    assert.deepEqual(values(false)[0], ['up', '', 0]);
  });

  test('are the target’s own', () => {
    const built = buildPoints(TARGET, [], undefined, reportGauges(report), TICK_MS, createMemory());
    for (const { attributes } of pointsOf(built)) assert.deepEqual(attributes, IDENTITY);
  });
});

describe('memory', () => {
  const PAGE = '# TYPE a_total counter\na_total{x="1"} 1\n# TYPE usage gauge\nusage{x="1"} 1\n';
  const attributesOf = ({ sendables }: Sendables) => sendables.map(({ points }) => points[0]?.attributes);

  test('attributes are built once per series', () => {
    const memory = createMemory();
    const [first, second] = [build(PAGE, memory), build(PAGE, memory)].map(attributesOf);
    assert(first !== undefined && second !== undefined && first.length === 2);
    for (const [i, attributes] of first.entries()) assert.equal(attributes, second[i]);
  });

  test('but for each target its own', () => {
    const memory = createMemory();
    build(PAGE, memory);
    const other = createTarget({ ...TARGET, instance: 'other' });
    const built = buildPoints(other, [], read(PAGE, memory), [], TICK_MS, memory);
    assert.equal(built.sendables[0]?.points[0]?.attributes['service.instance.id'], 'other');
  });

  test('trimming within the bounds keeps it, past them empties it; the points are the same', () => {
    const memory = createMemory();
    const before = build(PAGE, memory);
    trimMemory(memory);
    const kept = build(PAGE, memory);
    assert.equal(attributesOf(kept)[0], attributesOf(before)[0]);
    for (let i = 0; i <= MAX_INTERNED_TEXTS; i++) internSeries(memory.table, `s${i}`, []);
    trimMemory(memory);
    assert.equal(memory.table.byKey.size, 0);
    assert.equal(memory.names.size, 0);
    const after = build(PAGE, memory);
    assert.notEqual(attributesOf(after)[0], attributesOf(before)[0]);
    assert.deepEqual(pointsOf(after), pointsOf(before));
  });

  test('names are kept up to their bound', () => {
    const memory = createMemory();
    const page = Array.from({ length: MAX_REMEMBERED_NAMES / 100 }, (_, i) => `a{i="${i}"} 1\n`).join('');
    const name = (target: number, text: string): void => {
      const other = createTarget({ ...TARGET, instance: `${target}` });
      buildPoints(other, [], read(text, memory), [], TICK_MS, memory);
    };
    for (let i = 0; i < 100; i++) name(i, page);
    trimMemory(memory);
    assert.equal(memory.names.size, 100);
    name(0, 'b 1\n');
    trimMemory(memory);
    assert.equal(memory.names.size, 0);
  });
});
