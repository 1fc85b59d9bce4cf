/**
 * What an earlier release left behind, kept here as it wrote it: state items and a queue message. They are never made
 * anew; a format that changes adds a file, and the old one is still read, or left alone.
 */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { after, before, beforeEach, describe, test } from 'node:test';
import { type AttributeValue, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { createState } from '../../functions/adapters/state-dynamodb.ts';
import { BASELINE_DICTIONARY } from '../../functions/core/baseline-dictionary.ts';
import { judgeStatus } from '../../functions/core/status.ts';
import { readStatus } from '../../functions/adapters/status-dynamodb.ts';
import { runShard } from '../../functions/core/pipeline.ts';
import { createMemory } from '../../functions/core/point-names.ts';
import { MESSAGE_VERSION, readMessage } from '../../functions/core/work.ts';
import { counters, histogram } from '../core/story.ts';
import { TABLE, type StateTable, clock, openStateTable, soon } from '../adapters/state-table.ts';
import { RUN_BUDGET_MS, createWorld, deltasOf, target } from '../fakes/ports.ts';
import { T0_MS } from '../fakes/virtual-time.ts';

type Item = Record<string, AttributeValue>;

const kept = (file: string): unknown =>
  JSON.parse(readFileSync(new URL(file, import.meta.url), 'utf8'), (_, value: unknown) =>
    typeof value === 'object' && value !== null && 'base64' in value
      ? new Uint8Array(Buffer.from(String(value.base64), 'base64'))
      : value,
  );

let table: StateTable;
before(async () => (table = await openStateTable()));
after(() => table.close());
const put = (item: Item) => table.client.send(new PutItemCommand({ TableName: TABLE, Item: item }));

/**
 * A counter that stood at 7 and a histogram of 4 when Dynatrace last took something, at second 60; at second 120 they
 * stood at 10 and 6, and it refused.
 */
const TARGET = kept('target-1.json') as Item;
const SHARD = kept('shard-1.json') as Item;
beforeEach(async () => {
  await put(TARGET);
  await put(SHARD);
});

/** Runs of this release over the real table; the page shows 12 and 8. */
function startRuns() {
  const world = createWorld();
  world.script.scrape = () =>
    histogram('ttft_seconds', [0.1, 1], [3, 5, 8], 6) +
    counters({ 'request_success_total{model_name="llama"}': 12 }, -7200);
  const state = createState({
    client: table.client,
    tableName: TABLE,
    clock: world.ports.clock,
    dictionary: BASELINE_DICTIONARY,
  });
  const memory = createMemory();
  const run = (tickS: number) => {
    const work = {
      tickMs: T0_MS + tickS * 1000,
      shard: 0,
      targets: [target('10.0.0.1:8000')],
      drains: [],
      maxStalenessMs: 25 * 3_600_000,
      writer: `new-${tickS}`,
      deadlineMs: world.ports.clock.monotonicMs() + RUN_BUDGET_MS,
    };
    return runShard(work, { ...world.ports, state }, memory);
  };
  return { run, deltas: () => deltasOf(world.bodies) };
}

const OWED = ['request_success_total{model_name="llama"} 5 (60,240]', 'ttft_seconds 4 3.5 [1 1 2] (60,240]'];
/** What did not grow goes out as 0. */
const withoutZeros = (deltas: readonly string[]) => deltas.filter((delta) => !/ 0 (\(|0 )/.test(delta));

describe('state of the release before', () => {
  test('what it owes leaves, and what was counted since: no more, no less', async () => {
    const { run, deltas } = startRuns();
    const report = await run(240);
    assert.deepEqual([report.code, report.commitsFailed], ['ended', 0]);
    assert.deepEqual(deltas(), OWED);
    await run(300);
    assert.deepEqual(withoutZeros(deltas()), OWED, 'once');
  });

  test('a worker of it was replaced in mid-tick: the next tick carries everything', async () => {
    const { endedAt: _, ...begun } = SHARD;
    await put({ ...begun, tick: { N: String(T0_MS + 180_000) }, unended: { N: '1' } });
    const { run, deltas } = startRuns();
    for (const tickS of [240, 300, 360, 420]) await run(tickS);
    assert.deepEqual(withoutZeros(deltas()), OWED);
  });

  test('status reads it: what was not written yet is unknown', async () => {
    const read = await readStatus({ client: table.client, clock }, TABLE, soon());
    assert.ok(read.code === 'read');
    const { targets, findings } = judgeStatus(read.facts, T0_MS + 121_000);
    assert.deepEqual([targets[0]?.state, targets[0]?.item?.samples], ['up', 7]);
    assert.deepEqual(
      findings.map(({ code }) => code),
      ['no_tick'],
    );
  });

  test('and the release before reads what a later one added beside it', async () => {
    await put({ ...TARGET, later: { S: 'unheard of' } });
    const { run, deltas } = startRuns();
    await run(240);
    assert.deepEqual(deltas(), OWED);
  });
});

describe('queue messages of the release before', () => {
  const files = readdirSync(new URL('.', import.meta.url)).filter((file) => /^message-\d+\.json$/.test(file));

  test('are read as they were meant, or named by their version and left for the next tick', () => {
    assert.ok(files.length > 0);
    for (const file of files) {
      const message = kept(file) as { readonly version: number };
      assert.equal(file, `message-${message.version}.json`);
      const read = readMessage(message);
      if (message.version === MESSAGE_VERSION) {
        assert.ok(read.code === 'message', file);
        assert.deepEqual(
          read.message.targets.map(({ instance, intervalMs }) => [instance, intervalMs]),
          [
            ['10.0.0.1:8000', 60_000],
            ['10.0.0.2:8000', 60_000],
          ],
        );
        assert.deepEqual(read.message.drains, ['target/gone']);
      } else {
        assert.ok(read.code === 'malformed', file);
        assert.match(read.message, /its version is not \d+; the next tick sends a new one$/);
      }
    }
  });

  test('a version before and one to come are acknowledged: no half of them is believed', () => {
    for (const version of [MESSAGE_VERSION - 1, MESSAGE_VERSION + 1]) {
      const message = { ...(kept(files.at(-1) ?? '') as object), version };
      assert.equal(readMessage(message).code, 'malformed');
    }
  });
});
