/** The secrets of target documents, with AWS's own clients against AWS's protocol. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SSMClient } from '@aws-sdk/client-ssm';
import { readSecretByArn } from '../../functions/adapters/secrets-by-arn.ts';
import { createEnvSecrets } from '../../functions/adapters/secrets-env.ts';
import { readSsmSecret } from '../../functions/adapters/secrets-ssm.ts';
import {
  MAX_AGE_MS,
  MAX_REMEMBERED_SECRETS,
  MAX_SECRET_LENGTH,
  MIN_AGE_MS,
  createSecrets,
} from '../../functions/adapters/secrets.ts';
import { type SecretAnswer, tokenNameOf } from '../../functions/core/secrets.ts';
import type { Clock } from '../../functions/core/ports.ts';
import { FAKE_AWS } from '../fakes/aws-json.ts';
import { startSecretsManager } from '../fakes/secrets-by-arn.ts';
import { startSsm } from '../fakes/ssm.ts';

const PREFIX = '/nim-to-dynatrace';
const NAME = `${PREFIX}/secrets/nim-token`;
const TOKEN = `ssm:${NAME}`;
const ARN = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:nim/prod-AbCdEf';
const closing: (() => unknown)[] = [];
after(() => Promise.all(closing.map((close) => close())));

async function setUp() {
  const ssm = await startSsm();
  const manager = await startSecretsManager();
  const ssmClient = new SSMClient({ ...FAKE_AWS, endpoint: ssm.endpoint, maxAttempts: 1 });
  const managerClient = new SecretsManagerClient({ ...FAKE_AWS, endpoint: manager.endpoint, maxAttempts: 1 });
  closing.push(
    ssm.close,
    manager.close,
    () => ssmClient.destroy(),
    () => managerClient.destroy(),
  );
  let nowMs = 1_000_000;
  const clock: Clock = { wallMs: () => nowMs, monotonicMs: () => nowMs };
  const secrets = createSecrets({
    clock,
    grants: { prefix: PREFIX, granted: [ARN], token: { store: 'ssm', name: tokenNameOf(PREFIX) } },
    ssm: (name, signal) => readSsmSecret(ssmClient, name, signal),
    secretsManager: (arn, signal) => readSecretByArn(managerClient, arn, signal),
  });
  const read = (reference: string, fresh = false, withinMs = 10_000) =>
    secrets(reference, nowMs + withinMs, fresh);
  return { ssm, manager, read, passMs: (ms: number) => (nowMs += ms) };
}

const value = (text: string): SecretAnswer => ({ code: 'read', value: text });

function assertNone(answer: SecretAnswer, code: SecretAnswer['code'], text: RegExp): void {
  assert.equal(answer.code, code, JSON.stringify(answer));
  assert.ok('message' in answer);
  assert.match(answer.message, /^cannot .+: .+; .+$/);
  assert.match(answer.message, text);
  assert.doesNotMatch(answer.message, /planted/);
}

describe('in Parameter Store', () => {
  test('decrypted and trimmed; what is empty or not there is absent', async () => {
    const { ssm, read, passMs } = await setUp();
    assertNone(await read(TOKEN), 'absent', /no such parameter; put it: aws ssm put-parameter .*nim-token/);
    ssm.put(NAME, ' planted\n', 'SecureString');
    passMs(MIN_AGE_MS);
    assert.deepEqual(await read(TOKEN), value('planted'));
    ssm.put(NAME, ' \n');
    passMs(MAX_AGE_MS);
    assertNone(await read(TOKEN), 'absent', /empty/);
  });

  test('a rotated secret is in force within a minute, afresh within ten seconds', async () => {
    const { ssm, read, passMs } = await setUp();
    ssm.put(NAME, 'old');
    await read(TOKEN);
    ssm.put(NAME, 'new');
    passMs(MAX_AGE_MS - 1);
    assert.deepEqual(await read(TOKEN), value('old'));
    passMs(1);
    assert.deepEqual(await read(TOKEN), value('new'));
    ssm.put(NAME, 'newer');
    passMs(MIN_AGE_MS - 1);
    assert.deepEqual(await read(TOKEN, true), value('new'));
    passMs(1);
    assert.deepEqual(await read(TOKEN, true), value('newer'));
    ssm.put(NAME, 'newest');
    passMs(-1);
    assert.deepEqual(await read(TOKEN), value('newest'), 'a clock that went back');
  });

  test('while AWS does not answer the last good value stays, and the problem is told', async () => {
    const { ssm, read, passMs } = await setUp();
    ssm.put(NAME, 'planted');
    await read(TOKEN);
    for (let round = 0; round < 2; round++) {
      passMs(MAX_AGE_MS);
      ssm.failNext('ThrottlingException');
      const answer = await read(TOKEN);
      assert.ok(answer.code === 'read' && answer.value === 'planted');
      assert.match(
        answer.problem ?? '',
        /^cannot read the secret ssm:.*: ThrottlingException, .*; the next tick/,
      );
    }
    passMs(MIN_AGE_MS);
    assert.deepEqual(await read(TOKEN), value('planted'));
    ssm.remove(NAME);
    passMs(MAX_AGE_MS);
    assertNone(await read(TOKEN), 'absent', /no such/);
    passMs(MAX_AGE_MS);
    ssm.failNext('ThrottlingException');
    assertNone(await read(TOKEN), 'failed', /Throttling/);
  });

  test('access denied names the prop, and ends what was known', async () => {
    const { ssm, read, passMs } = await setUp();
    ssm.put(NAME, 'planted');
    await read(TOKEN);
    passMs(MAX_AGE_MS);
    ssm.failNext('AccessDeniedException');
    assertNone(await read(TOKEN), 'refused', /access is denied; grant it with the construct's prop secrets/);
  });

  test('what may not be read is refused before anyone is asked', async () => {
    const { ssm, manager, read } = await setUp();
    ssm.put(tokenNameOf(PREFIX), 'planted', 'SecureString');
    assertNone(await read(`ssm:${tokenNameOf(PREFIX)}`), 'refused', /Dynatrace API token/);
    assertNone(await read(`ssm:${tokenNameOf(PREFIX)}:1`), 'refused', /neither ssm/);
    assertNone(await read(`ssm:${PREFIX}/endpoint`), 'refused', /prop secrets/);
    assertNone(await read(ARN.replace('prod', 'test')), 'refused', /prop secrets/);
    assertNone(await read('planted'), 'refused', /neither ssm/);
    assert.equal(ssm.calls.length + manager.calls.length, 0);
  });
});

describe('in Secrets Manager', () => {
  test('whole, or a field of a JSON object; two fields are one read', async () => {
    const { manager, read, passMs } = await setUp();
    manager.put(ARN, JSON.stringify({ user: 'nim', password: ' planted ', port: 5, empty: '', nested: {} }));
    assert.deepEqual(await read(`${ARN}#password`), value('planted'));
    assert.deepEqual(await read(`${ARN}#user`), value('nim'));
    assert.deepEqual(await read(`${ARN}#port`), value('5'));
    for (const field of ['empty', 'nested', 'other', 'toString', '__proto__']) {
      assertNone(await read(`${ARN}#${field}`), 'absent', /no JSON object with this field/);
    }
    assert.equal(manager.calls.length, 1);
    for (const text of ['planted', '"planted"', 'null', '[]', '{"password"']) {
      manager.put(ARN, text);
      passMs(MAX_AGE_MS);
      assert.deepEqual(await read(ARN), value(text));
      assertNone(await read(`${ARN}#password`), 'absent', /no JSON object/);
    }
  });

  test('not there, binary, denied', async () => {
    const { manager, read, passMs } = await setUp();
    assertNone(await read(ARN), 'absent', /no such secret/);
    manager.put(ARN, new Uint8Array([1]));
    passMs(MIN_AGE_MS);
    assertNone(await read(ARN), 'absent', /binary/);
    manager.failNext('AccessDeniedException');
    passMs(MIN_AGE_MS);
    assertNone(await read(`${ARN}#a`), 'refused', /prop secrets/);
  });
});

describe('bounds', () => {
  test('equal references under way are read once, and each has its own deadline', async () => {
    const { ssm, read } = await setUp();
    ssm.put(NAME, 'planted');
    const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => read(TOKEN, n % 2 === 0)));
    for (const answer of answers) assert.deepEqual(answer, value('planted'));
    assert.equal(ssm.calls.length, 1);
    ssm.failNext('hang');
    assertNone(await read(`${TOKEN}2`, false, 30), 'failed', /no answer before the deadline; the next tick/);
    assertNone(await read(`${TOKEN}2`, false, 30), 'failed', /no answer before the deadline/);
    assert.equal(ssm.calls.length, 2);
  });

  test('after a failure nobody asks again for ten seconds', async () => {
    const { ssm, read, passMs } = await setUp();
    for (let round = 0; round < 3; round++) assert.equal((await read(TOKEN, true)).code, 'absent');
    assert.equal(ssm.calls.length, 1);
    passMs(MIN_AGE_MS);
    await read(TOKEN);
    assert.equal(ssm.calls.length, 2);
  });

  test('the size of a secret and the number that is remembered', async () => {
    const { manager, read, passMs } = await setUp();
    manager.put(ARN, 'x'.repeat(MAX_SECRET_LENGTH));
    assert.equal((await read(ARN)).code, 'read');
    manager.put(ARN, 'x'.repeat(MAX_SECRET_LENGTH + 1));
    passMs(MAX_AGE_MS);
    assertNone(await read(ARN), 'refused', /longer than 65536 characters/);

    const asked: string[] = [];
    const secrets = createSecrets({
      clock: { wallMs: () => 0, monotonicMs: () => 0 },
      grants: { prefix: PREFIX, granted: [], token: { store: 'ssm', name: '/token' } },
      ssm: (name) => {
        asked.push(name);
        return Promise.resolve(value('planted'));
      },
      secretsManager: () => Promise.resolve(value('planted')),
    });
    const nth = (n: number) => secrets(`${TOKEN}${n}`, 1_000, false);
    for (let n = 0; n < MAX_REMEMBERED_SECRETS; n++) await nth(n);
    await nth(0);
    assert.equal(asked.length, MAX_REMEMBERED_SECRETS);
    await nth(MAX_REMEMBERED_SECRETS);
    await nth(1);
    assert.equal(asked.length, MAX_REMEMBERED_SECRETS + 1);
    await nth(0);
    assert.equal(asked.length, MAX_REMEMBERED_SECRETS + 2, 'the one read longest ago is read anew');
  });
});

describe('in the environment', () => {
  const secrets = createEnvSecrets({
    NIM_TOKEN: ' planted\n',
    NIM_PROD: 'whole',
    NIM_PROD_PASSWORD: 'field',
    _1ST: 'digit',
    EMPTY: '',
    DT_API_TOKEN: 'planted',
    AWS_SECRET_ACCESS_KEY: 'planted',
  });
  const read = (reference: string) => secrets(reference, 0, false);

  test('the variable is named after the reference', async () => {
    assert.deepEqual(await read(TOKEN), value('planted'));
    assert.deepEqual(await read('ssm:nim.token'), value('planted'));
    assert.deepEqual(await read('ssm:/a/1st'), value('digit'));
    assert.deepEqual(await read(ARN), value('whole'));
    assert.deepEqual(await read(ARN.slice(0, -'-AbCdEf'.length)), value('whole'));
    assert.deepEqual(await read(`${ARN}#password`), value('field'));
  });

  test('what is not set is absent, and the variable is named; what is no reference is not repeated', async () => {
    assertNone(await read('ssm:/a/other'), 'absent', /OTHER is not set; set it: export OTHER=/);
    assertNone(await read('ssm:/a/empty'), 'absent', /EMPTY is not set/);
    assertNone(await read('planted'), 'refused', /neither ssm/);
  });

  test("a pasted configuration cannot reach for the person's own credentials", async () => {
    for (const name of ['dt-api-token', 'AWS_SECRET_ACCESS_KEY', 'aws.secret.access.key']) {
      assertNone(await read(`ssm:/x/secrets/${name}`), 'refused', /is not for targets/);
    }
  });
});
