/** The same traffic, told by NIM 1.x and by both engines of NIM 2.x, is the same dashboard where the pages tell the same. */
import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { SAME_TRAFFIC } from './dashboard-pages.ts';
import { storeOf, tilesOf } from './dashboard-store.ts';
import { readTruth } from './dashboard-truth.ts';
import { evaluateDql } from './dql-evaluator.ts';

/** What differs by nature: pages of another length, bounds of another place, columns that a generation lacks. */
const DIFFERENT = ['Samples scraped', 'Time to first token', 'Time per output token', 'End-to-end latency'];
const LACKING: Readonly<Record<string, readonly string[]>> = {
  '2-vllm': ['maximum'],
  '2-sglang': ['maximum', 'succeeded'],
};

const first = await storeOf(SAME_TRAFFIC['1'], readTruth(SAME_TRAFFIC['1']));

for (const [engine, lacking] of Object.entries(LACKING)) {
  const fixture = SAME_TRAFFIC[engine as keyof typeof SAME_TRAFFIC];
  const store = await storeOf(fixture, readTruth(fixture));
  for (const variant of ['grail', 'summary'] as const) {
    for (const { title, query } of tilesOf(variant)) {
      if (variant === 'grail' && DIFFERENT.includes(title)) continue;
      if (title === 'Samples scraped' || (title === 'Finish reasons' && engine === '2-sglang')) continue;
      test(`${variant}, ${engine}: ${title}`, () => {
        const rows = (one: typeof store) =>
          evaluateDql(query, one)
            .map((record) =>
              JSON.stringify(
                Object.entries(record).filter(([column]) => !lacking.includes(column)),
                rounded,
              ),
            )
            .sort();
        assert.deepEqual(rows(store), rows(first));
      });
    }
  }
}

/** Sums are added up in other orders; a minute of nothing may be no point. */
function rounded(_: string, value: unknown): unknown {
  if (value === null) return 0;
  return typeof value === 'number' ? Number(value.toPrecision(12)) : value;
}
