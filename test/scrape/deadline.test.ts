/**
 * Whoever hangs, the worker returns before Lambda ends it: what it has is exported and committed, what is left is said,
 * and the next tick carries it. Each test lets one request wait for an answer that never comes.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { ScriptedAnswer } from '../../functions/cli/world/receiver.ts';
import { assertDelivered } from '../fakes/delivered.ts';
import { startSecretsManager } from '../fakes/secrets-by-arn.ts';
import {
  type Build,
  PREFIX,
  TOKEN,
  TOKEN_NAME,
  addressOf,
  buildBundles,
  startDeployment,
} from '../fakes/deployment.ts';
import { type Invocation, eventsOf, lineOf } from '../fakes/lambda.ts';

const closing: (() => Promise<void>)[] = [];
after(() => Promise.all(closing.map((close) => close())));
let build: Build;
before(async () => (build = await buildBundles((close) => closing.push(close))));

/** Of which the last five are the margin. */
const REMAINING_MS = 9_003;
const ARN = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:nim-AbCdEf';

/** Two NIMs after a good tick: the second has a job of its own, with a credential if `credentials` refers to one. */
async function start(context: Parameters<typeof startDeployment>[0], credentials?: string) {
  const script: ScriptedAnswer[] = [];
  const manager = await startSecretsManager();
  context.after(manager.close);
  manager.put(ARN, 'PLANTED-manager');
  const deployment = await startDeployment(context, {
    build,
    nims: 2,
    parameters: ([one, two], endpoint) => ({
      endpoint,
      'secrets/dt-api-token': TOKEN,
      'secrets/nim': 'PLANTED-own',
      'targets/one': one === undefined ? '' : addressOf(one),
      'targets/two':
        `static_configs: [{targets: ["${two === undefined ? '' : addressOf(two)}"]}]\n` +
        (credentials === undefined ? '' : `authorization: {credentials: "${credentials}"}\n`),
    }),
    receiver: { answer: () => script.shift() },
    env: { SECRETS: ARN, AWS_ENDPOINT_URL_SECRETS_MANAGER: manager.endpoint },
  });
  const { nims, receiver, workOff, schedule } = deployment;
  const advance = () => nims.forEach((nim) => nim.advance(60_000));
  /** A tick whose worker has four seconds. */
  const hurriedTick = async (): Promise<Invocation> => {
    advance();
    await schedule();
    const [worked] = await workOff({ remainingMs: REMAINING_MS });
    assert.ok(worked);
    assert.equal(worked.error, undefined, 'never dies at the timeout');
    return worked;
  };
  /** Everything that was seen is there after a tick without faults. */
  const assertMadeGood = async () => {
    advance();
    await deployment.tick();
    assertDelivered(receiver.points, ...nims.map((nim) => nim.served()));
    assert.deepEqual(receiver.violations, []);
  };
  return { ...deployment, manager, script, hurriedTick, assertMadeGood };
}

describe('a request of DynamoDB that is never answered', { concurrency: true }, () => {
  test('the claim: nothing is scraped or sent', async (context) => {
    const { dynamodb, receiver, hurriedTick, assertMadeGood } = await start(context);
    await hurriedTick();
    const requests = receiver.requests.length;
    // What dispatch records is answered, the claim is not.
    dynamodb.next('UpdateItem', { kind: 'delay', ms: 0 });
    dynamodb.next('UpdateItem', { kind: 'hang' });
    const worked = await hurriedTick();
    assert.deepEqual(eventsOf(worked), ['claim_failed']);
    assert.equal(receiver.requests.length, requests);
    await assertMadeGood();
  });

  test('the states: their targets are left alone', async (context) => {
    const { dynamodb, hurriedTick, assertMadeGood } = await start(context);
    await hurriedTick();
    dynamodb.next('BatchGetItem', { kind: 'hang' });
    const worked = await hurriedTick();
    assert.match(
      String(worked.logs.find(({ message }) => message === 'target_failed')?.['problem']),
      /^state_unread/,
    );
    assert.equal(lineOf(worked, 'run_finished')['up'], 0);
    await assertMadeGood();
  });

  test('the commit of one target: all is exported, the other one is committed', async (context) => {
    const { dynamodb, hurriedTick } = await start(context);
    await hurriedTick();
    dynamodb.next('PutItem', { kind: 'hang' });
    const worked = await hurriedTick();
    const { commitsFailed, up } = lineOf(worked, 'run_finished');
    assert.deepEqual([commitsFailed, up], [1, 2]);
    assert.match(String(lineOf(worked, 'commit_failed')['problem']), /no answer before the deadline/);
    const next = await hurriedTick();
    assert.equal(lineOf(next, 'run_finished')['commitsFailed'], 0);
  });

  test('the end: all is exported and committed, and the run is reported', async (context) => {
    const { dynamodb, nims, receiver, hurriedTick, assertMadeGood } = await start(context);
    await hurriedTick();
    // What dispatch records and the claim are answered, the end is not.
    dynamodb.next('UpdateItem', { kind: 'delay', ms: 0 });
    dynamodb.next('UpdateItem', { kind: 'delay', ms: 0 });
    dynamodb.next('UpdateItem', { kind: 'hang' });
    const worked = await hurriedTick();
    assert.deepEqual(eventsOf(worked), ['run_finished']);
    assert.equal(lineOf(worked, 'run_finished')['commitsFailed'], 0);
    assertDelivered(receiver.points, ...nims.map((nim) => nim.served()));
    assert.equal(worked.metrics.length, 1);
    await assertMadeGood();
  });
});

describe('a parameter that is never answered', { concurrency: true }, () => {
  for (const name of [`${PREFIX}/endpoint`, TOKEN_NAME]) {
    test(`${name}: scraped and committed, and sent with the next tick`, async (context) => {
      const { ssm, hurriedTick, assertMadeGood } = await start(context);
      // The endpoint is asked for first.
      if (name === TOKEN_NAME) ssm.failNext('pass', 'GetParameter');
      ssm.failNext('hang', 'GetParameter');
      const worked = await hurriedTick();
      assert.match(
        String(lineOf(worked, 'parameter_unread')['problem']),
        new RegExp(`${name}: no answer before`),
      );
      const { up, commitsFailed, pointsSent } = lineOf(worked, 'run_finished');
      assert.deepEqual([up, commitsFailed, pointsSent], [2, 0, 0]);
      await assertMadeGood();
    });
  }
});

describe('a secret that is never answered fails its target only', { concurrency: true }, () => {
  for (const [store, reference] of [
    ['SSM', `ssm:${PREFIX}/secrets/nim`],
    ['Secrets Manager', ARN],
  ] as const) {
    test(store, async (context) => {
      const { ssm, manager, hurriedTick, assertMadeGood } = await start(context, reference);
      if (store === 'SSM') ssm.failNext('hang', 'GetParameter');
      else manager.failNext('hang');
      const worked = await hurriedTick();
      assert.match(
        String(lineOf(worked, 'target_failed')['problem']),
        /^secret: .*no answer before the deadline/,
      );
      const { up, targets, commitsFailed, pendingSeries } = lineOf(worked, 'run_finished');
      assert.deepEqual([up, targets, commitsFailed, pendingSeries], [1, 2, 0, 0]);
      await assertMadeGood();
    });
  }
});

describe('Dynatrace', { concurrency: true }, () => {
  test('says when to come again, later than there is time: pending, committed, delivered at the next tick', async (context) => {
    const { script, hurriedTick, assertMadeGood } = await start(context);
    script.push({ status: 503, headers: { 'retry-after': '600' } });
    const worked = await hurriedTick();
    assert.equal(lineOf(worked, 'export_failed')['code'], 'retry');
    assert.equal(lineOf(worked, 'run_finished')['commitsFailed'], 0);
    await assertMadeGood();
  });
});
