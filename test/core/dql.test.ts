/** The evaluator of the DQL subset, on points whose answers can be worked out by head. */
import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import { type Store, type StoredPoint, evaluateDql } from './dql-evaluator.ts';

const MINUTE = 60_000;

function counter(minute: number, value: number, dimensions: Record<string, string> = {}): StoredPoint {
  return { metric: 'c_total', kind: 'counter', dimensions, timeMs: minute * MINUTE, value };
}

function gauge(second: number, value: number, dimensions: Record<string, string> = {}): StoredPoint {
  return { metric: 'g', kind: 'gauge', dimensions, timeMs: second * 1000, value };
}

function histogram(sum: number, ...buckets: readonly number[]): StoredPoint {
  const count = buckets.reduce((total, one) => total + one, 0);
  const stored = { count, sum, bounds: [1, 2, 4], buckets };
  return { metric: 'h', kind: 'histogram', dimensions: {}, timeMs: 0, histogram: stored };
}

function ask(query: string, points: readonly StoredPoint[], more: Partial<Store> = {}) {
  const variables = { Model: ['a'], Price: '2.5' };
  return evaluateDql(query, { points, tables: {}, variables, fromMs: 0, toMs: 3 * MINUTE, ...more });
}

const A = { model: 'a' };
const B = { model: 'b' };

describe('aggregations', () => {
  test('a counter is added up in each minute, over its series; a minute without points is null', () => {
    const points = [counter(0, 1, A), counter(0, 2, B), counter(2, 4, A)];
    assert.deepEqual(ask('timeseries n = sum(c_total)', points), [{ n: [3, null, 4] }]);
    assert.deepEqual(ask('timeseries n = sum(c_total, default:0)', points), [{ n: [3, 0, 4] }]);
    assert.deepEqual(ask('timeseries n = sum(c_total, rate:1s)', points), [{ n: [3 / 60, null, 4 / 60] }]);
    assert.deepEqual(ask('timeseries n = sum(c_total, scalar:true)', points), [{ n: 7 }]);
  });

  test('by and filter', () => {
    const points = [counter(0, 1, A), counter(1, 2, B)];
    assert.deepEqual(ask('timeseries n = sum(c_total), by:{model}', points), [
      { model: 'a', n: [1, null, null] },
      { model: 'b', n: [null, 2, null] },
    ]);
    const filtered = 'timeseries n = sum(c_total, scalar:true), filter:{in(model, array($Model))}';
    assert.deepEqual(ask(filtered, points), [{ n: 1 }]);
    assert.deepEqual(ask(filtered, points, { variables: { Model: [] } }), []);
  });

  test('a gauge of several readings in a minute is one reading of each series', () => {
    const points = [gauge(0, 2, A), gauge(30, 4, A), gauge(0, 10, B)];
    assert.deepEqual(ask('timeseries n = sum(g, rollup:avg)', points), [{ n: [13, null, null] }]);
    assert.deepEqual(ask('timeseries n = sum(g, rollup:max)', points), [{ n: [14, null, null] }]);
    assert.deepEqual(ask('timeseries n = max(g)', points), [{ n: [10, null, null] }]);
    assert.deepEqual(ask('timeseries n = avg(g)', points), [{ n: [16 / 3, null, null] }]);
  });

  test('a histogram: the mean of its observations, percentiles within a bucket', () => {
    const points = [histogram(6, 2, 2, 0, 0), histogram(14, 0, 0, 4, 0)];
    assert.deepEqual(ask('timeseries n = avg(h, scalar:true)', points), [{ n: 20 / 8 }]);
    assert.deepEqual(ask('timeseries {a = percentile(h, 25), b = percentile(h, 50)}', points), [
      { a: [1, null, null], b: [2, null, null] },
    ]);
    assert.deepEqual(ask('timeseries n = percentile(h, 75, scalar:true)', points), [{ n: 3 }]);
    assert.deepEqual(ask('timeseries n = percentile(h, 50, scalar:true)', [histogram(0, 0, 0, 0, 0)]), [
      { n: null },
    ]);
    assert.deepEqual(ask('timeseries n = percentile(h, 99, scalar:true)', [histogram(9, 0, 0, 0, 1)]), [
      { n: 4 },
    ]);
  });

  test('two columns keep what both have, or with union what either has', () => {
    const points = [counter(0, 1, A), counter(0, 1, B), gauge(0, 5, A)];
    const query = 'timeseries {n = sum(c_total, scalar:true), g = avg(g, scalar:true)}, by:{model}';
    assert.deepEqual(ask(query, points), [{ model: 'a', n: 1, g: 5 }]);
    assert.deepEqual(ask(`${query}, union:true`, points), [
      { model: 'a', n: 1, g: 5 },
      { model: 'b', n: 1, g: null },
    ]);
  });
});

describe('commands behind the pipe', () => {
  const points = [counter(0, 6, A), counter(1, 2, A), counter(0, 1, B)];
  const whole = 'timeseries n = sum(c_total, scalar:true), by:{model}';

  test('arithmetic by element, precedence, prices, division by zero', () => {
    const added = (expression: string) =>
      ask(`timeseries n = sum(c_total, default:0) | fieldsAdd x = ${expression} | fields x`, points)[0]?.[
        'x'
      ];
    assert.deepEqual(added('1 + 2 * n[]'), [15, 5, 1]);
    assert.deepEqual(added('(1 + 2) * n[]'), [21, 6, 0]);
    assert.deepEqual(added('n[] * toDouble($Price)'), [17.5, 5, 0]);
    assert.deepEqual(added('7 - 2 - n[] / n[]'), [4, 4, null]);
  });

  test('sort, limit, dedup, fieldsRemove', () => {
    assert.deepEqual(ask(`${whole} | sort n asc | limit 1`, points), [{ model: 'b', n: 1 }]);
    assert.deepEqual(ask(`${whole} | sort n desc | limit 1 | fieldsRemove n`, points), [{ model: 'a' }]);
    const twice = ask(`${whole} | fieldsAdd one = 1 | fields one | dedup one`, points);
    assert.deepEqual(twice, [{ one: 1 }]);
  });

  test('fetch counts the distinct records that pass', () => {
    const problems = [
      { id: '1', status: 'ACTIVE' },
      { id: '1', status: 'ACTIVE' },
      { id: '2', status: 'CLOSED' },
    ];
    const query = 'fetch problems | filter status == "ACTIVE" | summarize n = countDistinct(id)';
    assert.deepEqual(ask(query, [], { tables: { problems } }), [{ n: 1 }]);
    assert.deepEqual(ask(query, []), [{ n: 0 }]);
  });
});

describe('what is refused', () => {
  const all = [counter(0, 1), gauge(0, 1), histogram(1, 1, 0, 0, 0)];
  const refused: Readonly<Record<string, RegExp>> = {
    'fetch logs': /\| is expected/,
    'data record(a = 1)': /no known start/,
    'timeseries sum(c_total)': /= is expected/,
    'timeseries n = count(c_total)': /no known aggregation/,
    'timeseries n = sum(c_total), bins:3': /no known parameter/,
    'timeseries n = sum(c_total), filter:{model == $Model}': /in is expected/,
    'timeseries n = sum(c_total) | summarize m = sum(n)': /no known command/,
    'timeseries n = sum(c_total) | fieldsAdd x = n + 1': /lacks \[\]/,
    'timeseries n = sum(c_total, scalar:true) | fieldsAdd x = n[] + 1': /has \[\]/,
    'timeseries n = sum(c_total) | fieldsAdd x = m[] + 1': /no field m/,
    'timeseries n = sum(c_total) | fieldsRemove m': /no field m/,
    'timeseries n = sum(c_total) n': /behind the end/,
    'timeseries n = sum(c_total) # all': /no token/,
    'timeseries n = sum(c_total, rate:1m)': /no token|no duration/,
    'timeseries n = sum(c_total, rate:1s, scalar:true)': /rate over the whole/,
    'timeseries n = sum(g)': /misleads on g, a gauge/,
    'timeseries n = avg(c_total)': /misleads on c_total, a counter/,
    'timeseries n = max(h)': /misleads on h, a histogram/,
    'timeseries n = sum(c_total, rollup:avg)': /misleads on c_total, a counter/,
    'timeseries n = percentile(g, 95)': /misleads on g, a gauge/,
    'timeseries n = sum(c_total), filter:{in(model, array($Price))}': /\$Price is no list/,
    'timeseries n = sum(c_total) | fieldsAdd x = n[] * toDouble($Model)': /\$Model is no text/,
  };
  for (const [query, cause] of Object.entries(refused)) {
    test(query, () => {
      assert.throws(() => ask(query, all), cause);
    });
  }
});
