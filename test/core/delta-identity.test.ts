import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import { MAX_EARLIER_STARTS, MAX_TRACKED_SERIES } from '../../functions/core/delta.ts';
import { counters, histogram, startStory } from './story.ts';

const DAY_S = 86_400;

describe('D8: several processes on one address, as far as start times tell', () => {
  test('a start that moved back is a flip: no deltas, pending stays', () => {
    const story = startStory();
    story.run(0, counters({ a_total: 100 }, -50));
    story.run(60, counters({ a_total: 110 }, -50), { export: 'refused' });
    assert.deepEqual(story.run(120, counters({ a_total: 7 }, -500), { export: 'refused' }), [
      'a_total 10 (0,120]',
      'drop replica_flip 1',
    ]);
    assert.deepEqual(story.run(180, counters({ a_total: 9 }, -500)), ['a_total 12 (0,180]']);
  });

  test('a return to a start seen before is a flip', () => {
    const story = startStory();
    story.run(0, counters({ a_total: 100 }, -500));
    story.run(60, counters({ a_total: 7 }, -50));
    assert.deepEqual(story.run(120, counters({ a_total: 101 }, -500)), ['drop replica_flip 1']);
    assert.deepEqual(story.run(180, counters({ a_total: 9 }, -50)), ['drop replica_flip 1']);
    assert.deepEqual(story.run(240, counters({ a_total: 12 }, -50)), ['a_total 3 (180,240]']);
  });

  test('an unseen start from before the last scrape: a replica switched in, a baseline for this page', () => {
    const story = startStory();
    story.run(0, counters({ a_total: 100 }, -500));
    assert.deepEqual(story.run(60, counters({ a_total: 7, b_total: 3 }, -31)), ['drop initial 2']);
    assert.deepEqual(story.run(120, counters({ a_total: 8, b_total: 3 }, -31)), [
      'a_total 1 (60,120]',
      'b_total 0 (60,120]',
    ]);
  });

  test('starts are remembered up to their bound', () => {
    const story = startStory();
    for (let i = 0; i <= MAX_EARLIER_STARTS + 3; i++)
      story.run(60 * i, counters({ a_total: 1 }, 60 * i - 20));
    assert.equal(story.baseline()?.earlierStartsMs.length, MAX_EARLIER_STARTS);
  });
});

describe('D9: staleness is decided on read', () => {
  test('a target unseen for max_staleness is known, one second longer it is forgotten', () => {
    for (const [gapS, point] of [
      [25 * 3600, 'a_total 4 (0,90000]'],
      [25 * 3600 + 1, 'drop initial 1'],
    ] as const) {
      const story = startStory();
      story.run(0, counters({ a_total: 5 }));
      assert.deepEqual(story.run(gapS, counters({ a_total: 9 })), [point]);
    }
  });

  test('0 means never', () => {
    const story = startStory({ maxStalenessMs: 0 });
    story.run(0, counters({ a_total: 5 }));
    assert.deepEqual(story.run(400 * DAY_S, counters({ a_total: 9 })), [`a_total 4 (0,${400 * DAY_S}]`]);
  });

  test('what a forgotten target owed is owed', () => {
    const story = startStory();
    story.run(0, counters({ a_total: 5, b_total: 5 }));
    story.run(60, counters({ a_total: 7, b_total: 6 }), { export: 'refused' });
    assert.deepEqual(story.run(30 * 3600, counters({ a_total: 20 })), [
      'b_total 1 (0,108000]',
      'a_total 2 (0,108000]',
      'drop initial 1',
    ]);
    assert.deepEqual(story.run(30 * 3600 + 60, counters({ a_total: 21 })), ['a_total 1 (108000,108060]']);
  });

  test('series are kept up to the bound, then the longest unseen go, and unknown ones are not trusted', () => {
    const many = (from: number, count: number): Record<string, number> =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`a_total{i="${from + i}"}`, 1]));
    const story = startStory();
    story.run(0, counters(many(0, 5000)));
    for (let i = 1; i < 4; i++) story.run(60 * i, counters(many(5000 * i, 5000)));
    assert.equal(story.baseline()?.series.size, MAX_TRACKED_SERIES);
    assert.equal(story.baseline()?.forgot, false);
    story.run(240, counters({ b_total: 1 }));
    assert.equal(story.baseline()?.series.size, MAX_TRACKED_SERIES);
    assert.equal(story.baseline()?.forgot, true);
    assert.deepEqual(story.run(300, counters({ c_total: 5 }, 290)), ['drop initial 1']);
    // A restart tells: what this process counts is new.
    assert.deepEqual(story.run(360, counters({ d_total: 5 }, 350)), ['d_total 5 (300,360]']);
  });
});

describe('D10, D11: failed scrapes, identity', () => {
  test('a failed first scrape leaves no baseline', () => {
    const story = startStory();
    assert.deepEqual(story.run(0, undefined), []);
    assert.equal(story.baseline(), undefined);
  });

  test('label order and a lost TYPE line change nothing', () => {
    const story = startStory();
    story.run(0, counters({ 'a_total{x="1",y="2"}': 5 }));
    assert.deepEqual(story.run(60, 'a_total{y="2",x="1"} 9\n'), ['a_total{x="1",y="2"} 4 (0,60]']);
  });

  test('a lost TYPE line of a histogram changes nothing', () => {
    const story = startStory();
    story.run(0, histogram('h', [1], [1, 2], 3));
    const untyped = histogram('h', [1], [2, 4], 6).replace(/^#.*\n/, '');
    assert.deepEqual(story.run(60, untyped), ['h 2 3 [1 1] (0,60]']);
  });

  test('another type under the same name begins anew', () => {
    const story = startStory();
    story.run(0, counters({ x: 5 }));
    story.run(60, counters({ x: 7 }), { export: 'refused' });
    assert.deepEqual(story.run(120, '# TYPE x summary\nx_sum 4\nx_count 2\n'), [
      'x 2 (0,120]',
      'drop initial 1',
    ]);
    assert.deepEqual(story.run(180, '# TYPE x summary\nx_sum 5\nx_count 3\n'), ['x 1 1 [1] (120,180]']);
  });
});
