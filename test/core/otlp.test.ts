/** What leaves, read back by a decoder that shares no code with the serializer. */
import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type DecodedPoint, decodeMetricsRequest } from '../../functions/cli/world/otlp-decoder.ts';
import type {
  Attributes,
  CounterPoint,
  DataPoint,
  GaugePoint,
  HistogramPoint,
} from '../../functions/core/model.ts';
import { encodeResource, joinRequests } from '../../functions/core/otlp.ts';

const RESOURCE: Attributes = { 'service.name': 'nim', 'server.port': '8000' };
const TICK_MS = Date.parse('2026-01-01T00:01:00Z');

const about = { unit: 's', description: 'Seconds', attributes: { model_name: 'm' }, timeMs: TICK_MS };
const counter: CounterPoint = {
  kind: 'counter',
  name: 'a_total',
  ...about,
  startMs: TICK_MS - 60_000,
  value: 2,
};
const gauge: GaugePoint = { kind: 'gauge', name: 'g', ...about, value: 0.5 };
const histogram: HistogramPoint = {
  kind: 'histogram',
  name: 'h',
  ...about,
  startMs: TICK_MS - 60_000,
  count: 6,
  sum: 7.5,
  bounds: [0.5, 1],
  buckets: [1, 2, 3],
};

function decode(...points: DataPoint[]): readonly DecodedPoint[] {
  return decodeMetricsRequest(encodeResource(RESOURCE, points));
}

function one(point: DataPoint): DecodedPoint {
  const [decoded, ...more] = decode(point);
  assert(decoded !== undefined && more.length === 0);
  return decoded;
}

const COMMON = {
  unit: 's',
  description: 'Seconds',
  resource: Object.entries(RESOURCE),
  scope: { name: 'nim-to-dynatrace', version: '', attributes: [] },
  attributes: [['model_name', 'm']],
  timeNs: BigInt(TICK_MS) * 1_000_000n,
};
const START_NS = BigInt(TICK_MS - 60_000) * 1_000_000n;

describe('points on the wire', () => {
  test('a counter is a monotonic delta sum of a double', () => {
    assert.deepEqual(one(counter), {
      ...COMMON,
      name: 'a_total',
      type: 'sum',
      temporality: 'delta',
      monotonic: true,
      startNs: START_NS,
      value: 2,
    });
  });

  test('a gauge has no start', () => {
    assert.deepEqual(one(gauge), {
      ...COMMON,
      name: 'g',
      type: 'gauge',
      temporality: 'unspecified',
      monotonic: false,
      startNs: 0n,
      value: 0.5,
    });
  });

  test('a histogram is a delta, its buckets one longer than its bounds', () => {
    assert.deepEqual(one(histogram), {
      ...COMMON,
      name: 'h',
      type: 'histogram',
      temporality: 'delta',
      monotonic: false,
      startNs: START_NS,
      histogram: { count: 6, sum: 7.5, bounds: [0.5, 1], buckets: [1, 2, 3] },
    });
    const none = one({ ...histogram, bounds: [], buckets: [6] });
    assert.deepEqual(none.histogram, { count: 6, sum: 7.5, bounds: [], buckets: [6] });
    const empty = one({ ...histogram, count: 0, sum: 0, buckets: [0, 0, 0] });
    assert.deepEqual(empty.histogram, { count: 0, sum: 0, bounds: [0.5, 1], buckets: [0, 0, 0] });
  });

  test('without unit and description there is none', () => {
    const { unit, description } = one({ ...counter, unit: '', description: '' });
    assert.deepEqual([unit, description], ['', '']);
  });

  test('points of one name and kind are one metric, in order; the same name of another kind is another', () => {
    const values = decode(counter, { ...gauge, name: 'a_total' }, { ...counter, value: 3 });
    assert.deepEqual(
      values.map(({ type, value }) => [type, value]),
      [
        ['sum', 2],
        ['sum', 3],
        ['gauge', 0.5],
      ],
    );
  });

  test('times are exact to the millisecond', () => {
    for (const timeMs of [1, 999, 1_000, TICK_MS + 1, 2 ** 41 + 7, 2 ** 43 + 1, 18_446_744_073_709]) {
      const point = one({ ...counter, startMs: timeMs - 1, timeMs });
      assert.equal(point.timeNs, BigInt(timeMs) * 1_000_000n);
      assert.equal(point.startNs, BigInt(timeMs - 1) * 1_000_000n);
    }
  });

  test('counts are exact up to 2^53 - 1', () => {
    for (const count of [1, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 53 - 1]) {
      const point = one({ ...histogram, count, bounds: [], buckets: [count] });
      assert.equal(point.histogram?.count, count);
      assert.deepEqual(point.histogram.buckets, [count]);
    }
  });

  test('values are doubles', () => {
    for (const value of [0, 0.1, 1e-300, 1.7976931348623157e308, 2 ** 53 - 1, -5.5])
      assert.equal(one({ ...gauge, value }).value, value);
  });

  test('text of any alphabet', () => {
    const attributes = { model_name: 'Größe \u{1f680}\n"x"', empty: '' };
    assert.deepEqual(one({ ...gauge, attributes }).attributes, Object.entries(attributes));
  });
});

describe('joined requests', () => {
  test('each resource keeps its points, in order', () => {
    const other = { 'service.name': 'other' };
    const body = joinRequests([
      encodeResource(RESOURCE, [counter, gauge]),
      encodeResource(other, [histogram]),
      encodeResource(RESOURCE, [{ ...counter, name: 'b_total' }]),
    ]);
    assert.deepEqual(
      decodeMetricsRequest(body).map(({ name, resource }) => [name, resource[0]?.[1]]),
      [
        ['a_total', 'nim'],
        ['g', 'nim'],
        ['h', 'other'],
        ['b_total', 'nim'],
      ],
    );
  });

  test('none is an empty request, one is itself', () => {
    assert.equal(joinRequests([]).length, 0);
    const alone = encodeResource(RESOURCE, [counter]);
    assert.deepEqual(joinRequests([alone]), alone);
  });
});

describe('points in, points out', () => {
  const texts = fc.string({ unit: 'grapheme', maxLength: 20 });
  const timeMs = fc.integer({ min: 1, max: 18_446_744_073_709 });
  const count = fc.maxSafeNat();
  const base = {
    name: fc.constantFrom('a_total', 'b_total', 'c'),
    unit: fc.constant('s'),
    description: fc.constant('Seconds'),
    attributes: fc.dictionary(fc.constantFrom('a', 'b', 'model_name'), texts),
    timeMs,
    startMs: timeMs,
  };
  const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
  const point: fc.Arbitrary<DataPoint> = fc.oneof(
    fc.record({ kind: fc.constant('counter'), ...base, value: finite }),
    fc.record({ kind: fc.constant('gauge'), ...base, value: finite }),
    fc.record({
      kind: fc.constant('histogram'),
      ...base,
      count,
      sum: finite,
      bounds: fc.array(finite, { maxLength: 4 }),
      buckets: fc.array(count, { minLength: 1, maxLength: 5 }),
    }),
  );

  /** What a point says, whichever side it stands on. */
  const said = (given: DataPoint): string => {
    const { kind, name, attributes, timeMs: endMs } = given;
    const amount =
      kind === 'histogram' ? [given.count, given.sum, given.bounds, given.buckets] : [given.value];
    const startNs = kind === 'gauge' ? 0n : BigInt(given.startMs) * 1_000_000n;
    return text([kind, name, Object.entries(attributes), startNs, BigInt(endMs) * 1_000_000n, amount]);
  };
  const heard = (given: DecodedPoint): string => {
    const { type, name, attributes, startNs, timeNs, histogram: h, value } = given;
    const amount = h === undefined ? [value] : [h.count, h.sum, h.bounds, h.buckets];
    return text([type === 'sum' ? 'counter' : type, name, attributes, startNs, timeNs, amount]);
  };
  const text = (parts: readonly unknown[]): string =>
    JSON.stringify(parts, (_, value: unknown) =>
      typeof value === 'bigint' ? `${value}n` : Object.is(value, -0) ? '-0' : value,
    );

  test('whatever they are, in one resource or several', () => {
    fc.assert(
      fc.property(fc.array(fc.array(point, { maxLength: 8 }), { maxLength: 4 }), (resources) => {
        const body = joinRequests(
          resources.map((points, i) => encodeResource({ 'service.name': `${i}` }, points)),
        );
        const read = decodeMetricsRequest(body);
        for (const [i, points] of resources.entries()) {
          const ours = read.filter(({ resource }) => resource[0]?.[1] === `${i}`);
          assert.deepEqual(ours.map(heard).sort(), points.map(said).sort());
        }
        assert.equal(read.length, resources.flat().length);
      }),
    );
  });
});
