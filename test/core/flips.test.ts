/** D8 where no start time tells: two processes behind one address, told by their values. */
import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import { CALM_SCRAPES, MAX_FALLS } from '../../functions/core/flips.ts';
import { counters, histogram, startStory } from './story.ts';

/** The increases that left, scrape by scrape; `flip` for a page that was not trusted. */
function values(...readings: readonly number[]): readonly string[] {
  const story = startStory();
  return readings.slice(0).map((value, i) => {
    const lines = story.run(60 * i, counters({ a_total: value }));
    if (lines.some((line) => line.startsWith('drop replica_flip'))) return 'flip';
    return lines.map((line) => line.split(' ')[1] as string).join();
  });
}

describe('a balanced address', () => {
  test('is found at the second fall, and invents nothing from then on', () => {
    assert.deepEqual(values(1000, 10, 1001, 11, 1002, 12, 1003), [
      'initial',
      '10',
      '991',
      'flip',
      'flip',
      'flip',
      'flip',
    ]);
  });

  test('that answers a few times in a row from each is found as well', () => {
    assert.deepEqual(values(1000, 10, 1001, 1002, 11).at(-1), 'flip');
  });

  test('is believed in again after scrapes without a fall', () => {
    const calm = Array.from({ length: CALM_SCRAPES }, (_, i) => 20 + i);
    const told = values(1000, 10, 1001, 11, ...calm, 40);
    assert.deepEqual(told.slice(3), ['flip', ...calm.map(() => 'flip'), `${40 - 20 - CALM_SCRAPES + 1}`]);
  });

  test('shows in histograms by their count', () => {
    const story = startStory();
    const page = (count: number): string => histogram('h', [1], [count, count], count);
    for (const [i, count] of [100, 5, 101].entries()) story.run(60 * i, page(count));
    assert.deepEqual(story.run(180, page(6)), ['drop replica_flip 1']);
  });

  test('keeps what was pending before it was found', () => {
    const story = startStory();
    story.run(0, counters({ a_total: 1000 }));
    for (const [i, value] of [1003, 10, 1004].entries()) {
      story.run(60 + 60 * i, counters({ a_total: value }), { export: 'refused' });
    }
    const owed = story.pending();
    assert.deepEqual(
      story.run(240, counters({ a_total: 11 }), { export: 'refused' }).at(-1),
      'drop replica_flip 1',
    );
    assert.deepEqual(story.pending(), owed);
  });
});

describe('no flip', () => {
  test('two restarts far apart', () => {
    assert.deepEqual(values(1000, 10, 1001, 1002, 1003, 11), ['initial', '10', '991', '1', '1', '11']);
  });

  test('two restarts close by, without the old value in between', () => {
    assert.deepEqual(values(1000, 10, 20, 5, 8), ['initial', '10', '10', '5', '3']);
  });

  test('a histogram that changes its bounds to and fro, as many as before', () => {
    const story = startStory();
    story.run(0, histogram('h', [1], [100, 110], 50));
    story.run(60, histogram('h', [2], [5, 115], 55));
    assert.deepEqual(story.run(120, histogram('h', [1], [101, 116], 60)), ['drop bucket_mismatch 1']);
  });

  test('pages with a start time are judged by that', () => {
    const story = startStory();
    const page = (value: number, startS: number): string => counters({ a_total: value }, startS);
    story.run(0, page(1000, -100_000));
    story.run(60, page(10, 30));
    assert.deepEqual(story.run(120, page(2000, 30)), ['a_total 1990 (60,120]']);
    assert.deepEqual(story.run(180, page(11, 150)), ['a_total 11 (120,180]']);
  });

  test('what is remembered of falls is bounded', () => {
    const many = (value: number): string =>
      counters(Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`a_total{i="${i}"}`, value])));
    const story = startStory();
    story.run(0, many(1000));
    story.run(60, many(10));
    assert.equal(story.baseline()?.flips.falls.length, MAX_FALLS);
    for (let i = 2; i < 7; i++) story.run(60 * i, many(10 + i));
    assert.equal(story.baseline()?.flips.falls.length, 0);
  });
});
