import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { judge as judgeAt } from '../../../functions/cli/world/ingest-rules.ts';
import type { Judgement } from '../../../functions/cli/world/ingest-rules.ts';
import type { AttributeValue, DecodedPoint } from '../../../functions/cli/world/otlp-decoder.ts';
import { createSeriesWindows, MAX_SERIES, MAX_TIMES } from '../../../functions/cli/world/series-windows.ts';

const counter: DecodedPoint = {
  name: 'tokens_total',
  unit: '{token}',
  description: 'Tokens.',
  type: 'sum',
  temporality: 'delta',
  monotonic: true,
  resource: [],
  scope: { name: '', version: '', attributes: [] },
  attributes: [],
  startNs: 60_000_000_000n,
  timeNs: 120_000_000_000n,
  value: 3,
};
const { value: _, ...withoutValue } = counter;
const gauge: DecodedPoint = { ...counter, name: 'running', type: 'gauge', temporality: 'unspecified' };
const histogram: DecodedPoint = {
  ...withoutValue,
  name: 'ttft',
  type: 'histogram',
  histogram: { count: 3, sum: 1.5, bounds: [0.1, 1], buckets: [1, 2, 0] },
};

const NOW_MS = 120_000;

function judge(point: DecodedPoint): Judgement {
  return judgeAt(point, NOW_MS);
}

function lineOf(judgement: Judgement): string {
  assert.equal(judgement.code, 'rejected');
  return judgement.line;
}

function acceptedOf(judgement: Judgement) {
  assert.equal(judgement.code, 'accepted', 'line' in judgement ? judgement.line : '');
  return judgement;
}

function attributes(count: number, prefix = 'k'): (readonly [string, AttributeValue])[] {
  return Array.from({ length: count }, (_none, i) => [`${prefix}${i}`, 'v'] as const);
}

describe('what is accepted', () => {
  test('a delta sum is a counter, as plain data', () => {
    const { point, violations } = acceptedOf(
      judge({ ...counter, attributes: [['model_name', 'm']], resource: [['service.name', 'nim']] }),
    );
    assert.deepEqual(point, {
      kind: 'counter',
      name: 'tokens_total',
      unit: '{token}',
      description: 'Tokens.',
      startMs: 60_000,
      timeMs: 120_000,
      attributes: { model_name: 'm' },
      resource: { 'service.name': 'nim' },
      scope: { name: '', version: '' },
      value: 3,
    });
    assert.deepEqual(violations, []);
  });

  test('gauges, delta histograms, sums that are not monotonic', () => {
    assert.equal(acceptedOf(judge(gauge)).point.kind, 'gauge');
    assert.equal(acceptedOf(judge({ ...gauge, value: -1 })).violations.length, 0);
    const { point } = acceptedOf(judge(histogram));
    assert.ok(point.kind === 'histogram');
    assert.deepEqual([point.count, point.sum, point.bounds, point.buckets], [3, 1.5, [0.1, 1], [1, 2, 0]]);
    const upDown: DecodedPoint = { ...counter, monotonic: false };
    assert.equal(acceptedOf(judge(upDown)).point.kind, 'counter');
    assert.equal(acceptedOf(judge({ ...upDown, temporality: 'cumulative' })).point.kind, 'gauge');
  });

  test('a histogram of count and sum only', () => {
    acceptedOf(judge({ ...histogram, histogram: { count: 3, sum: 1.5, bounds: [], buckets: [] } }));
  });

  test('the series is its name and all dimensions, the point before the resource', () => {
    const keyOf = (point: DecodedPoint) => acceptedOf(judge(point)).seriesKey;
    const a: DecodedPoint = { ...counter, attributes: [['host.id', 'x']], resource: [['host.name', 'y']] };
    assert.equal(
      keyOf(a),
      keyOf({ ...counter, attributes: [['host.name', 'y']], resource: [['host.id', 'x']] }),
    );
    assert.equal(
      keyOf(a),
      keyOf({
        ...a,
        resource: [
          ['host.name', 'y'],
          ['host.id', 'z'],
        ],
      }),
    );
    assert.notEqual(keyOf(a), keyOf({ ...a, attributes: [['host.id', 'z']] }));
    assert.notEqual(keyOf(a), keyOf({ ...a, name: 'other' }));
    assert.notEqual(keyOf(a), keyOf({ ...a, scope: { ...a.scope, version: '2' } }));
  });
});

describe('what is rejected, each with its line', () => {
  const cases: readonly (readonly [rule: string, point: DecodedPoint, line: string])[] = [
    [
      'cumulative monotonic sum',
      { ...counter, temporality: 'cumulative' },
      "Unsupported metric: 'tokens_total' - Reason: UNSUPPORTED_METRIC_TYPE_MONOTONIC_CUMULATIVE_SUM",
    ],
    [
      'cumulative histogram',
      { ...histogram, temporality: 'cumulative' },
      "Unsupported metric: 'ttft' - Reason: UNSUPPORTED_METRIC_TYPE_CUMULATIVE_HISTOGRAM",
    ],
    [
      'sum without temporality',
      { ...counter, temporality: 'unspecified' },
      "Unsupported metric: 'tokens_total' - Reason: UNSUPPORTED_METRIC_TYPE_UNSPECIFIED_TEMPORALITY",
    ],
    [
      'histogram without temporality',
      { ...histogram, temporality: 'unspecified' },
      "Unsupported metric: 'ttft' - Reason: UNSUPPORTED_METRIC_TYPE_UNSPECIFIED_TEMPORALITY",
    ],
    [
      'summary',
      { ...withoutValue, type: 'summary' },
      "Unsupported metric: 'tokens_total' - Reason: UNSUPPORTED_METRIC_TYPE_SUMMARY",
    ],
    [
      'exponential histogram',
      { ...withoutValue, type: 'exponential_histogram' },
      "Unsupported metric: 'tokens_total' - Reason: UNSUPPORTED_METRIC_TYPE_EXPONENTIAL_HISTOGRAM",
    ],
    ['NaN', { ...gauge, value: Number.NaN }, valueLine('running', 'Value was NaN')],
    ['infinity', { ...counter, value: Infinity }, valueLine('tokens_total', 'Value was Infinity')],
    ['no value', withoutValue, valueLine('tokens_total', 'Value is missing')],
    ['NaN sum', withHistogram({ sum: Number.NaN }), valueLine('ttft', 'Value was NaN')],
    [
      'no sum',
      { ...histogram, histogram: { count: 3, bounds: [0.1, 1], buckets: [1, 2, 0] } },
      bucketLine('Histogram sum is missing'),
    ],
    [
      'falling bounds',
      withHistogram({ bounds: [1, 0.1] }),
      bucketLine('Histogram boundaries are not sorted'),
    ],
    ['equal bounds', withHistogram({ bounds: [1, 1] }), bucketLine('Histogram boundaries are not sorted')],
    [
      'infinite bound',
      withHistogram({ bounds: [1, Infinity] }),
      bucketLine('Histogram boundaries are not finite'),
    ],
    [
      'NaN bound',
      withHistogram({ bounds: [Number.NaN, 1] }),
      bucketLine('Histogram boundaries are not finite'),
    ],
    [
      'a bucket too few',
      withHistogram({ buckets: [1, 2] }),
      bucketLine('Histogram bucket count does not match the boundaries'),
    ],
    [
      'a bucket too many',
      withHistogram({ buckets: [1, 2, 0, 0] }),
      bucketLine('Histogram bucket count does not match the boundaries'),
    ],
    [
      'buckets that do not add up',
      withHistogram({ count: 4 }),
      bucketLine('Histogram bucket counts do not add up to the count'),
    ],
    [
      'empty attribute key',
      { ...counter, attributes: [['', 'x']] },
      dropLine('DIMENSION_KEY_OR_VALUE_EMPTY'),
    ],
    ['empty value', { ...counter, attributes: [['x', '']] }, dropLine('DIMENSION_KEY_OR_VALUE_EMPTY')],
    ['empty resource value', { ...counter, resource: [['x', '']] }, dropLine('DIMENSION_KEY_OR_VALUE_EMPTY')],
    ['51 dimensions', { ...counter, attributes: attributes(51) }, dropLine('DIMENSION_COUNT_EXCEEDED')],
    [
      '51 dimensions over all levels',
      {
        ...counter,
        attributes: attributes(30),
        resource: attributes(18, 'r'),
        scope: { name: 'scope', version: '1', attributes: [['s', 'v']] },
      },
      dropLine('DIMENSION_COUNT_EXCEEDED'),
    ],
    ['a name of 1', { ...counter, name: 'x' }, "Metric dropped: 'x' - Reason: METRIC_KEY_INVALID"],
    [
      'a name of 256',
      { ...counter, name: 'x'.repeat(256) },
      `Metric dropped: '${'x'.repeat(256)}' - Reason: METRIC_KEY_INVALID`,
    ],
  ];
  for (const [rule, point, line] of cases) {
    test(rule, () => assert.equal(lineOf(judge(point)), line));
  }

  test('accepted at each bound: 50 dimensions, names of 2 and 255', () => {
    acceptedOf(judge({ ...counter, attributes: attributes(50), resource: attributes(50) }));
    acceptedOf(judge({ ...counter, name: 'xy' }));
    acceptedOf(judge({ ...counter, name: 'x'.repeat(255) }));
  });
});

describe('what the server would not say', () => {
  const cases: readonly (readonly [harm: RegExp, point: DecodedPoint])[] = [
    [/negative delta -1$/, { ...counter, value: -1 }],
    [/negative delta -1 of the sum/, withHistogram({ sum: -1 })],
    [/start 120000000000 is not before/, { ...counter, startNs: 120_000_000_000n }],
    [/no start time/, { ...histogram, startNs: 0n }],
    [/no time/, { ...gauge, timeNs: 0n }],
    [/between milliseconds/, { ...counter, timeNs: 120_000_000_001n }],
    [/a name that the server would change/, { ...counter, name: 'vllm:tokens' }],
    [/a name that the server would change/, { ...counter, name: 'vllm..tokens' }],
    [/a name that the server would change/, { ...counter, name: 'vllm.-tokens' }],
    [/reserved prefix/, { ...counter, name: 'dt.tokens' }],
    [/a unit/, { ...counter, unit: 'm²' }],
    [/a unit/, { ...counter, unit: 'x'.repeat(64) }],
    [/a description/, { ...counter, description: 'x'.repeat(1024) }],
    [/key that the server would change/, { ...counter, attributes: [['modelName', 'm']] }],
    [/key that the server would change/, { ...counter, attributes: [['_model', 'm']] }],
    [/key that the server would change/, { ...counter, attributes: [['model.', 'm']] }],
    [/key that the server would cut/, { ...counter, attributes: [['k'.repeat(101), 'v']] }],
    [/value that the server would cut/, { ...counter, attributes: [['k', 'v'.repeat(256)]] }],
    [
      /value that the server would cut/,
      { ...counter, resource: [['k', 'v'.repeat(256)]], attributes: [['k', 'v']] },
    ],
    [/dimension that the server would drop: k/, { ...counter, attributes: [['k', { unsupported: 'x' }]] }],
    [
      /the same attribute key twice/,
      {
        ...counter,
        attributes: [
          ['k', 'a'],
          ['k', 'b'],
        ],
      },
    ],
  ];
  for (const [harm, point] of cases) {
    test(harm.source, () => {
      const { violations } = acceptedOf(judge(point));
      assert.ok(
        violations.some((violation) => harm.test(violation)),
        violations.join('; '),
      );
    });
  }

  test('nothing at each bound', () => {
    const point: DecodedPoint = {
      ...counter,
      unit: 'x'.repeat(63),
      description: 'x'.repeat(1023),
      attributes: [['k'.repeat(100), 'v'.repeat(255)]],
      startNs: counter.timeNs - 1_000_000n,
      value: 0,
    };
    assert.deepEqual(acceptedOf(judge(point)).violations, []);
  });
});

describe('windows of a series', () => {
  const point = acceptedOf(judge(counter)).point;
  const at = (startMs: number, timeMs: number) => ({ ...point, startMs, timeMs });

  test('touching windows, gaps, other series and late ones that fit are fine', () => {
    const windows = createSeriesWindows();
    for (const [startMs, timeMs] of [
      [0, 60],
      [60, 120],
      [180, 240],
      [120, 180],
      [240, 300],
    ] as const) {
      assert.deepEqual(windows.add('a', at(startMs, timeMs)).violations, []);
    }
    assert.deepEqual(windows.add('b', at(0, 300)).violations, []);
  });

  test('an overlap by a millisecond, from either side, or within', () => {
    for (const [startMs, timeMs] of [
      [119, 180],
      [1, 61],
      [70, 80],
      [0, 500],
    ] as const) {
      const windows = createSeriesWindows();
      windows.add('a', at(60, 120));
      assert.deepEqual(windows.add('a', at(startMs, timeMs)).violations, [
        `window (${startMs}, ${timeMs}] overlaps window (60, 120]: a`,
      ]);
    }
  });

  test('the newest times and series are remembered, the oldest go', () => {
    const windows = createSeriesWindows();
    const reading = acceptedOf(judge(gauge)).point;
    for (let timeMs = 1; timeMs <= MAX_TIMES; timeMs++) windows.add('g', { ...reading, timeMs });
    assert.equal(windows.add('g', { ...reading, timeMs: 1 }).violations.length, 1);
    windows.add('g', { ...reading, timeMs: MAX_TIMES + 1 });
    assert.equal(windows.add('g', { ...reading, timeMs: 1 }).violations.length, 0);
    windows.clear();
    for (let i = 0; i < MAX_SERIES; i++) windows.add(`s${i}`, reading);
    assert.equal(windows.add('s0', reading).violations.length, 1);
    windows.add('one more', reading);
    assert.equal(windows.add('s0', reading).violations.length, 0);
  });

  test('the same time twice, for gauges too', () => {
    const windows = createSeriesWindows();
    const reading = acceptedOf(judge(gauge)).point;
    assert.deepEqual(windows.add('g', reading).violations, []);
    assert.deepEqual(windows.add('g', { ...reading, timeMs: reading.timeMs + 1 }).violations, []);
    assert.deepEqual(windows.add('g', reading).violations, ['two points at time 120000: g']);
    windows.clear();
    assert.deepEqual(windows.add('g', reading).violations, []);
  });

  test('a second point of a series within a minute of the clock is told apart, in any order of series', () => {
    const windows = createSeriesWindows();
    const reading = acceptedOf(judge(gauge)).point;
    const second = (seriesKey: string, timeMs: number) =>
      windows.add(seriesKey, { ...reading, timeMs }).secondInMinute;
    assert.equal(second('g', 60_000), false);
    assert.equal(second('g', 119_999), true);
    assert.equal(second('other', 119_999), false);
    assert.equal(second('g', 120_000), false);
  });
});

function withHistogram(changes: Partial<NonNullable<DecodedPoint['histogram']>>): DecodedPoint {
  return {
    ...histogram,
    histogram: { count: 3, sum: 1.5, bounds: [0.1, 1], buckets: [1, 2, 0], ...changes },
  };
}

function valueLine(name: string, details: string): string {
  return `Metric value dropped. key: '${name}' details: '${details}' - Reason: VALUE_INVALID`;
}

function bucketLine(details: string): string {
  return `Histogram metric dropped. key: 'ttft' details: '${details}' - Reason: HISTOGRAM_BUCKET_INVALID`;
}

function dropLine(reason: string): string {
  return `Metric dropped: 'tokens_total' - Reason: ${reason}`;
}
