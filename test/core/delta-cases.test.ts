/** Cases that were wrong once. */
import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { counters, histogram, startStory } from './story.ts';

const OLD = -100_000;
const T0_S = 1_767_225_600;

test('D5: an empty page tells nothing: what the next one shows is not new', () => {
  for (const empty of ['', '\n', '# a comment\n']) {
    const story = startStory();
    story.run(0, empty);
    assert.deepEqual(story.run(60, counters({ a_total: 1e9 })), ['drop initial 1']);
  }
});

test('D5: a page that names its families and has no samples yet tells that they are at zero', () => {
  const story = startStory();
  story.run(0, '# TYPE a_total counter\n');
  assert.deepEqual(story.run(60, counters({ a_total: 3 })), ['a_total 3 (0,60]']);
});

test('D5: a series without TYPE that gets one later is no new series', () => {
  const story = startStory();
  story.run(0, 'a_total 1000\nh_bucket{le="+Inf"} 7\nh_count 7\nh_sum 9\n');
  assert.deepEqual(story.run(60, counters({ a_total: 1001 }) + histogram('h', [], [8], 10)), [
    'drop initial 2',
  ]);
});

test('D7: a _created that jitters below the last scrape is no restart', () => {
  const page = (value: number, createdS: number): string =>
    `# TYPE a counter\na_total ${value}\na_created ${T0_S + createdS}\n# EOF\n`;
  const story = startStory();
  story.run(0, page(1000, OLD));
  assert.deepEqual(story.run(60, page(1001, OLD + 0.001)), ['a_total 1 (0,60]']);
  assert.deepEqual(story.run(120, page(1002, OLD + 0.002)), ['a_total 1 (60,120]']);
});

test('D8: what a replica does not show on the page where it switches in is unknown of it', () => {
  const story = startStory();
  story.run(0, counters({ a_total: 5, b_total: 1000 }, -500));
  assert.deepEqual(story.run(60, counters({ a_total: 7, b_total: NaN }, -31)), [
    'drop nan 1',
    'drop initial 1',
  ]);
  assert.deepEqual(story.run(120, counters({ a_total: 7, b_total: 5000 }, -31)), [
    'a_total 0 (60,120]',
    'drop initial 1',
  ]);
});

test('D8: and what it owed before drains', () => {
  const story = startStory();
  story.run(0, counters({ a_total: 5, b_total: 1000 }, -500));
  story.run(60, counters({ a_total: 5, b_total: 1004 }, -500), { export: 'refused' });
  assert.deepEqual(story.run(120, counters({ a_total: 7 }, -31)), ['b_total 4 (0,120]', 'drop initial 1']);
  assert.deepEqual(story.run(180, counters({ a_total: 7, b_total: 3 }, -31)), [
    'a_total 0 (120,180]',
    'b_total 3 (120,180]',
  ]);
});

test('D7: a page without a start time in between hides nothing', () => {
  const story = startStory();
  story.run(0, counters({ a_total: 5 }, OLD));
  assert.deepEqual(story.run(60, counters({ a_total: 4 })), ['a_total 4 (0,60]']);
  assert.deepEqual(story.run(120, counters({ a_total: 9 }, 40)), ['a_total 5 (60,120]']);
});

test('D2: a sum that fell is no debt of ours: a failed scrape sends nothing', () => {
  const story = startStory();
  story.run(0, histogram('h', [1], [1, 2], 10));
  story.run(60, histogram('h', [1], [1, 3], 7));
  assert.deepEqual(story.run(120, undefined), []);
});

test('D7: bounds that alternate during an outage add up', () => {
  const story = startStory();
  story.run(0, histogram('h', [1], [0, 0], 0, OLD));
  for (let i = 1; i <= 20; i++) {
    const bounds = i % 2 === 0 ? [1] : [2];
    story.run(60 * i, histogram('h', bounds, [1, 2], 3, 60 * i - 30), { export: 'refused' });
  }
  assert.equal(story.baseline()?.draining.length, 2);
  const total = [1, 2, 3].flatMap((i) => story.run(2000 + 60 * i, undefined));
  assert.deepEqual(
    total.map((line) => line.split(' ').slice(1, 3).join(' ')),
    ['20 30', '18 27', '2 3'],
  );
});

test('D6: a target that was forgotten within the hour counts nothing twice', () => {
  const story = startStory({ maxStalenessMs: 600_000 });
  story.run(0, counters({ a_total: 5 }, -60), { lateS: 30 });
  assert.deepEqual(story.run(660, counters({ a_total: 9 }, 10)), ['drop initial 1']);
  const restarted = startStory({ maxStalenessMs: 600_000 });
  restarted.run(0, counters({ a_total: 5 }, -60), { lateS: 30 });
  assert.deepEqual(restarted.run(660, counters({ a_total: 9 }, 400)), ['a_total 9 (600,660]']);
});
