/** What needs somebody, at each bound and one past it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type DispatchStatus,
  LATE_AFTER_MS,
  LATE_AFTER_TICKS,
  MAX_UNENDED,
  type ShardStatus,
  type StatusFacts,
  type TargetStatus,
  ageText,
  judgeStatus,
} from '../../functions/core/status.ts';

const NOW_MS = Date.parse('2026-01-01T12:00:00Z');
const TICK_MS = NOW_MS - 30_000;
const MINUTE_MS = 60_000;

const KEY = 'target/nim/a/http://a';
const item = (changes: Partial<TargetStatus> = {}): TargetStatus => ({
  key: KEY,
  job: 'nim',
  instance: 'a',
  url: 'http://a/v1/metrics',
  up: true,
  samples: 12,
  version: 3,
  writer: 'run',
  runTickMs: TICK_MS,
  intervalMs: MINUTE_MS,
  lastTickMs: TICK_MS,
  ...changes,
});
const dispatch = (changes: Partial<DispatchStatus> = {}): DispatchStatus => ({
  tickMs: TICK_MS,
  previousTickMs: TICK_MS - MINUTE_MS,
  sentTickMs: TICK_MS,
  prefix: '/nim-to-dynatrace',
  unread: undefined,
  documents: 1,
  invalid: [],
  problems: [],
  complete: true,
  keys: [KEY],
  ...changes,
});
const shard = (changes: Partial<ShardStatus> = {}): ShardStatus => ({
  shard: 0,
  tickMs: TICK_MS,
  endedAtMs: TICK_MS + 2_000,
  unended: 0,
  waitTicks: 0,
  targets: 1,
  up: 1,
  pointsSent: 21,
  pendingSeries: 0,
  lastOutcome: 'accepted',
  lastExportAtMs: TICK_MS + 1_000,
  unwritten: [],
  ...changes,
});

function judge(changes: Partial<StatusFacts>) {
  const facts: StatusFacts = {
    targets: [item()],
    shards: [shard()],
    dispatch: dispatch(),
    problems: [],
    ...changes,
  };
  const { ok, findings, targets } = judgeStatus(facts, NOW_MS);
  return {
    ok,
    codes: findings.map(({ code }) => code),
    states: targets.map(({ state, isDown }) => `${state}${isDown ? '!' : ''}`),
    findings,
    targets,
  };
}
const stateOf = (changes: Partial<TargetStatus>, facts: Partial<StatusFacts> = {}) =>
  judge({ targets: [item(changes)], ...facts }).states[0];
const codesOf = (facts: Partial<StatusFacts>) => judge(facts).codes;

describe('targets', () => {
  test('one that is up', () => {
    const { ok, codes, states } = judge({});
    assert.deepEqual([ok, codes, states], [true, [], ['up']]);
  });

  test('one whose last scrape failed is down, and why is shown', () => {
    const { ok, targets } = judge({ targets: [item({ up: false, lastError: 'connect: refused' })] });
    assert.deepEqual([ok, targets[0]?.state, targets[0]?.problem], [false, 'down', 'connect: refused']);
  });

  test('D8: a flip shows while it is one', () => {
    assert.equal(stateOf({ lastError: 'replica_flip: several' }), 'flipped!');
  });

  test('pending is well for five ticks of its job and no longer', () => {
    const allowedMs = MINUTE_MS + LATE_AFTER_MS;
    assert.equal(stateOf({ pendingSinceMs: NOW_MS - allowedMs }), 'up');
    assert.equal(stateOf({ pendingSinceMs: NOW_MS - allowedMs - 1 }), 'pending!');
    const owing = item({ pendingSinceMs: 0, lastOutcome: 'retry: 429' });
    assert.equal(judge({ targets: [owing] }).targets[0]?.problem, 'retry: 429', 'why it waits');
    const intervalMs = 60 * MINUTE_MS;
    assert.equal(
      stateOf({ pendingSinceMs: NOW_MS - allowedMs - 1, intervalMs }),
      'up',
      'scraped once an hour',
    );
  });

  test('not written since its interval and five minutes: it cannot have been scraped', () => {
    const latestMs = TICK_MS - MINUTE_MS - LATE_AFTER_MS;
    assert.equal(stateOf({ runTickMs: latestMs }), 'up');
    assert.equal(stateOf({ runTickMs: latestMs - 1 }), 'stale!');
  });

  test('not written in the last run, which says why', () => {
    const unwritten = [{ key: KEY, problem: 'commit_failed: conflict' }];
    const { states, targets } = judge({ shards: [shard({ unwritten })] });
    assert.deepEqual([states, targets[0]?.problem], [['unwritten!'], 'commit_failed: conflict']);
    const first = judge({ targets: [], shards: [shard({ unwritten })] });
    assert.deepEqual(first.states, ['unwritten!'], 'not even once');
  });

  test('one that no document names has vanished, however it was; with a list that is not whole, nobody knows', () => {
    const gone = { up: false, runTickMs: 0, pendingSinceMs: 0 };
    assert.equal(stateOf(gone, { dispatch: dispatch({ keys: [] }) }), 'vanished');
    assert.equal(stateOf(gone, { dispatch: dispatch({ keys: [], complete: false }) }), 'unknown');
  });

  test('without a list it has vanished where its own item says so', () => {
    const without = { dispatch: dispatch({ keys: undefined }) };
    assert.equal(stateOf({ up: false, lastError: 'vanished: no document' }, without), 'vanished');
    assert.equal(stateOf({ up: false }, without), 'down!');
  });

  test('one that was not scraped yet is new, known by its key', () => {
    const { states, ok } = judge({ targets: [] });
    assert.deepEqual([states, ok], [['new'], true]);
  });

  test('what an earlier release left out of an item is no finding', () => {
    const { runTickMs: _, intervalMs: __, ...before } = item();
    assert.deepEqual(judge({ targets: [before] }).states, ['up']);
  });

  test('those that need somebody come first', () => {
    const keys = ['target/a', 'target/b', 'target/c'];
    const targets = keys.map((key) => item({ key, up: key !== 'target/b' }));
    assert.deepEqual(
      judge({ targets, dispatch: dispatch({ keys }) }).targets.map(({ key }) => key),
      ['target/b', 'target/a', 'target/c'],
    );
  });
});

describe('ticks and documents', () => {
  test('a tick is stale after five minutes, or five of a longer schedule', () => {
    const at = (agoMs: number, everyMs: number) =>
      codesOf({
        targets: [],
        dispatch: dispatch({
          tickMs: NOW_MS - agoMs,
          previousTickMs: NOW_MS - agoMs - everyMs,
          keys: undefined,
        }),
      });
    assert.deepEqual(at(LATE_AFTER_MS, MINUTE_MS), []);
    assert.deepEqual(at(LATE_AFTER_MS + 1, MINUTE_MS), ['tick_stale']);
    const everyMs = 15 * MINUTE_MS;
    assert.deepEqual(at(LATE_AFTER_TICKS * everyMs, everyMs), []);
    assert.deepEqual(at(LATE_AFTER_TICKS * everyMs + 1, everyMs), ['tick_stale']);
  });

  test('no tick at all, and no document that names a target', () => {
    assert.deepEqual(codesOf({ dispatch: undefined, targets: [], shards: [] }), ['no_tick']);
    const waiting = judge({
      targets: [],
      shards: [],
      dispatch: dispatch({ keys: [], sentTickMs: undefined }),
    });
    assert.deepEqual(waiting.codes, ['waiting_for_targets']);
    assert.match(String(waiting.findings[0]?.message), /--name \/nim-to-dynatrace\/targets\/nim --value/);
  });

  test('documents: where, what, and which version is in force', () => {
    const document = '/nim-to-dynatrace/targets/nim';
    const { findings } = judge({
      dispatch: dispatch({
        unread: 'cannot read SSM',
        invalid: [
          { document, line: 2, column: 5, message: 'cannot use x', versionInForce: 3 },
          { document, message: 'cannot read it' },
        ],
        problems: ['targets_unread: cannot look up nim.internal: no answer'],
      }),
    });
    assert.deepEqual(
      findings.map(({ code, message }) => `${code} | ${message}`),
      [
        'documents_unread | cannot read SSM',
        `document_invalid | ${document} line 2, column 5: cannot use x (version 3 is in force)`,
        `document_invalid | ${document}: cannot read it`,
        'targets_unread | cannot look up nim.internal: no answer',
      ],
    );
  });
});

describe('runs and exports', () => {
  test('messages that no run takes', () => {
    assert.deepEqual(codesOf({ shards: [] }), ['no_run']);
    const at = (tickMs: number) => codesOf({ shards: [shard({ tickMs })] });
    assert.deepEqual(at(TICK_MS - LATE_AFTER_MS), []);
    assert.deepEqual(at(TICK_MS - LATE_AFTER_MS - 1), ['run_stale']);
    const idle = dispatch({ sentTickMs: TICK_MS - LATE_AFTER_MS });
    assert.deepEqual(
      codesOf({ dispatch: idle, shards: [shard({ tickMs: TICK_MS - LATE_AFTER_MS })] }),
      [],
      'nothing was due since',
    );
  });

  test('runs that never end', () => {
    assert.deepEqual(codesOf({ shards: [shard({ unended: MAX_UNENDED })] }), []);
    assert.deepEqual(codesOf({ shards: [shard({ unended: MAX_UNENDED + 1 })] }), ['runs_unended']);
  });

  test('what passes by itself is no finding; what somebody must mend is one, once', () => {
    for (const lastOutcome of ['accepted', 'partial', 'retry: 429', 'unknown: reset', 'malformed: 400']) {
      assert.deepEqual(codesOf({ shards: [shard({ lastOutcome })] }), [], lastOutcome);
    }
    for (const code of ['waiting_for_token', 'waiting_for_endpoint', 'refused']) {
      const lastOutcome = `${code}: cannot export: no; mend it`;
      assert.deepEqual(codesOf({ shards: [shard({ lastOutcome }), shard({ shard: 1, lastOutcome })] }), [
        code,
      ]);
    }
  });

  test('what could not be read is a finding', () => {
    assert.deepEqual(codesOf({ problems: ['cannot read it'] }), ['state_unreadable']);
  });
});

test('an age has the units that a person wants', () => {
  const ages = [-5, 0, 999, 35_000, 200_500, 7_500_000, 180_000_000];
  assert.deepEqual(ages.map(ageText), ['0s', '0s', '0s', '35s', '3m20s', '2h5m', '2d2h']);
});
