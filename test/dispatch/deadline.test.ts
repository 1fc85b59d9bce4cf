/** Whoever hangs, dispatch returns before Lambda ends it, queues what it can, and says what it could not. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Build, PREFIX, buildBundles, scheduleEvent, startDeployment } from '../fakes/deployment.ts';
import { eventsOf, lineOf } from '../fakes/lambda.ts';

const closing: (() => Promise<void>)[] = [];
after(() => Promise.all(closing.map((close) => close())));
let build: Build;
before(async () => (build = await buildBundles((close) => closing.push(close))));

const TICK_MS = Date.parse('2026-01-01T00:00:00Z');
/** Of which the last two are the margin. */
const REMAINING_MS = 4_003;

async function start(context: Parameters<typeof startDeployment>[0]) {
  const parameters = () => ({ 'targets/nim': 'nim:8000' });
  const deployment = await startDeployment(context, { build, nims: 0, parameters });
  const invoke = async () => {
    const invocation = await deployment.dispatch.invoke(scheduleEvent(TICK_MS), {
      remainingMs: REMAINING_MS,
    });
    assert.equal(invocation.error, undefined, 'never dies at the timeout');
    return invocation;
  };
  return { ...deployment, invoke };
}

const NO_ANSWER = 'no answer before the deadline; the next tick tries again';

describe('a request that is never answered', { concurrency: true }, () => {
  test('for documents: nothing is known, nothing is queued', async (context) => {
    const { ssm, sqs, invoke } = await start(context);
    ssm.failNext('hang', 'GetParametersByPath');
    const invocation = await invoke();
    assert.deepEqual(eventsOf(invocation), ['documents_unread']);
    assert.match(String(lineOf(invocation, 'documents_unread')['problem']), new RegExp(NO_ANSWER));
    assert.equal(sqs.messages.length, 0);
  });

  test('for the second page of documents: half a list is none', async (context) => {
    const { ssm, sqs, invoke } = await start(context);
    for (let i = 0; i < 10; i++) ssm.put(`${PREFIX}/targets/nim-${i}`, `nim-${i}:8000`);
    ssm.failNext('pass', 'GetParametersByPath');
    ssm.failNext('hang', 'GetParametersByPath');
    const invocation = await invoke();
    assert.deepEqual(eventsOf(invocation), ['documents_unread']);
    assert.equal(sqs.messages.length, 0);
  });

  test('for the history of a broken document: the others are queued', async (context) => {
    const { ssm, sqs, invoke } = await start(context);
    ssm.put(`${PREFIX}/targets/broken`, 'scrape_configs: [');
    ssm.failNext('hang', 'GetParameterHistory');
    const invocation = await invoke();
    assert.equal(lineOf(invocation, 'dispatch_finished')['due'], 1);
    assert.ok(eventsOf(invocation).includes('document_invalid'));
    assert.equal(sqs.messages.length, 1);
  });

  test('for what is owed: vanished targets wait, the others are queued', async (context) => {
    const { dynamodb, sqs, invoke } = await start(context);
    dynamodb.next('Query', { kind: 'hang' });
    const invocation = await invoke();
    assert.deepEqual(eventsOf(invocation).toSorted(), ['dispatch_finished', 'owing_unread']);
    assert.match(String(lineOf(invocation, 'owing_unread')['problem']), new RegExp(NO_ANSWER));
    assert.equal(sqs.messages.length, 1);
  });

  test('of the queue: the shard is named', async (context) => {
    const { sqs, invoke } = await start(context);
    sqs.failNext('hang', 'SendMessageBatch');
    const invocation = await invoke();
    assert.deepEqual(eventsOf(invocation).toSorted(), ['dispatch_finished', 'messages_unsent']);
    const { shard, problem } = lineOf(invocation, 'messages_unsent');
    assert.deepEqual([shard, problem], [0, `cannot send shard 0: ${NO_ANSWER}`]);
  });

  test('all of them but the first: the metrics are published all the same', async (context) => {
    const { ssm, sqs, dynamodb, invoke } = await start(context);
    ssm.put(`${PREFIX}/targets/broken`, 'scrape_configs: [');
    ssm.failNext('hang', 'GetParameterHistory');
    dynamodb.next('Query', { kind: 'hang' });
    sqs.failNext('hang', 'SendMessageBatch');
    const invocation = await invoke();
    assert.ok(eventsOf(invocation).includes('messages_unsent'));
    assert.equal(invocation.metrics[0]?.['targets.due'], 1);
  });
});
