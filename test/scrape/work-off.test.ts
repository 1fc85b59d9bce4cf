/** One queue message against the clock: the bounds of its age and of the time left, to the millisecond. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { systemClock } from '../../functions/adapters/clock.ts';
import type { Log } from '../../functions/adapters/log.ts';
import { createTableIfAbsent, createState } from '../../functions/adapters/state-dynamodb.ts';
import { type EmbeddedDynamodb, startEmbeddedDynamodb } from '../../functions/cli/world/embedded-dynamodb.ts';
import { createMemory } from '../../functions/core/point-names.ts';
import { MAX_MESSAGE_AGE_MS, writeMessage } from '../../functions/core/work.ts';
import { MARGIN_MS, VISIBILITY_TIMEOUT_MS, workOff } from '../../functions/scrape/work-off.ts';
import { createToldOnce } from '../../functions/core/told-once.ts';
import { type Build, SOURCE, buildBundles, recordOf, startDeployment } from '../fakes/deployment.ts';
import { FAKE_AWS } from '../fakes/aws-json.ts';

let database: EmbeddedDynamodb;
let client: DynamoDBClient;
before(async () => {
  database = await startEmbeddedDynamodb();
  client = new DynamoDBClient({ ...FAKE_AWS, endpoint: database.endpoint });
  await createTableIfAbsent(client, 'state');
});
after(async () => {
  client.destroy();
  await database.close();
});

let tickMs = Date.parse('2026-01-01T00:00:00Z');

/** Works off a message without targets at that age; answers with what was logged. */
async function workedOff(about: {
  readonly ageMs?: number;
  readonly remainingMs?: number;
  readonly receivedAgoMs?: number;
}): Promise<readonly string[]> {
  const { ageMs = 0, remainingMs = 60_000, receivedAgoMs = 0 } = about;
  tickMs += 60_000;
  const clock = { ...systemClock, wallMs: () => tickMs + ageMs };
  const logged: string[] = [];
  const print: Log['info'] = (event, fields = {}) =>
    void logged.push(typeof fields['reason'] === 'string' ? `${event} ${fields['reason']}` : event);
  const log: Log = { info: print, warn: print, error: print };
  await workOff(
    {
      body: writeMessage({ tickMs, shards: 1, shard: 0, targets: [], drains: ['target/gone'] }),
      writer: `writer-${tickMs}`,
      firstReceivedMs: clock.wallMs() - receivedAgoMs,
      remainingMs,
    },
    {
      ports: {
        clock,
        scrape: () => assert.fail('there is no target'),
        export: () => assert.fail('there is no body'),
        state: createState({ client, tableName: 'state', clock }),
      },
      memory: createMemory(),
      log,
      metrics: { publish: () => undefined },
      toldOnce: createToldOnce(),
      selfMetrics: false,
      maxStalenessMs: 0,
    },
  );
  return logged;
}

describe('a message is worked off', () => {
  test('up to two minutes after its tick', async () => {
    assert.deepEqual(await workedOff({ ageMs: MAX_MESSAGE_AGE_MS }), ['run_finished']);
    assert.deepEqual(await workedOff({ ageMs: MAX_MESSAGE_AGE_MS + 1 }), ['run_skipped too_old']);
  });

  test('also before its tick, when a clock goes wrong', async () => {
    assert.deepEqual(await workedOff({ ageMs: -30_000 }), ['run_finished']);
  });

  test('while more than the margin of the invocation is left', async () => {
    assert.deepEqual(await workedOff({ remainingMs: MARGIN_MS }), ['run_skipped no_time_left']);
    assert.notDeepEqual(await workedOff({ remainingMs: MARGIN_MS + 1 }), ['run_skipped no_time_left']);
  });

  test('while more than the margin of the visibility timeout is left since its first receive', async () => {
    const last = VISIBILITY_TIMEOUT_MS - MARGIN_MS;
    assert.deepEqual(await workedOff({ receivedAgoMs: last }), ['run_skipped no_time_left']);
    assert.notDeepEqual(await workedOff({ receivedAgoMs: last - 1 }), ['run_skipped no_time_left']);
  });

  test('in any whole number of milliseconds', async () => {
    for (let remainingMs = 30_001; remainingMs < 30_021; remainingMs++) {
      assert.deepEqual(await workedOff({ remainingMs }), ['run_finished']);
    }
  });
});

describe('the function does not start', () => {
  const builds: Record<string, Build> = { source: SOURCE };
  const closing: (() => Promise<void>)[] = [];
  before(async () => (builds['bundle'] = await buildBundles((close) => closing.push(close))));
  after(() => Promise.all(closing.map((close) => close())));

  for (const [from, name, value, cause] of [
    ['source', 'PARAMETER_PREFIX', undefined, 'is not set'],
    ['bundle', 'PARAMETER_PREFIX', undefined, 'is not set'],
    ['bundle', 'TABLE_NAME', '', 'is not set'],
    ['bundle', 'MAX_STALENESS_MS', undefined, 'is not set'],
    ['bundle', 'MAX_STALENESS_MS', '25h', 'is no whole number'],
    ['bundle', 'MAX_STALENESS_MS', '-1', 'is no whole number'],
    ['bundle', 'MAX_STALENESS_MS', '0.5', 'is no whole number'],
  ] as const) {
    test(`from ${from}, with ${name} ${value ?? 'missing'}`, async (context) => {
      const build = builds[from];
      assert.ok(build);
      const { scrape } = await startDeployment(context, { build, nims: 0, env: { [name]: value } });
      await assert.rejects(
        scrape.invoke({ Records: [recordOf({ Body: '{}' })] }),
        new RegExp(`cannot start: the environment variable ${name} ${cause}; deploy the stack again`),
      );
    });
  }
});
