import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MAX_BATCH_BYTES } from '../../functions/adapters/queue-sqs.ts';
import type { Target } from '../../functions/core/model.ts';
import { DEFAULT_RELABEL_CONFIG } from '../../functions/core/relabel/relabel.ts';
import { MAX_KEY_LENGTH, readAddress } from '../../functions/core/config/address.ts';
import { createTarget } from '../../functions/core/targets.ts';
import {
  MAX_DRAINS,
  MAX_SHARD_TARGETS,
  MESSAGE_VERSION,
  type ShardPlan,
  deduplicationId,
  isDue,
  planShards,
  readMessage,
  writeMessage,
} from '../../functions/core/work.ts';

const TICK_MS = Date.parse('2026-01-01T00:00:00Z');

function targetOf(address: string): Target {
  return createTarget({ job: 'nim', instance: address, scheme: 'http', address, path: '', params: [] });
}

const targets = (n: number) =>
  Array.from({ length: n }, (_, i) => targetOf(`10.0.${i >> 8}.${i & 255}:8000`));

/** The plan of a tick, a minute after the one before. */
function plan(named: readonly Target[], owing: readonly string[]): ShardPlan {
  const tickIntervalMs = 60_000;
  return planShards({
    tickMs: TICK_MS,
    previousTickMs: TICK_MS - tickIntervalMs,
    tickIntervalMs,
    targets: named,
    owing,
  });
}

describe('planShards', () => {
  test('150 targets are one message', () => {
    const { messages, problems } = plan(targets(MAX_SHARD_TARGETS), []);
    assert.deepEqual(problems, []);
    assert.equal(messages.length, 1);
    assert.equal(messages[0]?.targets.length, MAX_SHARD_TARGETS);
  });

  test('the 151st is named as over the limit; which one it is depends on no order', () => {
    const all = targets(MAX_SHARD_TARGETS + 1);
    const planned = plan(all, []);
    assert.deepEqual(planned.problems, [
      'cannot scrape 1 of 151 targets: one deployment scrapes up to 150; ' +
        'remove targets, or deploy a second stack with its own parameter prefix',
    ]);
    assert.equal(planned.messages[0]?.targets.length, MAX_SHARD_TARGETS);
    assert.deepEqual(plan(all.toReversed(), []), planned);
  });

  test('a shard full of the longest targets fits one queue message', () => {
    const longest = Array.from({ length: MAX_SHARD_TARGETS }, (_, i) => {
      const base = `nim-${100 + i}:8000/?q=`;
      const short = readAddress(base, 'nim');
      assert.ok(typeof short === 'object');
      const target = readAddress(
        base + '"'.repeat(Math.floor((MAX_KEY_LENGTH - short.key.length) / 3)),
        'nim',
      );
      assert.ok(typeof target === 'object');
      return target;
    });
    const gone = Array.from({ length: MAX_DRAINS }, (_, i) => `${100 + i}${'x'.repeat(MAX_KEY_LENGTH - 3)}`);
    const [message] = plan(longest, gone).messages;
    assert.equal(message?.drains.length, MAX_DRAINS);
    assert.ok(message);
    assert.ok(Buffer.byteLength(writeMessage(message)) < MAX_BATCH_BYTES);
  });

  test('no targets and nothing owed: no message', () => {
    assert.deepEqual(plan([], []), { messages: [], problems: [] });
  });

  test('D4: what no document names any more and still owes is drained, oldest first, up to a bound', () => {
    const [one] = targets(1);
    assert.ok(one);
    const owing = [one.key, ...Array.from({ length: MAX_DRAINS + 1 }, (_, i) => `target/${i}`)];
    const [message] = plan([one], owing).messages;
    assert.deepEqual(message?.drains, owing.slice(1, 1 + MAX_DRAINS));
    assert.deepEqual(plan([], [one.key]).messages[0]?.drains, [one.key]);
  });
});

test('a deduplication id tells ticks, plans and shards apart, in characters that SQS takes', () => {
  const [message] = plan([], ['target/gone']).messages;
  assert.ok(message);
  const ids = [
    message,
    { ...message, tickMs: TICK_MS + 1_000 },
    { ...message, shards: 2 },
    { ...message, shards: 2, shard: 1 },
  ].map(deduplicationId);
  assert.equal(new Set(ids).size, 4);
  for (const id of ids) assert.match(id, /^[\w-]{1,128}$/);
  assert.equal(deduplicationId({ ...message, targets: targets(1) }), ids[0]);
});

describe('intervals', () => {
  const MINUTE_MS = 60_000;
  const due = (intervalMs: number, fromMs: number, toMs: number): boolean => isDue(intervalMs, fromMs, toMs);

  test('a job is due when its grid has a point since the tick before', () => {
    const ticks = [0, 1, 2, 3, 4, 5, 6].map((i) => i * MINUTE_MS);
    const dueAt = (intervalMs: number) =>
      ticks.slice(1).map((tick, i) => due(intervalMs, ticks[i] ?? 0, tick));
    assert.deepEqual(dueAt(MINUTE_MS), [true, true, true, true, true, true]);
    assert.deepEqual(dueAt(2 * MINUTE_MS), [false, true, false, true, false, true]);
    assert.deepEqual(dueAt(15_000), [true, true, true, true, true, true]);
    assert.deepEqual(dueAt(90_000), [false, true, true, false, true, true]);
  });

  test('a first tick: everything is due, at its own interval', () => {
    const named = targets(2).map((target, i) => ({
      ...target,
      intervalMs: [MINUTE_MS, 60 * MINUTE_MS][i] ?? 0,
    }));
    const [message] = planShards({
      tickMs: TICK_MS + 1,
      tickIntervalMs: 5_000,
      targets: named,
      owing: [],
    }).messages;
    assert.deepEqual(message?.targets, named);
  });

  test('what is not due is neither scraped nor drained; a shorter interval is the tick', () => {
    const [rare, often] = targets(2);
    assert.ok(rare && often);
    const named = [
      { ...rare, intervalMs: 11 * MINUTE_MS },
      { ...often, intervalMs: 10_000 },
    ];
    const [message] = plan(named, [rare.key, 'target/gone']).messages;
    assert.deepEqual(message?.targets, [{ ...often, intervalMs: MINUTE_MS }]);
    assert.deepEqual(message?.drains, ['target/gone']);
  });
});

describe('readMessage', () => {
  const [message] = plan(targets(2), ['target/gone']).messages;
  assert.ok(message);
  const wire = JSON.parse(writeMessage(message)) as Record<string, unknown>;
  const [target] = wire['targets'] as readonly Record<string, unknown>[];

  test('what dispatch wrote', () => {
    assert.deepEqual(readMessage(wire), { code: 'message', message });
    assert.equal(readMessage({ ...wire, targets: [] }).code, 'message');
    assert.equal(readMessage({ ...wire, later: 'field' }).code, 'message');
  });

  test('settings are written once for all targets that share them', () => {
    const rules = [{ ...DEFAULT_RELABEL_CONFIG, regex: 'x'.repeat(5_000) }];
    const ruled = targets(100).map((one, i): Target =>
      i < 99 ? { ...one, metricRelabelConfigs: rules } : one,
    );
    const [written] = plan(ruled, []).messages;
    assert.ok(written);
    const text = writeMessage(written);
    assert.ok(text.length < 40_000, `${text.length} characters`);
    assert.deepEqual(readMessage(JSON.parse(text)), { code: 'message', message: written });
  });

  test('150 targets, and one more', () => {
    const full = { ...wire, targets: targets(MAX_SHARD_TARGETS) };
    assert.equal(readMessage(full).code, 'message');
    assert.equal(readMessage({ ...wire, targets: targets(MAX_SHARD_TARGETS + 1) }).code, 'malformed');
  });

  const malformed: Readonly<Record<string, readonly unknown[]>> = {
    [`its version is not ${MESSAGE_VERSION}`]: [
      undefined,
      null,
      7,
      'text',
      [],
      {},
      { ...wire, version: MESSAGE_VERSION + 1 },
      { ...wire, version: String(MESSAGE_VERSION) },
    ],
    'tick or shard is no whole number': [
      { ...wire, tickMs: undefined },
      { ...wire, tickMs: String(TICK_MS) },
      { ...wire, tickMs: TICK_MS + 0.5 },
      { ...wire, tickMs: -1 },
      { ...wire, tickMs: 2 ** 53 },
      { ...wire, shard: -1 },
      { ...wire, shards: null },
    ],
    'its targets are not as dispatch writes them': [
      { ...wire, targets: undefined },
      { ...wire, targets: { length: 0 } },
      { ...wire, targets: [null] },
      { ...wire, targets: [target, {}] },
      { ...wire, targets: [{ ...target, key: 1 }] },
      { ...wire, targets: [{ ...target, scheme: 'ftp' }] },
      { ...wire, targets: [{ ...target, timeoutMs: 0 }] },
      { ...wire, targets: [{ ...target, sampleLimit: '9' }] },
      { ...wire, targets: [{ ...target, params: 'a=1' }] },
      // As a release without these options wrote it.
      { ...wire, targets: [{ ...target, httpHeaders: undefined }] },
      { ...wire, targets: [{ ...target, labels: undefined }] },
      { ...wire, settings: undefined },
      { ...wire, targets: [{ ...target, settings: 1 }] },
    ],
    'its drains are not as dispatch writes them': [
      { ...wire, drains: undefined },
      { ...wire, drains: [1] },
      { ...wire, drains: Array.from({ length: MAX_DRAINS + 1 }, () => 'target/x') },
    ],
  };
  for (const [cause, values] of Object.entries(malformed)) {
    test(cause, () => {
      for (const value of values) {
        assert.deepEqual(readMessage(value), {
          code: 'malformed',
          message: `cannot read the queue message: ${cause}; the next tick sends a new one`,
        });
      }
    });
  }
});
