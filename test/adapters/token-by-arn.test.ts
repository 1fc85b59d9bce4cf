/** The Dynatrace API token in Secrets Manager, with AWS's own client against AWS's protocol. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { TOKEN_MAX_AGE_MS } from '../../functions/adapters/remembered.ts';
import { createTokenByArn } from '../../functions/adapters/secrets-by-arn.ts';
import type { Clock } from '../../functions/core/ports.ts';
import { FAKE_AWS } from '../fakes/aws-json.ts';
import { startSecretsManager } from '../fakes/secrets-by-arn.ts';

const ARN = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:dynatrace-AbCdEf';

/** Far behind all that a test lets pass. */
const LATER_MS = 10_000_000;

async function setUp(t: TestContext, field?: string) {
  const manager = await startSecretsManager();
  const client = new SecretsManagerClient({ ...FAKE_AWS, endpoint: manager.endpoint, maxAttempts: 1 });
  t.after(manager.close);
  t.after(() => client.destroy());
  let nowMs = 1_000_000;
  const clock: Clock = { wallMs: () => nowMs, monotonicMs: () => nowMs };
  const token = createTokenByArn({ client, clock, arn: ARN, ...(field === undefined ? {} : { field }) });
  return { manager, token, passMs: (ms: number) => (nowMs += ms) };
}

test('the whole text, trimmed; read again after five minutes, or at once when fresh', async (t) => {
  const { manager, token, passMs } = await setUp(t);
  assert.deepEqual(await token(false, LATER_MS), { code: 'absent' });
  manager.put(ARN, ' dt0c01.A.B\n');
  assert.deepEqual(await token(false, LATER_MS), { code: 'read', value: 'dt0c01.A.B' });
  manager.put(ARN, 'dt0c01.A.C');
  passMs(TOKEN_MAX_AGE_MS - 1);
  assert.deepEqual(await token(false, LATER_MS), { code: 'read', value: 'dt0c01.A.B' });
  assert.deepEqual(await token(true, LATER_MS), { code: 'read', value: 'dt0c01.A.C' });
  manager.put(ARN, 'dt0c01.A.D');
  passMs(TOKEN_MAX_AGE_MS);
  assert.deepEqual(await token(false, LATER_MS), { code: 'read', value: 'dt0c01.A.D' });
  manager.remove(ARN);
  assert.deepEqual(await token(true, LATER_MS), { code: 'absent' });
});

test('one field of a JSON object; without it the field is named, and no value', async (t) => {
  const { manager, token } = await setUp(t, 'apiToken');
  manager.put(ARN, '{"apiToken":"dt0c01.A.B","other":"planted"}');
  assert.deepEqual(await token(false, LATER_MS), { code: 'read', value: 'dt0c01.A.B' });
  for (const value of ['{"other":"planted"}', 'planted', '{"apiToken":{}}', '{"apiToken":" "}']) {
    const again = await setUp(t, 'apiToken');
    again.manager.put(ARN, value);
    const answer = await again.token(false, LATER_MS);
    assert.ok(answer.code === 'failed', value);
    assert.match(answer.message, /no JSON object with this field as text; add the field to the secret$/);
    assert.doesNotMatch(answer.message, /planted/);
  }
});

test('access denied names the prop; while AWS does not answer the token from before stays', async (t) => {
  const { manager, token } = await setUp(t);
  manager.failNext('AccessDeniedException');
  const denied = await token(false, LATER_MS);
  assert.ok(denied.code === 'failed');
  assert.match(denied.message, /access is denied; name it in the construct's prop apiToken \(-c apiToken\)/);
  manager.put(ARN, 'dt0c01.A.B');
  await token(false, LATER_MS);
  manager.failNext('ThrottlingException');
  const kept = await token(true, LATER_MS);
  assert.ok(kept.code === 'read' && kept.value === 'dt0c01.A.B');
  assert.match(kept.problem ?? '', /^cannot read the secret arn:.*: ThrottlingException/);
});
