import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ProtobufMetricsSerializer } from '@opentelemetry/otlp-transformer';
import protobuf from 'protobufjs';
import { decodeMetricsRequest, encodePartialSuccess } from '../../../functions/cli/world/otlp-decoder.ts';
import type { DecodedPoint } from '../../../functions/cli/world/otlp-decoder.ts';
import { bodyOf, MINUTE } from './otlp-body.ts';
import type { BodyMetric } from './otlp-body.ts';

function decodeOne(metric: BodyMetric): DecodedPoint {
  const [point, ...others] = decodeMetricsRequest(bodyOf([metric]));
  assert.equal(others.length, 0);
  assert.ok(point);
  return point;
}

describe('OTLP decoder', () => {
  test('a counter with all that stands around it', () => {
    const metric: BodyMetric = {
      kind: 'counter',
      name: 'tokens_total',
      unit: '{token}',
      description: 'Tokens.',
      attributes: { model_name: 'm' },
      startMs: MINUTE + 1,
      timeMs: MINUTE + 60_001,
      value: 0.1,
    };
    assert.deepEqual(decodeMetricsRequest(bodyOf([metric], { 'service.name': 'nim' })), [
      {
        name: 'tokens_total',
        unit: '{token}',
        description: 'Tokens.',
        type: 'sum',
        temporality: 'delta',
        monotonic: true,
        resource: [['service.name', 'nim']],
        scope: { name: 'scope', version: '1', attributes: [] },
        attributes: [['model_name', 'm']],
        startNs: BigInt(MINUTE + 1) * 1_000_000n,
        timeNs: BigInt(MINUTE + 60_001) * 1_000_000n,
        value: 0.1,
      },
    ]);
  });

  test('gauges: negative, NaN, infinite, zero, integer', () => {
    for (const value of [-1.5, Number.NaN, Infinity, -Infinity, 0]) {
      assert.equal(decodeOne({ kind: 'gauge', value }).value, value);
    }
    for (const value of [-7, 0, Number.MAX_SAFE_INTEGER]) {
      assert.equal(decodeOne({ kind: 'gauge', value, integer: true }).value, value);
    }
  });

  test('a histogram, counts exact up to 2^53', () => {
    const count = 2 ** 53;
    const buckets = [2 ** 53 - 2 ** 33 - 1, 2 ** 33 + 1, 0];
    const point = decodeOne({ kind: 'histogram', count, sum: -2.25, bounds: [-1, 0.005], buckets });
    assert.deepEqual(point.histogram, { count, sum: -2.25, bounds: [-1, 0.005], buckets });
    assert.equal(point.value, undefined);
  });

  test('a sum of zero is not a sum that was not sent', () => {
    assert.equal(decodeOne({ kind: 'histogram', sum: 0 }).histogram?.sum, 0);
    assert.equal(decodeOne({ kind: 'histogram', sum: undefined }).histogram?.sum, undefined);
  });

  test('temporality and monotonicity', () => {
    assert.equal(decodeOne({ kind: 'counter', cumulative: true }).temporality, 'cumulative');
    assert.equal(decodeOne({ kind: 'counter', monotonic: false }).monotonic, false);
    assert.equal(decodeOne({ kind: 'histogram', cumulative: true }).temporality, 'cumulative');
    assert.equal(decodeOne({ kind: 'exponential_histogram' }).type, 'exponential_histogram');
  });

  test('attributes keep their type, their order and what Dynatrace does not keep', () => {
    const attributes = { text: 'ä"\n', empty: '', yes: true, whole: 7, double: 0.5, list: ['a'] };
    assert.deepEqual(decodeOne({ kind: 'gauge', attributes }).attributes, [
      ['text', 'ä"\n'],
      ['empty', ''],
      ['yes', true],
      ['whole', 7n],
      ['double', { unsupported: 'doubleValue' }],
      ['list', { unsupported: 'arrayValue' }],
    ]);
  });

  test('times to the nanosecond', () => {
    const body = metricBytes(5, (point) => point.uint32(25).fixed64('1800000000000000001'));
    assert.equal(decodeMetricsRequest(body)[0]?.timeNs, 1_800_000_000_000_000_001n);
  });

  test('a summary, and a gauge without a value', () => {
    const [summary] = decodeMetricsRequest(metricBytes(11, (point) => point.uint32(33).fixed64(3)));
    assert.equal(summary?.type, 'summary');
    const [gauge] = decodeMetricsRequest(metricBytes(5, (point) => point));
    assert.equal(gauge?.value, undefined);
  });

  test('an empty body and a metric without data have no points', () => {
    assert.deepEqual(decodeMetricsRequest(new Uint8Array()), []);
    assert.deepEqual(decodeMetricsRequest(bodyOf([])), []);
  });

  test('bytes that are no such message throw', () => {
    const body = bodyOf([{ kind: 'counter' }]);
    assert.throws(() => decodeMetricsRequest(body.subarray(0, body.length - 1)));
    assert.throws(() => decodeMetricsRequest(Buffer.from('{"resourceMetrics":[]}')));
    assert.throws(() => decodeMetricsRequest(Buffer.from([0xff, 0xff, 0xff])));
  });

  test('the partial success is read by the OpenTelemetry client', () => {
    const response = ProtobufMetricsSerializer.deserializeResponse(encodePartialSuccess(15_000, 'why'));
    assert.equal(Number(response.partialSuccess?.rejectedDataPoints), 15_000);
    assert.equal(response.partialSuccess?.errorMessage, 'why');
  });
});

/** A request with one point of a metric whose data stands in this field: what the serializer cannot write. */
function metricBytes(
  dataField: number,
  write: (point: protobuf.Writer) => protobuf.Writer,
): Uint8Array<ArrayBufferLike> {
  const tag = (field: number) => (field << 3) | 2;
  const point = write(protobuf.Writer.create()).finish();
  const nested = [dataField, 2, 2, 1].reduce(
    (inner, field) => protobuf.Writer.create().uint32(tag(field)).bytes(inner).finish(),
    protobuf.Writer.create().uint32(tag(1)).bytes(point).finish(),
  );
  return nested;
}
