/** D9: how `max_staleness` is held against the intervals of jobs. */
import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { checkStaleness } from '../../functions/core/planning.ts';
import { target } from '../fakes/ports.ts';

const HOUR_MS = 3_600_000;

test('D9: below twice the longest interval an error, below ten times a warning, else nothing', () => {
  const levelAt = (intervalMs: number, maxStalenessMs: number): string | undefined =>
    checkStaleness([target('a:1', { intervalMs }), target('b:1', { intervalMs: 60_000 })], maxStalenessMs)
      ?.level;
  assert.equal(levelAt(HOUR_MS, 2 * HOUR_MS - 1), 'error');
  assert.equal(levelAt(HOUR_MS, 2 * HOUR_MS), 'warning');
  assert.equal(levelAt(HOUR_MS, 10 * HOUR_MS - 1), 'warning');
  assert.equal(levelAt(HOUR_MS, 10 * HOUR_MS), undefined);
  assert.equal(levelAt(HOUR_MS, 0), undefined, '0: never stale');
  assert.equal(checkStaleness([], 1), undefined);
});

test('D9: the message names the job and both remedies', () => {
  const message = checkStaleness(
    [target('a:1', { job: 'rare', intervalMs: 24 * HOUR_MS })],
    25 * HOUR_MS,
  )?.message;
  assert.equal(
    message,
    'cannot rely on max_staleness of 1d1h: the job rare is scraped every 1d, and it is less than twice that; ' +
      'shorten scrape_interval, or raise maxStaleness of the construct',
  );
});
