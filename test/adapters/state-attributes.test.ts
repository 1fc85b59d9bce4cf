import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { createPacking } from '../../functions/adapters/packing.ts';
import { fromAttributes, MAX_ERROR_CHARS, toAttributes } from '../../functions/adapters/state-attributes.ts';
import type { TargetItem } from '../../functions/core/ports.ts';

const TICK_MS = Date.UTC(2026, 10, 24, 12, 0);
const packing = createPacking();

/** Every field: a new one in TargetItem does not compile before it is here. */
const FULL: Required<TargetItem> = {
  key: 'target/nim/10.0.1.17:8000',
  job: 'nim',
  instance: '10.0.1.17:8000',
  url: 'http://10.0.1.17:8000/v1/metrics',
  attributes: { 'dt.cost.product': 'chat' },
  up: false,
  samples: 392,
  version: 7,
  writer: 'run-a',
  runTickMs: TICK_MS,
  intervalMs: 60_000,
  lastTickMs: TICK_MS,
  lastScrapeAtMs: TICK_MS + 1,
  scrapeDurationMs: 35,
  lastError: 'connect',
  lastExportAtMs: TICK_MS + 999,
  lastOutcome: 'accepted',
  output: '{"metricNames":"raw"}',
  pendingSinceMs: TICK_MS - 60_000,
  pendingSeries: 12,
  expiresAtMs: TICK_MS + 90_000_000,
  baseline: new TextEncoder().encode('request_success_total 7'),
};

const OPTIONAL = [
  'attributes',
  'runTickMs',
  'intervalMs',
  'lastTickMs',
  'lastScrapeAtMs',
  'scrapeDurationMs',
  'lastError',
  'lastExportAtMs',
  'lastOutcome',
  'output',
  'pendingSinceMs',
  'pendingSeries',
  'expiresAtMs',
  'baseline',
] as const;

describe('attributes', () => {
  test('a person can read all but the baseline', () => {
    const { baseline, ...readable } = toAttributes(FULL, packing);
    assert.deepEqual(baseline?.B, packing.pack(FULL.baseline));
    assert.deepEqual(readable, {
      pk: { S: 'target/nim/10.0.1.17:8000' },
      job: { S: 'nim' },
      instance: { S: '10.0.1.17:8000' },
      url: { S: 'http://10.0.1.17:8000/v1/metrics' },
      attributes: { M: { 'dt.cost.product': { S: 'chat' } } },
      up: { BOOL: false },
      samples: { N: '392' },
      version: { N: '7' },
      writer: { S: 'run-a' },
      runTick: { S: '2026-11-24T12:00:00.000Z' },
      intervalMs: { N: '60000' },
      scrapeDurationMs: { N: '35' },
      pendingSeries: { N: '12' },
      lastTick: { S: '2026-11-24T12:00:00.000Z' },
      lastScrapeAt: { S: '2026-11-24T12:00:00.001Z' },
      lastError: { S: 'connect' },
      lastExportAt: { S: '2026-11-24T12:00:00.999Z' },
      lastOutcome: { S: 'accepted' },
      output: { S: '{"metricNames":"raw"}' },
      pendingSince: { S: '2026-11-24T11:59:00.000Z' },
      owing: { S: 'target' },
      expiresAt: { N: String(TICK_MS / 1000 + 90_000) },
    });
  });

  test('there and back with any optional field missing', () => {
    for (const field of [undefined, ...OPTIONAL]) {
      const item: Record<string, unknown> = { ...FULL };
      if (field !== undefined) delete item[field];
      const attributes = toAttributes(item as unknown as TargetItem, packing);
      // The key of the sparse index stands beside `pendingSince`, and only there.
      const owing = item['pendingSinceMs'] === undefined ? 0 : 1;
      assert.equal(Object.keys(attributes).length, Object.keys(item).length + owing);
      assert.deepEqual(fromAttributes(FULL.key, attributes, packing), { code: 'found', item });
    }
  });

  test('expiresAt is in epoch seconds, rounded up', () => {
    for (const [expiresAtMs, seconds] of [
      [60_000, '60'],
      [60_001, '61'],
      [60_999, '61'],
    ] as const) {
      assert.deepEqual(toAttributes({ ...FULL, expiresAtMs }, packing)['expiresAt'], { N: seconds });
    }
  });

  test('an error is cut at 256 characters', () => {
    const lastError = 'x'.repeat(MAX_ERROR_CHARS);
    for (const long of [lastError, `${lastError}x`]) {
      assert.deepEqual(toAttributes({ ...FULL, lastError: long }, packing)['lastError'], { S: lastError });
    }
  });

  test('without the baseline an item leaves it half of the first KB', () => {
    const { baseline: _, ...readable } = toAttributes(FULL, packing);
    const bytes = Object.entries(readable).map(([name, value]) => name.length + bytesOf(value));
    assert.ok(bytes.reduce((sum, one) => sum + one) <= 512);
  });
});

describe('unreadable', () => {
  const required = ['job', 'instance', 'url', 'up', 'samples', 'version', 'writer'] as const;
  const cases: readonly (readonly [string, AttributeValue | undefined])[] = [
    ...required.map((name) => [name, undefined] as const),
    ...required.map((name) => [name, { NULL: true }] as const),
    ['version', { S: '1' }],
    ['samples', { N: '1.5' }],
    ['lastTick', { S: 'yesterday' }],
    ['lastTick', { N: '1' }],
    ['expiresAt', { S: '1' }],
    ['baseline', { S: 'x' }],
    ['baseline', { B: Uint8Array.of(1, 0, 0, 0, 0, 0xff) }],
  ];
  for (const [name, value] of cases) {
    test(`${name}: ${value === undefined ? 'missing' : JSON.stringify(value)}`, () => {
      const { [name]: _, ...rest } = toAttributes(FULL, packing);
      const attributes = { ...rest, ...(value === undefined ? {} : { [name]: value }) };
      const answer = fromAttributes(FULL.key, attributes, packing);
      assert.equal(answer.code, 'unreadable');
      assert.match(
        answer.message,
        new RegExp(`^cannot read the state of ${FULL.key}: its .*${name}.*; delete the item$`),
      );
    });
  }

  test('a newer packing version names both remedies', () => {
    const attributes = { ...toAttributes(FULL, packing), baseline: { B: Uint8Array.of(2, 0, 0, 0, 0, 0) } };
    const answer = fromAttributes(FULL.key, attributes, packing);
    assert.equal(answer.code, 'unreadable');
    assert.match(
      answer.message,
      /packing version 2 is newer than 1; deploy the newer release again or delete/,
    );
  });
});

/**
 * As DynamoDB counts (item sizes and formats): text in bytes, two digits of a number in one byte and one
 * more.
 */
function bytesOf(value: AttributeValue): number {
  if (value.S !== undefined) return Buffer.byteLength(value.S);
  return value.N === undefined ? 1 : Math.ceil(value.N.length / 2) + 1;
}
