import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import { MAX_WIDTH, percentile, tableOf } from '../../functions/cli/run-table.ts';
import type { DecodedPoint } from '../../functions/cli/world/otlp-decoder.ts';
import type { RunReport } from '../../functions/core/report.ts';

describe('percentile: as histogram_quantile of PromQL', () => {
  for (const [name, q, bounds, buckets, expected] of [
    ['linear within its bucket', 0.5, [1, 2, 4], [0, 0, 10, 0], 3],
    ['at the border of two', 0.5, [1, 2], [5, 5, 0], 1],
    ['from zero in the first bucket', 0.5, [10], [4, 0], 5],
    ['from the bound itself where it is below zero', 0.5, [-2, 2], [4, 0, 0], -2],
    ['the highest bound where nothing is known above it', 0.95, [1, 2], [0, 0, 9], 2],
  ] as const) {
    test(name, () => assert.equal(percentile(q, bounds, buckets), expected));
  }

  test('without bounds there is none', () => assert.equal(percentile(0.5, [], [3]), NaN));
});

const REPORT: RunReport = {
  tickMs: 1_764_000_000_000,
  shard: 0,
  code: 'ended',
  targets: [],
  exports: [],
  pointsSent: 2,
  pointsRejected: 0,
  rejections: [],
  drops: {},
  pending: 0,
  seriesTracked: 2,
  caughtUp: 0,
  commitsFailed: 0,
  durationMs: 20,
};

const POINT = {
  unit: '',
  description: '',
  temporality: 'delta',
  monotonic: true,
  resource: [],
  scope: { name: '', version: '', attributes: [] },
  startNs: 0n,
  timeNs: 5_000_000_000n,
} as const;

function counterAt(instance: string, reason: string): DecodedPoint {
  return {
    ...POINT,
    type: 'sum',
    name: 'request_finish_total',
    attributes: [
      ['service.instance.id', instance],
      ['finished_reason', reason],
    ],
    value: 10,
  };
}

function histogramAt(instance: string): DecodedPoint {
  return {
    ...POINT,
    type: 'histogram',
    name: 'time_per_output_token_seconds',
    attributes: [['service.instance.id', instance]],
    histogram: { count: 12_000, sum: 180, bounds: [0.01, 0.02, 0.05], buckets: [3000, 6000, 3000, 0] },
  };
}

describe('the table of a tick', () => {
  const tableFor = (points: readonly DecodedPoint[]) => tableOf(REPORT, points, undefined, false).split('\n');

  test('a label that fits stands with its name, one that does not by its value', () => {
    const wide = Object.fromEntries(
      ['a.example:8000', 'b.example:8000'].map((instance) => [instance, histogramAt(instance)]),
    );
    const [, , ...alone] = tableFor([counterAt('a.example:8000', 'cancelled')]);
    assert.match(alone[0] ?? '', /^ {2}request_finish_total\{finished_reason="cancelled"\} +2\/s$/);
    const counters = ['stop', 'cancelled'].map((reason) => counterAt('a.example:8000', reason));
    const beside = tableFor([...counters, ...Object.values(wide)]);
    assert.match(beside[2] ?? '', /^ {2}request_finish_total\{stop\} +2\/s$/);
    assert.match(beside[3] ?? '', /^ {2}request_finish_total\{cancelled\} +2\/s$/);
  });

  test('what fits in no way keeps both ends', () => {
    const line = tableFor([counterAt('a.example:8000', `${'x'.repeat(120)}-end`)])[2] ?? '';
    assert.match(line, /^ {2}request_finish_total\{x+\.\.\.x+-end\} +2\/s$/);
    assert.equal(line.length, MAX_WIDTH);
  });

  test('no line is wider than a terminal: instances without room are counted', () => {
    const instances = ['a', 'b', 'c', 'd'].map((name) => `nim-${name}.inference.example.com:8000`);
    const lines = tableFor(instances.flatMap((at) => [counterAt(at, 'cancelled'), histogramAt(at)]));
    assert(lines.every(({ length }) => length <= MAX_WIDTH));
    assert(lines.includes('  (3 more instances)'));
    assert.match(lines.at(-4) ?? '', /n 12000 p50 0\.0\d+ p95 0\.0\d+$/);
  });
});
