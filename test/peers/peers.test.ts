/** What `npm run peers` prints of this product is so, and its truth is counted rightly. The peers need Go: not here. */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { SEQUENCE } from './pages/sequence.ts';
import { OURS } from './peers.ts';
import { replay } from './replay.ts';
import { countTruth, createReplay } from './sequence.ts';

const pages = SEQUENCE.map((file) => readFileSync(file, 'utf8'));

test('restarted in mid-sequence, all that the pages show is reported, as docs/guarantees.md says', async () => {
  const truth = countTruth(pages);
  const told = await replay(OURS, pages, true);
  assert.deepEqual(
    [...truth].map(([name]) => [name, told.get(name)]),
    [...truth],
  );
  const docs = readFileSync(join(import.meta.dirname, '../../docs/guarantees.md'), 'utf8');
  const rows = docs.match(/^\| nim-to-dynatrace \|.*$/gm) ?? [];
  const row = `| nim-to-dynatrace | ${[...truth.values()].join(' | ')} |`;
  assert.deepEqual(rows.slice(0, 2), [row, row]);
});

const page = (start: number | undefined, ...samples: string[]): string =>
  [
    ...(start === undefined ? [] : [`process_start_time_seconds ${start}`]),
    '# TYPE a_total counter',
    '# TYPE h histogram',
    ...samples,
  ].join('\n');

test('the truth: the first page is where counting begins, and each later process counts from zero', () => {
  const sequence = [
    page(1, 'a_total{x="1"} 5', 'h_count 2'),
    page(1, 'a_total{x="1"} 7', 'a_total{x="2"} 3', 'h_count 2'),
    page(1, 'a_total{x="1"} 7', 'h_count 4'),
    page(1, 'a_total{x="2"} 4', 'h_count 4'),
    page(9, 'a_total{x="1"} 8', 'h_count 1'),
  ];
  assert.deepEqual(
    [...countTruth(sequence)],
    [
      ['a_total', 2 + 3 + 1 + 8],
      ['h_count', 2 + 1],
    ],
  );
});

test('the truth of pages without a start time: a fall is another process', () => {
  const sequence = [page(undefined, 'a_total 5'), page(undefined, 'a_total 4'), page(undefined, 'a_total 6')];
  assert.deepEqual([...countTruth(sequence)], [['a_total', 4 + 2]]);
});

test('in a replay a process begins between the scrape before and the one that first shows it', () => {
  let nowMs = 1_000_000;
  const show = createReplay(
    [page(100), `${page(100)}\na_created 105`, `${page(130)}\na_created{x="1"} 131`],
    () => nowMs,
  );
  const startOf = (text: string): number => Number(/^process_start_time_seconds (.*)$/m.exec(text)?.[1]);
  assert.equal(startOf(show(0)), 940);
  nowMs += 10_000;
  const second = show(1);
  assert.equal(startOf(second), 940);
  assert.match(second, /^a_created 945$/m);
  nowMs += 10_000;
  const third = show(2);
  assert.equal(startOf(third), 1_015);
  assert.match(third, /^a_created\{x="1"\} 1016$/m);
  assert.equal(show(7), third);
});
