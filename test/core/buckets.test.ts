/** Fewer buckets, the same count. */
import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { MIN_BUCKETS, mergeBuckets } from '../../functions/core/buckets.ts';

describe('merging neighbours', () => {
  test('as many as there may be are left as they are', () => {
    const all = { bounds: [1, 2], buckets: [3, 0, 5] };
    assert.deepEqual(mergeBuckets(all, 3), all);
    assert.deepEqual(mergeBuckets(all, 2), { bounds: [1], buckets: [3, 5] });
  });

  test('the first and the last bound stay, and evenly many in between', () => {
    const bounds = [1, 2, 3, 4, 5, 6, 7];
    assert.deepEqual(mergeBuckets({ bounds, buckets: [1, 1, 1, 1, 1, 1, 1, 9] }, 4), {
      bounds: [1, 4, 7],
      buckets: [1, 3, 3, 9],
    });
  });

  test('each bucket counts what lay between its bounds; which bounds stay hangs on no count', () => {
    const histogram = fc
      .uniqueArray(fc.integer({ min: -1000, max: 1000 }), { maxLength: 40 })
      .map((bounds) => bounds.sort((a, b) => a - b))
      .chain((bounds) =>
        fc.record({
          bounds: fc.constant(bounds),
          buckets: fc.array(fc.nat(1000), { minLength: bounds.length + 1, maxLength: bounds.length + 1 }),
        }),
      );
    const atMost = (bounds: readonly number[], buckets: readonly number[], bound: number): number =>
      buckets.reduce((sum, count, i) => ((bounds[i] ?? Infinity) <= bound ? sum + count : sum), 0);
    fc.assert(
      fc.property(histogram, fc.integer({ min: MIN_BUCKETS, max: 45 }), ({ bounds, buckets }, max) => {
        const merged = mergeBuckets({ bounds, buckets }, max);
        assert.equal(merged.buckets.length, merged.bounds.length + 1);
        assert.equal(merged.buckets.length, Math.min(max, buckets.length));
        for (const bound of [...merged.bounds, Infinity])
          assert.equal(atMost(merged.bounds, merged.buckets, bound), atMost(bounds, buckets, bound));
        const empty = mergeBuckets({ bounds, buckets: buckets.map(() => 0) }, max);
        assert.deepEqual(empty.bounds, merged.bounds);
      }),
    );
  });
});
