import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import { percentile } from '../../functions/cli/run-table.ts';

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
