/** The short form of `main.ts`: a few kills at every moment, in one small world. */
import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import { killRepeatedly } from './driver.ts';

/** The one at the making of the table, and some of a round of aims. */
const KILLS = 5;
/** More targets than are committed at once, so that a kill can come between two items. */
const TARGETS = 28;
const SEED = 20_260_401;

describe('kill -9', () => {
  test('D1, D2: nothing is lost; doubled is only what was delivered before its commit', async () => {
    const lines: string[] = [];
    const say = (line: string): void => void lines.push(line);
    const options = { kills: KILLS, seed: SEED, targets: TARGETS, series: 8, ticks: 1, rest: 0.15, say };
    const { kills, tally, problems } = await killRepeatedly(options);
    const story = lines.join('\n');
    assert.deepEqual(problems, [], story);
    assert.equal(tally.lost, 0, story);
    assert.equal(tally.doubled, tally.explained, story);
    assert.equal(tally.pending, 0, story);
    assert.equal(tally.delivered - tally.doubled, tally.seen, story);
    assert(tally.seen > 0, story);
    assert.equal(
      Object.values(kills).reduce((sum, count) => sum + count, 0),
      KILLS,
      story,
    );
    assert(kills['between POST and commit'] + kills['during the commit'] >= 1, story);
  });
});
