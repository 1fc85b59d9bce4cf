/** Partial-success messages as Dynatrace writes them, read into counts. */
import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import {
  MAX_REJECTIONS,
  UNNAMED,
  addRejections,
  countByReason,
  readRejections,
} from '../../functions/core/rejections.ts';

const HEAD = 'The following issues were encountered while ingesting OTLP metrics:\nErrors:\n';
const NAN = "Metric value dropped. key: 'ttft' details: 'Value was NaN' - Reason: VALUE_INVALID";

describe('row 12: a partial success is counted by reason and metric', () => {
  test('each documented line', () => {
    const message = `${HEAD}Unsupported metric: 'a' - Reason: UNSUPPORTED_METRIC_TYPE_MONOTONIC_CUMULATIVE_SUM
Unsupported metric: 'b' - Reason: UNSUPPORTED_METRIC_TYPE_SUMMARY
Histogram metric dropped. key: 'c' details: 'Histogram boundaries are not sorted' - Reason: HISTOGRAM_BUCKET_INVALID
Metric dropped: 'd' - Reason: DIMENSION_COUNT_EXCEEDED
${NAN}
${NAN}
`;
    const rejections = readRejections(message, 6);
    assert.deepEqual(
      rejections.map(({ reason, metric, points }) => `${points} ${metric} ${reason}`),
      [
        '1 a UNSUPPORTED_METRIC_TYPE_MONOTONIC_CUMULATIVE_SUM',
        '1 b UNSUPPORTED_METRIC_TYPE_SUMMARY',
        '1 c HISTOGRAM_BUCKET_INVALID',
        '1 d DIMENSION_COUNT_EXCEEDED',
        '2 ttft VALUE_INVALID',
      ],
    );
    assert.equal(countByReason(rejections)['VALUE_INVALID'], 2);
  });

  test('one reason alone has all points, however often it is named', () => {
    assert.deepEqual(readRejections(`${HEAD}${NAN}\n${NAN}`, 45), [
      { reason: 'VALUE_INVALID', metric: 'ttft', points: 45 },
    ]);
  });

  test('the count is Dynatrace’s: what no line names is unnamed, lines beyond it are not counted', () => {
    const two = `${NAN}\nMetric dropped: 'd' - Reason: DIMENSION_COUNT_EXCEEDED`;
    assert.deepEqual(countByReason(readRejections(two, 5)), {
      DIMENSION_COUNT_EXCEEDED: 1,
      [UNNAMED]: 3,
      VALUE_INVALID: 1,
    });
    assert.deepEqual(countByReason(readRejections(two, 1)), { VALUE_INVALID: 1 });
  });

  for (const message of ['', 'unheard of', '- Reason: lower_case', '\n\n', "key: '"]) {
    test(`unknown text is no error: ${JSON.stringify(message)}`, () =>
      assert.deepEqual(readRejections(message, 2), [{ reason: UNNAMED, metric: '', points: 2 }]));
  }

  test(`of more than ${MAX_REJECTIONS} different ones the rest is unnamed, and the sum stays`, () => {
    const lines = (count: number) =>
      Array.from({ length: count }, (_, i) => `Metric dropped: 'm${i}' - Reason: R`).join('\n');
    assert.equal(readRejections(lines(MAX_REJECTIONS), MAX_REJECTIONS).length, MAX_REJECTIONS);
    const more = readRejections(lines(MAX_REJECTIONS + 5), MAX_REJECTIONS + 5);
    assert.equal(more.length, MAX_REJECTIONS + 1);
    assert.deepEqual(countByReason(more), { R: MAX_REJECTIONS, [UNNAMED]: 5 });
    assert.equal(
      addRejections(more, more).reduce((sum, { points }) => sum + points, 0),
      2 * (MAX_REJECTIONS + 5),
    );
  });
});
