/** What DynamoDB can do to a run: nothing is lost, and what goes out twice goes out twice only. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { assertDelivered, growth, sum } from '../fakes/delivered.ts';
import {
  type Build,
  type Deployment,
  TOKEN,
  addressOf,
  buildBundles,
  startDeployment,
} from '../fakes/deployment.ts';
import { eventsOf, lineOf } from '../fakes/lambda.ts';

const build: Build = await buildBundles(after);

/** Not retried by the client. */
const DENIED = { kind: 'refuse', error: 'AccessDeniedException' } as const;

function servedBy({ nims: [nim] }: Deployment) {
  assert.ok(nim);
  return nim.served();
}

const advance = ({ nims }: Deployment) => nims.forEach((nim) => nim.advance(60_000));

describe('claim', () => {
  test('its answer is lost: the run knows its own writing and goes on', async (context) => {
    const deployment = await startDeployment(context, { build });
    await deployment.schedule();
    deployment.dynamodb.next('UpdateItem', { kind: 'lose' });
    const worked = await deployment.workOff();
    assert.deepEqual(worked.flatMap(eventsOf), ['run_finished']);
    assert.deepEqual(deployment.dynamodb.operations.slice(2, 5), ['UpdateItem', 'UpdateItem', 'GetItem']);
    advance(deployment);
    await deployment.tick();
    assertDelivered(deployment.receiver.points, servedBy(deployment));
    assert.deepEqual(deployment.receiver.violations, []);
  });

  test('it fails: nothing is scraped or posted, and the next tick has everything', async (context) => {
    const deployment = await startDeployment(context, { build });
    const { tickMs } = await deployment.schedule();
    deployment.dynamodb.next('UpdateItem', DENIED);
    const worked = await deployment.workOff();
    assert.deepEqual(worked.flatMap(eventsOf), ['claim_failed']);
    const { level, problem, ...line } = lineOf(worked[0], 'claim_failed');
    assert.deepEqual([level, line['tickMs'], line['shard']], ['ERROR', tickMs, 0]);
    assert.equal(problem, 'cannot claim shard 0: AccessDeniedException, No; grant the role this action');
    assert.deepEqual(worked[0]?.metrics, []);
    assert.equal(deployment.receiver.requests.length, 0);
    assert.equal(servedBy(deployment).size, 0);
    await deployment.tick();
    assertDelivered(deployment.receiver.points, servedBy(deployment));
  });
});

describe('load', () => {
  test('a target whose state is unread is left alone, not taken for a new one', async (context) => {
    const deployment = await startDeployment(context, { build });
    await deployment.tick();
    const first = servedBy(deployment);
    advance(deployment);
    deployment.dynamodb.next('BatchGetItem', DENIED);
    const { worked } = await deployment.tick();
    assert.deepEqual(worked.flatMap(eventsOf).toSorted(), ['run_finished', 'target_failed']);
    assert.match(
      String(lineOf(worked[0], 'target_failed')['problem']),
      /^state_unread: cannot load the state: /,
    );
    assert.equal(worked[0]?.metrics[0]?.['targets.down'], 1);
    assertDelivered(deployment.receiver.points, first);
    await deployment.tick();
    assertDelivered(deployment.receiver.points, servedBy(deployment));
    assert.deepEqual(deployment.receiver.violations, []);
  });

  test('one of two batches fails: the other targets go on, and in the end all is there', async (context) => {
    // 101 jobs of one NIM: one key more than a batch holds.
    const jobs = Array.from({ length: 101 }, (_, i) => `targets/job-${100 + i}`);
    const deployment = await startDeployment(context, {
      build,
      parameters: ([nim], endpoint) => ({
        endpoint,
        'secrets/dt-api-token': TOKEN,
        ...Object.fromEntries(jobs.map((job) => [job, nim === undefined ? '' : addressOf(nim)])),
      }),
    });
    deployment.dynamodb.next('BatchGetItem', DENIED);
    const { worked } = await deployment.tick();
    const { targets, up } = lineOf(worked[0], 'run_finished');
    assert.equal(targets, 101);
    // Either batch may come first.
    assert.ok(up === 1 || up === 100, `${String(up)} targets were scraped`);
    assert.equal(eventsOf(worked[0]).filter((event) => event === 'target_failed').length, 101 - Number(up));
    const { worked: next } = await deployment.tick();
    assert.equal(lineOf(next[0], 'run_finished')['up'], 101);
    assertDelivered(deployment.receiver.points, ...jobs.map(() => servedBy(deployment)));
  });

  test('keys that come back unprocessed are asked for again', async (context) => {
    const deployment = await startDeployment(context, { build });
    await deployment.tick();
    advance(deployment);
    deployment.dynamodb.next('BatchGetItem', { kind: 'unprocessed', processed: 0 });
    const { worked } = await deployment.tick();
    assert.deepEqual(worked.flatMap(eventsOf), ['run_finished']);
    assertDelivered(deployment.receiver.points, servedBy(deployment));
  });
});

describe('commit (D2)', () => {
  test('after an accepted export it fails: these increments go out once more, and only once', async (context) => {
    const deployment = await startDeployment(context, { build });
    await deployment.tick();
    const first = servedBy(deployment);
    advance(deployment);
    deployment.dynamodb.next('PutItem', DENIED);
    const { worked } = await deployment.tick();
    const { level, job, problem } = lineOf(worked[0], 'commit_failed');
    assert.deepEqual([level, job], ['ERROR', 'nim']);
    assert.match(
      String(problem),
      /^failed: cannot commit the state of target\/nim\/.+; grant the role this action$/,
    );
    assert.equal(lineOf(worked[0], 'run_finished')['commitsFailed'], 1);
    const twice = growth(first, servedBy(deployment));

    for (let i = 0; i < 3; i++) {
      advance(deployment);
      const writes = count(deployment, 'PutItem');
      await deployment.tick();
      // The item is written before anything leaves, in the first of these runs only.
      assert.equal(count(deployment, 'PutItem') - writes, i === 0 ? 2 : 1);
      assertDelivered(deployment.receiver.points, servedBy(deployment), twice);
    }
  });

  test('while the item cannot be written, only gauges leave', async (context) => {
    const deployment = await startDeployment(context, { build });
    await deployment.tick();
    const first = servedBy(deployment);
    advance(deployment);
    deployment.dynamodb.next('PutItem', DENIED);
    await deployment.tick();
    const second = servedBy(deployment);
    for (let i = 0; i < 2; i++) {
      advance(deployment);
      deployment.dynamodb.next('PutItem', DENIED);
      deployment.dynamodb.next('PutItem', DENIED);
      const { tickMs } = await deployment.tick();
      const ofTick = deployment.receiver.points.filter((point) => point.timeMs === tickMs);
      assert.ok(ofTick.length > 5);
      const deltas = ofTick.filter(({ kind }) => kind !== 'gauge');
      assert.ok(deltas.every(({ name }) => name.startsWith('nim_to_dynatrace.')));
      assertDelivered(deployment.receiver.points, second);
    }
    advance(deployment);
    await deployment.tick();
    assertDelivered(deployment.receiver.points, servedBy(deployment), growth(first, second));
  });

  test('its answer is lost: committed all the same, nothing goes out twice', async (context) => {
    const deployment = await startDeployment(context, { build });
    for (let i = 0; i < 3; i++) {
      deployment.dynamodb.next('PutItem', { kind: 'lose' });
      const { worked } = await deployment.tick();
      assert.deepEqual(worked.flatMap(eventsOf), ['run_finished']);
      advance(deployment);
    }
    assertDelivered(deployment.receiver.points, servedBy(deployment));
    assert.deepEqual(deployment.receiver.violations, []);
  });

  test('of a new target it fails: its first counts go out once more', async (context) => {
    const deployment = await startDeployment(context, { build });
    deployment.dynamodb.next('PutItem', DENIED);
    await deployment.tick();
    const first = servedBy(deployment);
    advance(deployment);
    await deployment.tick();
    advance(deployment);
    await deployment.tick();
    assertDelivered(deployment.receiver.points, sum(servedBy(deployment), first));
  });
});

describe('end', () => {
  test("the shard's mark is lost: the next tick claims as ever", async (context) => {
    const deployment = await startDeployment(context, { build });
    await deployment.schedule();
    // Claim first, then the mark at the end.
    deployment.dynamodb.next('UpdateItem', { kind: 'delay', ms: 1 });
    deployment.dynamodb.next('UpdateItem', DENIED);
    const [worked] = await deployment.workOff();
    assert.deepEqual(eventsOf(worked), ['run_finished']);
    advance(deployment);
    await deployment.tick();
    assertDelivered(deployment.receiver.points, servedBy(deployment));
    assert.deepEqual(deployment.receiver.violations, []);
  });

  test('commit and mark both fail: the increments go out once more, the run ends in order', async (context) => {
    const deployment = await startDeployment(context, { build });
    await deployment.tick();
    const first = servedBy(deployment);
    advance(deployment);
    await deployment.schedule();
    deployment.dynamodb.next('UpdateItem', { kind: 'delay', ms: 1 });
    deployment.dynamodb.next('UpdateItem', DENIED);
    deployment.dynamodb.next('PutItem', DENIED);
    await deployment.workOff();
    const twice = growth(first, servedBy(deployment));
    for (let i = 0; i < 2; i++) {
      advance(deployment);
      await deployment.tick();
      assertDelivered(deployment.receiver.points, servedBy(deployment), twice);
    }
  });
});

function count({ dynamodb }: Deployment, operation: string): number {
  return dynamodb.operations.filter((name) => name === operation).length;
}
