/**
 * The Collector's own cases for cumulativetodelta (its processor, tracker and telemetry tests, and issues 22 to 24), each
 * with what that processor does as of v0.145, what we do, and why. Points are 10 s apart; `-` is nothing sent.
 * Vector 12 (metrics excluded from conversion leave as cumulative, which Dynatrace refuses) has no counterpart: what is
 * excluded here is not sent. Vector 26 (two sources that differ in scope attributes are mixed up) cannot arise: a series
 * is one of one target.
 */
import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import { parseExposition } from '../../functions/core/exposition.ts';
import { groupFamilies } from '../../functions/core/families.ts';
import { createSeriesTable } from '../../functions/core/series.ts';
import { counters, histogram, startStory } from './story.ts';

const OLD = -100_000;

/** A point without a value, as the Collector flags one: the page lacks the series. */
const ABSENT = 'absent';

interface Vector {
  readonly number: number;
  readonly about: string;
  readonly pages: readonly string[];
  /** value@start per page, as the processor answers. */
  readonly collector: string;
  readonly ours: string;
  readonly why: string;
}

/** Increases as `value@start`, times from 0; `-` where nothing left. */
function play(pages: readonly string[], facts = {}): string {
  const story = startStory(facts);
  return pages
    .map((page, i) => {
      const sent = story.run(10 * i, page).filter((line) => !line.startsWith('drop'));
      return sent.map((line) => line.replace(/^\S+ (.*) \((-?\d+),\d+\]$/, '$1@$2')).join('+') || '-';
    })
    .join(', ');
}

const sums = (...values: readonly (number | typeof ABSENT)[]): readonly string[] =>
  values.map((value) => (value === ABSENT ? 'other 1\n' : counters({ a_total: value })));

/** Cumulative buckets under the bounds 1 and 2, the last of them the count. */
const distributions = (
  ...readings: readonly (readonly [number, number, number, sum: number])[]
): readonly string[] => readings.map(([a, b, count, sum]) => histogram('h', [1, 2], [a, b, count], sum));

const VECTORS: readonly Vector[] = [
  {
    number: 1,
    about: 'a plain sum',
    pages: sums(0, 100, 200, 500),
    collector: '-, 100@0, 100@10, 300@20',
    ours: '-, 100@0, 100@10, 300@20',
    why: 'the same',
  },
  {
    number: 2,
    about: 'a restart',
    pages: sums(100, 105, 120, 100, 110),
    collector: '-, 5@0, 15@10, -, 10@30',
    ours: '-, 5@0, 15@10, 100@20, 10@30',
    why: 'all counted since the restart is increase (D7)',
  },
  {
    number: 4,
    about: 'initial_value drop',
    pages: sums(100, 225),
    collector: '-, 125@0',
    ours: '-, 125@0',
    why: 'the same',
  },
  {
    number: 7,
    about: 'initial_value auto without a start time',
    pages: sums(100, 225),
    collector: '-, 125@0',
    ours: '-, 125@0',
    why: 'the same: nothing tells how old the counts are (D6)',
  },
  {
    number: 8,
    about: 'NaN inside',
    pages: sums(0, 100, 200, NaN, 400),
    collector: '-, 100@0, 100@10, NaN@20, ...',
    ours: '-, 100@0, 100@10, -, 200@20',
    why: 'Dynatrace refuses NaN; the next value carries the gap',
  },
  {
    number: 9,
    about: 'a point without a value',
    pages: sums(0, 100, ABSENT, 200, 400),
    collector: '-, 100@0, -, 100@10, 200@30',
    ours: '-, 100@0, -, 100@10, 200@30',
    why: 'the same',
  },
  {
    number: 10,
    about: 'two points without a value',
    pages: sums(0, 100, ABSENT, ABSENT, 400),
    collector: '-, 100@0, -, -, 300@10',
    ours: '-, 100@0, -, -, 300@10',
    why: 'the same',
  },
  {
    number: 14,
    about: 'a histogram',
    pages: distributions([0, 0, 0, 0], [50, 75, 100, 100], [100, 150, 200, 200], [250, 375, 500, 500]),
    collector: '-, 100 100 [50 25 25]@0, 100 100 [50 25 25]@10, 300 300 [150 75 75]@20',
    ours: '-, 100 100 [50 25 25]@0, 100 100 [50 25 25]@10, 300 300 [150 75 75]@20',
    why: 'the same',
  },
  {
    number: 15,
    about: 'a histogram whose sum is NaN once',
    pages: distributions([0, 0, 0, 0], [1, 2, 4, 100], [2, 4, 8, NaN], [3, 6, 12, 500]),
    collector: '-, 4 100 [1 1 2]@0, 4 NaN [1 1 2]@10, 4 400 [1 1 2]@20',
    ours: '-, 4 100 [1 1 2]@0, -, 8 400 [2 2 4]@10',
    why: 'Dynatrace refuses a histogram without a sum; the next carries both',
  },
  {
    number: 16,
    about: 'a histogram without a sum',
    pages: [1, 2].map((n) => histogram('h', [1], [n, n], 0).replace(/h_sum.*\n/, '')),
    collector: '-, counts without a sum',
    ours: '-, -',
    why: 'Dynatrace refuses it: counted as invalid_histogram',
  },
  {
    number: 18,
    about: 'a histogram without a value, twice',
    pages: [
      ...distributions([0, 0, 0, 0], [1, 1, 2, 3]),
      'other 1\n',
      'other 1\n',
      ...distributions([20, 40, 81, 16]),
    ],
    collector: '-, 2 3 [1 0 1]@0, -, -, 79 13 [19 20 40]@10',
    ours: '-, 2 3 [1 0 1]@0, -, -, 79 13 [19 20 40]@10',
    why: 'the same',
  },
  {
    number: 19,
    about: 'a histogram restart',
    pages: distributions([0, 0, 10, 10], [0, 0, 20, 20], [0, 0, 5, 5], [0, 0, 15, 15], [0, 0, 25, 25]),
    collector:
      '-, 10 10 [0 0 10]@0, 5 5 [0 0 5]@10, 10 10 [0 0 10]@20, 10 10 [0 0 10]@30 (from v0.156 on: -, 10, -, -, 5)',
    ours: '-, 10 10 [0 0 10]@0, 5 5 [0 0 5]@10, 10 10 [0 0 10]@20, 10 10 [0 0 10]@30',
    why: 'one rule for sums and histograms (D7)',
  },
  {
    number: 20,
    about: 'another number of buckets',
    pages: [histogram('h', [], [10], 1), histogram('h', [1], [15, 20], 2), histogram('h', [1], [20, 30], 3)],
    collector: '-, -, 10 1 [5 5]@10',
    ours: '-, -, 10 1 [5 5]@10',
    why: 'the same: bucket_mismatch',
  },
  {
    number: 21,
    about: 'other bounds, the same number',
    pages: [
      histogram('h', [1], [4, 10], 1),
      histogram('h', [2], [8, 20], 2),
      histogram('h', [2], [10, 30], 3),
    ],
    collector: '-, -, 10 1 [2 8]@10',
    ours: '-, -, 10 1 [2 8]@10',
    why: 'the same: bucket_mismatch',
  },
  {
    number: 22,
    about: 'the same count after a restart',
    pages: [histogram('h', [1], [4, 10], 100), histogram('h', [1], [5, 10], 40)],
    collector: '-, 0 -60 [1 18446744073709551615]@0 (from v0.156 on: -)',
    ours: '-, 10 40 [5 5]@0',
    why: 'a bucket fell: a restart (D7)',
  },
  {
    number: 23,
    about: 'a larger count after a restart',
    pages: [histogram('h', [1], [9, 10], 100), histogram('h', [1], [2, 12], 140)],
    collector: '-, 2 40 [18446744073709551609 9]@0 (from v0.156 on: -)',
    ours: '-, 12 140 [2 10]@0',
    why: 'a bucket fell: a restart (D7)',
  },
  {
    number: 24,
    about: 'a restart told by the start time',
    pages: [
      counters({ a_total: 100 }, OLD),
      counters({ a_total: 105 }, OLD),
      counters({ a_total: 120 }, OLD),
      counters({ a_total: 5 }, 25),
      counters({ a_total: 9 }, 25),
    ],
    collector: '-, 5@0, 15@10, 5@29.999 (metric_start_time: a window of 1 ms), 4@30',
    ours: '-, 5@0, 15@10, 5@20, 4@30',
    why: 'windows touch (D3)',
  },
];

describe('the Collector’s vectors', () => {
  for (const { number, about, pages, ours, why } of VECTORS) {
    test(`${number}: ${about}: ${why}`, () => assert.equal(play(pages), ours));
  }

  test('3: initial_value keep: the first value is sent, over one interval and not since 1970', () => {
    const facts = { initialValue: 'keep', intervalMs: 10_000 } as const;
    assert.equal(play(sums(100, 225), facts), '100@-10, 125@0');
  });

  test('5, 6: initial_value auto: a process that started within the hour counts from its start', () => {
    const young = [100, 225, 75, 300, 325].map((value, i) => counters({ a_total: value }, i < 2 ? -500 : 15));
    // The Collector: 100@its start, 125, nothing for the restart, 225, 25.
    assert.equal(play(young, { intervalMs: 10_000 }), '100@-10, 125@0, 75@10, 225@20, 25@30');
  });

  test('11, 13: what is no monotonic sum or histogram is a gauge here and passes unchanged', () => {
    const body = new TextEncoder().encode('# TYPE g gauge\ngg 4\n# TYPE s stateset\ns{s="on"} 1\n');
    const table = createSeriesTable();
    const parsed = parseExposition(body, table, 10);
    assert(parsed.code === 'page');
    const families = groupFamilies(parsed.page, table, new Map());
    assert.deepEqual([families.cumulative.length, families.gauges.length], [0, 2]);
  });

  test('17: minimum and maximum are never sent: a page does not tell them', () => {
    assert.equal(play(distributions([0, 0, 0, 0], [1, 1, 1, 800])), '-, 1 800 [1 0 0]@0');
  });

  test('25: a target unseen for longer than max_staleness begins anew', () => {
    const story = startStory({ maxStalenessMs: 60_000 });
    story.run(0, counters({ a_total: 5 }));
    assert.deepEqual(story.run(61, counters({ a_total: 9 })), ['drop initial 1']);
  });
});
