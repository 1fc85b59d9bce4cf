/** The limits of Dynatrace's ingest, each met and passed by one. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  MAX_AGE_MS,
  MAX_DESCRIPTION_LENGTH,
  MAX_DIMENSION_KEY_LENGTH,
  MAX_DIMENSION_VALUE_LENGTH,
  MAX_LEAD_MS,
  MAX_UNIT_LENGTH,
  judge as judgeAt,
} from '../../../functions/cli/world/ingest-rules.ts';
import type { Judgement } from '../../../functions/cli/world/ingest-rules.ts';
import type { DecodedPoint } from '../../../functions/cli/world/otlp-decoder.ts';

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

function judge(point: DecodedPoint): Judgement {
  return judgeAt(point, 120_000);
}

function withBounds(bounds: readonly number[]): DecodedPoint {
  const { value: _, ...rest } = counter;
  return { ...rest, type: 'histogram', histogram: { count: 3, sum: 1.5, bounds, buckets: [1, 2, 0] } };
}

function lineOf(judgement: Judgement): string {
  assert.equal(judgement.code, 'rejected');
  return judgement.line;
}

function acceptedOf(judgement: Judgement) {
  assert.equal(judgement.code, 'accepted', 'line' in judgement ? judgement.line : '');
  return judgement;
}

describe('limits, and one past each', () => {
  const at = (timeMs: number): DecodedPoint => ({
    ...counter,
    startNs: BigInt(timeMs - 1) * 1_000_000n,
    timeNs: BigInt(timeMs) * 1_000_000n,
  });
  const arrival = Date.parse('2026-01-01T00:00:00Z');

  test('an hour old and ten minutes ahead', () => {
    for (const timeMs of [arrival - MAX_AGE_MS, arrival, arrival + MAX_LEAD_MS])
      acceptedOf(judgeAt(at(timeMs), arrival));
    assert.match(
      lineOf(judgeAt(at(arrival - MAX_AGE_MS - 1), arrival)),
      /^Metric value dropped\. key: 'tokens_total' .* more than an hour old' - Reason: TIMESTAMP_INVALID$/,
    );
    assert.match(lineOf(judgeAt(at(arrival + MAX_LEAD_MS + 1), arrival)), /more than ten minutes ahead/);
  });

  test('a bound of zero and one below', () => {
    acceptedOf(judge(withBounds([0, 1])));
    assert.equal(
      lineOf(judge(withBounds([-0.1, 1]))),
      "Histogram metric dropped. key: 'tokens_total' details: 'Histogram boundaries are negative' - Reason: HISTOGRAM_BUCKET_INVALID",
    );
  });

  const violationsOf = (changes: Partial<DecodedPoint>) =>
    acceptedOf(judge({ ...counter, ...changes })).violations.length;

  for (const [what, max, changes] of [
    ['a unit', MAX_UNIT_LENGTH, (text: string) => ({ unit: text })],
    ['a description', MAX_DESCRIPTION_LENGTH, (text: string) => ({ description: text })],
    ['a dimension key', MAX_DIMENSION_KEY_LENGTH, (text: string) => ({ attributes: [[text, 'v']] as const })],
    ['a value', MAX_DIMENSION_VALUE_LENGTH, (text: string) => ({ attributes: [['k', text]] as const })],
  ] as const) {
    test(`${what} of ${max} characters`, () => {
      assert.equal(violationsOf(changes('x'.repeat(max))), 0);
      assert.equal(violationsOf(changes('x'.repeat(max + 1))), 1);
    });
  }

  test('an attribute of the resource that only some environments keep tells no series apart', () => {
    const keyOf = (resource: DecodedPoint['resource']) =>
      acceptedOf(judge({ ...counter, resource })).seriesKey;
    assert.equal(keyOf([['server.address', 'a']]), keyOf([['server.address', 'b']]));
    assert.notEqual(keyOf([['service.instance.id', 'a']]), keyOf([['service.instance.id', 'b']]));
  });
});
