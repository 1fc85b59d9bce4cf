/** What a page and several looks at it say. */
import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import { START_JITTER_MS } from '../../../functions/core/delta.ts';
import {
  type Look,
  MAX_CLOCK_SKEW_MS,
  checkClock,
  checkProcess,
  diagnosePage,
} from '../../../functions/core/doctor/page-checks.ts';
import { createTarget } from '../../../functions/core/targets.ts';

const TICK_MS = Date.parse('2026-11-24T12:00:00Z');
const TARGET = createTarget({
  job: 'nim',
  instance: 'a:1',
  scheme: 'http',
  address: 'a:1',
  path: '',
  params: [],
});
const bytes = (text: string) => new TextEncoder().encode(text);

describe('the clock', () => {
  test('a second is nothing, the bound is told, beyond it is a warning', () => {
    const status = (skewMs: number) => checkClock(TICK_MS + skewMs, TICK_MS, 'target').status;
    assert.match(checkClock(TICK_MS + 1_000, TICK_MS, 'target').message, /agree/);
    assert.deepEqual([status(MAX_CLOCK_SKEW_MS), status(-MAX_CLOCK_SKEW_MS)], ['ok', 'ok']);
    assert.deepEqual([status(MAX_CLOCK_SKEW_MS + 1), status(-MAX_CLOCK_SKEW_MS - 1)], ['warning', 'warning']);
    assert.match(
      checkClock(TICK_MS - 90_000, TICK_MS, 'target').message,
      /^the target's clock is 90 s behind this one$/,
    );
    assert.match(checkClock(TICK_MS + 90_000, TICK_MS, 'target').message, /90 s ahead of/);
    assert.match(checkClock(TICK_MS + 90_000, TICK_MS, 'dynatrace').remedy ?? '', /older than an hour/);
  });
});

describe('the process behind an address', () => {
  const look = (processStartMs: number | undefined, total: number): Look => ({
    processStartMs,
    totals: new Map([['requests_total', total]]),
  });

  test('one look tells nothing; equal starts, up to jitter, are one process', () => {
    assert.equal(checkProcess([look(TICK_MS, 1)]), undefined);
    const one = checkProcess([look(TICK_MS, 1), look(TICK_MS + START_JITTER_MS, 1), look(TICK_MS, 2)]);
    assert.deepEqual([one?.status, one?.message], ['ok', '3 looks met one process']);
  });

  test('beyond the jitter they are several, and the cure is named', () => {
    const flip = checkProcess([look(TICK_MS, 1), look(TICK_MS + START_JITTER_MS + 1, 5)]);
    assert.equal(flip?.status, 'failed');
    assert.match(flip.message, /2 looks met 2 start times/);
    assert.match(flip.remedy ?? '', /dns_sd_configs/);
  });

  test('without a start time a counter that falls tells it', () => {
    const fell = checkProcess([look(undefined, 7), look(undefined, 3)]);
    assert.equal(fell?.status, 'failed');
    assert.match(fell.message, /a counter fell from one look to the next: requests_total/);
    assert.equal(checkProcess([look(undefined, 7), look(undefined, 7)])?.status, 'ok');
  });
});

describe('a page', () => {
  test('each check once, and the forecast', () => {
    const page =
      '# TYPE num_requests_running gauge\nnum_requests_running{model_name="m"} 1\nprocess_start_time_seconds 1.7e9\n';
    const { checks, forecast } = diagnosePage(bytes(page), TARGET, TICK_MS);
    assert.deepEqual(
      checks.map(({ name, status }) => [name, status]),
      [
        ['format', 'ok'],
        ['generation', 'ok'],
        ['names', 'ok'],
      ],
    );
    assert(forecast?.metrics.some(({ name }) => name === 'num_requests_running'));
  });

  test('lines that cannot be read, a page that may be cut: warnings of the format', () => {
    const page = 'a_total 1\nb{ 1\n';
    const cut = diagnosePage(bytes(page), TARGET, TICK_MS, { complete: false }).checks;
    const formats = cut.filter(({ name }) => name === 'format');
    assert.deepEqual(
      formats.map(({ status }) => status),
      ['warning', 'warning'],
    );
    assert.match(formats.map(({ message }) => message).join(' '), /line 2 of the page cannot be read/);
  });

  test('what is no page fails, and nothing is forecast', () => {
    const { checks, forecast } = diagnosePage(bytes('<html></html>'), TARGET, TICK_MS);
    assert.deepEqual(
      [checks.map(({ name, status }) => [name, status]), forecast],
      [[['format', 'failed']], undefined],
    );
    assert.match(checks[0]?.remedy ?? '', /check port/);
  });
});
