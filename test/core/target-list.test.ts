/** Lists of target groups that no inventory meant; what Prometheus makes of each is in test/adapters/http-sd.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readTargetList } from '../../functions/core/target-list.ts';

/** Of the form of a list, but for what stands in it. */
const nearly = fc.array(
  fc.record(
    {
      targets: fc.oneof(fc.array(fc.oneof(fc.string({ unit: 'binary' }), fc.jsonValue())), fc.jsonValue()),
      labels: fc.oneof(fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.jsonValue())), fc.jsonValue()),
      Labels: fc.jsonValue(),
    },
    { requiredKeys: [] },
  ),
);

test('any text is groups of well-formed texts, or a clause that does not quote it', () => {
  const planted = fc.constant('planted');
  const any = fc.oneof(nearly, fc.jsonValue(), planted).map((value) => JSON.stringify(value));
  fc.assert(
    fc.property(fc.oneof(any, fc.string()), (text) => {
      const list = readTargetList(text);
      if (typeof list === 'string') {
        assert.match(list, /^it/);
        assert.doesNotMatch(list, /planted/);
        return;
      }
      for (const { targets, labels } of list) {
        for (const one of [...targets, ...Object.keys(labels), ...Object.values(labels)])
          assert.ok(typeof one === 'string' && one.isWellFormed());
      }
    }),
    { numRuns: 1_000 },
  );
});
