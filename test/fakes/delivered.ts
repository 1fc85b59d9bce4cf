/** The receiver's points held against what simulated NIM servers truly showed. */
import assert from 'node:assert/strict';
import { floatText } from '../../functions/cli/world/nim-page.ts';
import type { ReceivedPoint } from '../../functions/cli/world/ingest-rules.ts';

/** Counts by exposition text `name{labels}`, as `SimulatedNim.served()` gives them. */
export type Counts = ReadonlyMap<string, number>;

/** Sums are added up in other orders on both sides. */
const RELATIVE_TOLERANCE = 1e-9;

/** Every counter, and every histogram's count, sum and buckets, to the last one; nothing beside them. */
export function assertDelivered(points: readonly ReceivedPoint[], ...counted: readonly Counts[]): void {
  const expected = sum(...counted);
  const delivered = deliveredCounts(points);
  assert.ok(delivered.size > 50 || expected.size === 0, `${delivered.size} series were delivered`);
  for (const key of new Set([...expected.keys(), ...delivered.keys()])) {
    if (/^(python|process)_/.test(key)) continue;
    const [is = 0, should = 0] = [delivered.get(key), expected.get(key)];
    const tolerance = /_sum\b/.test(key) ? RELATIVE_TOLERANCE * Math.abs(should) : 0;
    assert.ok(Math.abs(is - should) <= tolerance, `${key}: ${is} was delivered, ${should} was counted`);
  }
}

export function sum(...counted: readonly Counts[]): Counts {
  const total = new Map<string, number>();
  for (const [key, value] of counted.flatMap((counts) => [...counts]))
    total.set(key, (total.get(key) ?? 0) + value);
  return total;
}

/** What was counted between two moments. */
export function growth(before: Counts, after: Counts): Counts {
  return sum(after, new Map([...before].map(([key, value]) => [key, -value])));
}

function deliveredCounts(points: readonly ReceivedPoint[]): Counts {
  const counts = new Map<string, number>();
  const add = (key: string, value: number) => counts.set(key, (counts.get(key) ?? 0) + value);
  for (const point of points) {
    if (point.kind === 'gauge' || point.name.startsWith('nim_to_dynatrace.')) continue;
    const labels = Object.entries(point.attributes)
      .filter(([name]) => !name.startsWith('service.'))
      .map(([name, value]) => `${name}="${value}"`)
      .toSorted();
    const keyOf = (suffix: string, ...first: readonly string[]) =>
      `${point.name}${suffix}{${[...first, ...labels].join(',')}}`;
    if (point.kind === 'counter') {
      add(keyOf(''), point.value);
      continue;
    }
    add(keyOf('_count'), point.count);
    add(keyOf('_sum'), point.sum);
    point.buckets.forEach((count, i) =>
      add(keyOf('_bucket', `le="${floatText(point.bounds[i] ?? Infinity)}"`), count),
    );
  }
  return counts;
}
