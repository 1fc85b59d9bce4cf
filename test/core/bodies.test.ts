/** Bodies under Dynatrace's limits: each series in exactly one of them, none divided. */
import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { decodeMetricsRequest } from '../../functions/cli/world/otlp-decoder.ts';
import { type Body, bytesOf, halve, packBodies, pointsOf } from '../../functions/core/bodies.ts';
import { MAX_BODY_BYTES, MAX_BODY_POINTS } from '../../functions/core/dynatrace.ts';
import type { DataPoint } from '../../functions/core/model.ts';
import type { Sendable } from '../../functions/core/points.ts';
import { firstState } from '../../functions/core/series-state.ts';
import { createSeriesTable, internSeries } from '../../functions/core/series.ts';

const TICK_MS = Date.parse('2026-01-01T00:01:00Z');
const table = createSeriesTable();

function gauge(name: string, attributes: Readonly<Record<string, string>> = {}): DataPoint {
  return { kind: 'gauge', name, unit: '', description: '', attributes, timeMs: TICK_MS, value: 1 };
}

/** Something that is sent as `count` points, as a summary is two. */
function sendable(name: string, count = 1): Sendable {
  const state = firstState(internSeries(table, name, []), 'summary', [], [1, 1], [0, 0], TICK_MS - 60_000);
  return {
    key: name,
    states: [state],
    points: Array.from({ length: count }, (_, i) => gauge(count === 1 ? name : `${name}_${i}`)),
  };
}

function sendables(prefix: string, count: number, points = 1): Sendable[] {
  return Array.from({ length: count }, (_, i) => sendable(`${prefix}${i}`, points));
}

function ofTarget(owner: string, given: readonly Sendable[]) {
  return { owner, resource: { 'service.instance.id': owner }, sendables: given };
}

/** A sendable whose point takes `bytes` or a little less, as labels of some size. */
function large(name: string, bytes: number): Sendable {
  return { key: name, states: [], points: [gauge(name, { a: 'x'.repeat(bytes - 100) })] };
}

const sizes = (bodies: readonly Body<unknown>[]) => bodies.map(({ points }) => points);
const inside = ({ parts }: Body<unknown>): readonly Sendable[] => parts.flatMap((part) => part.sendables);
const ownersOf = (bodies: readonly Body<string>[]) =>
  bodies.map(({ parts }) => [...new Set(parts.map(({ owner }) => owner))].join());

describe('packing', () => {
  test('nothing makes no body', () => {
    assert.deepEqual(packBodies([]), []);
    assert.deepEqual(packBodies([ofTarget('a', [])]), []);
  });

  test('targets share a body, each under its own resource', () => {
    const [body, ...more] = packBodies([
      ofTarget('a', sendables('a', 2)),
      ofTarget('b', []),
      ofTarget('c', sendables('c', 1)),
    ]);
    assert(body !== undefined && more.length === 0);
    assert.deepEqual(
      decodeMetricsRequest(bytesOf(body)).map(({ name, resource }) => [name, resource[0]?.[1]]),
      [
        ['a0', 'a'],
        ['a1', 'a'],
        ['c0', 'c'],
      ],
    );
    assert.equal(body.points, 3);
    assert.equal(body.length, bytesOf(body).length);
    assert.deepEqual(
      pointsOf(body).map(({ name }) => name),
      ['a0', 'a1', 'c0'],
    );
  });

  test(`${MAX_BODY_POINTS} points are one body, one more begins another`, () => {
    const a = ofTarget('a', sendables('a', MAX_BODY_POINTS - 1));
    assert.deepEqual(sizes(packBodies([a, ofTarget('b', sendables('b', 1))])), [MAX_BODY_POINTS]);
    const two = packBodies([a, ofTarget('b', sendables('b', 2))]);
    assert.deepEqual(sizes(two), [MAX_BODY_POINTS - 1, 2]);
    assert.deepEqual(ownersOf(two), ['a', 'b']);
  });

  test(`${MAX_BODY_BYTES} bytes are one body, one more begins another`, () => {
    const a = large('a', MAX_BODY_BYTES / 2);
    const [half] = packBodies([ofTarget('a', [a])]);
    assert(half !== undefined);
    const room = MAX_BODY_BYTES - half.length;
    const b = (bytes: number) => ofTarget('b', [large('b', bytes)]);
    const overhead = (packBodies([b(room)])[0]?.length ?? 0) - room;
    const fits = packBodies([ofTarget('a', [a]), b(room - overhead)]);
    assert.deepEqual(
      fits.map(({ length }) => length),
      [MAX_BODY_BYTES],
    );
    assert.deepEqual(sizes(packBodies([ofTarget('a', [a]), b(room - overhead + 1)])), [1, 1]);
  });

  test('a single target too large for one body is divided, in order', () => {
    const given = sendables('a', 2 * MAX_BODY_POINTS + 1);
    const bodies = packBodies([ofTarget('a', given)]);
    assert(bodies.every(({ points }) => points <= MAX_BODY_POINTS));
    assert(bodies.length >= 3);
    assert.deepEqual(bodies.flatMap(inside), given);
    const heavy = Array.from({ length: 7 }, (_, i) => large(`h${i}`, MAX_BODY_BYTES / 3));
    const divided = packBodies([ofTarget('a', heavy)]);
    assert(divided.every(({ length }) => length <= MAX_BODY_BYTES));
    assert.deepEqual(divided.flatMap(inside), heavy);
  });

  test('a single series too large for any body still has one', () => {
    const bodies = packBodies([ofTarget('a', [large('a', MAX_BODY_BYTES + 1_000), sendable('b')])]);
    assert.deepEqual(sizes(bodies), [1, 1]);
  });

  test('what is sent as two points is not divided', () => {
    const bodies = packBodies([
      ofTarget('a', [...sendables('a', 1), ...sendables('s', MAX_BODY_POINTS / 2, 2)]),
    ]);
    for (const body of bodies) {
      const names = decodeMetricsRequest(bytesOf(body)).map(({ name }) => name);
      for (const name of names.filter((one) => one.endsWith('_0')))
        assert(names.includes(name.replace(/_0$/, '_1')));
    }
    assert.equal(
      sizes(bodies).reduce((sum, points) => sum + points, 0),
      MAX_BODY_POINTS + 1,
    );
  });
});

describe('halving', () => {
  test('a body of several targets is divided between them', () => {
    const [body] = packBodies(['a', 'b', 'c'].map((owner) => ofTarget(owner, sendables(owner, 2))));
    assert(body !== undefined);
    const halves = halve(body);
    assert(halves !== undefined);
    assert.deepEqual(ownersOf(halves), ['a,b', 'c']);
    assert.deepEqual(halves.flatMap(inside), inside(body));
    assert.equal(halves[0].length + halves[1].length, body.length);
    assert.deepEqual(sizes(halves), [4, 2]);
  });

  test('down to single series, each of them once, and no further', () => {
    const [body] = packBodies([ofTarget('a', sendables('a', 5, 2)), ofTarget('b', sendables('b', 1))]);
    assert(body !== undefined);
    const single: Body<string>[] = [];
    const divide = (part: Body<string>): void => {
      const halves = halve(part);
      if (halves === undefined) single.push(part);
      else halves.forEach(divide);
    };
    divide(body);
    assert.deepEqual(single.flatMap(inside), inside(body));
    assert.deepEqual(sizes(single), [2, 2, 2, 2, 2, 1]);
    for (const part of single) assert.equal(decodeMetricsRequest(bytesOf(part)).length, part.points);
  });
});

describe('any targets', () => {
  test('every sendable is in exactly one body, in order, and no body is past its bounds', () => {
    const many = fc.integer({ min: 0, max: MAX_BODY_POINTS + 500 });
    fc.assert(
      fc.property(fc.array(many, { maxLength: 5 }), fc.integer({ min: 1, max: 2 }), (counts, points) => {
        const targets = counts.map((count, i) => ofTarget(`${i}`, sendables(`t${i}_`, count, points)));
        const bodies = packBodies(targets);
        assert.deepEqual(
          bodies.flatMap(inside),
          targets.flatMap(({ sendables: given }) => given),
        );
        for (const { points: total, length } of bodies)
          assert(total > 0 && total <= MAX_BODY_POINTS && length <= MAX_BODY_BYTES);
      }),
      { numRuns: 10 },
    );
  });
});
