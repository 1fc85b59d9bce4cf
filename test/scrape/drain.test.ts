/** D4 through both functions: a target that no document names any more is drained, after a complete read only. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { assertDelivered } from '../fakes/delivered.ts';
import { type Build, buildBundles, startDeployment } from '../fakes/deployment.ts';
import { eventsOf, lineOf } from '../fakes/lambda.ts';

const build: Build = await buildBundles(after);

test('what a vanished target owes is delivered, and it is not scraped for that', async (context) => {
  let away = false;
  const deployment = await startDeployment(context, {
    build,
    receiver: { answer: () => (away ? { status: 503, headers: { 'retry-after': '600' } } : undefined) },
  });
  const { ssm, nims, receiver, tick } = deployment;
  await tick();
  away = true;
  for (const nim of nims) nim.advance(60_000);
  await tick();
  const seen = nims.map((nim) => nim.served());

  ssm.remove('/nim-to-dynatrace/targets/nim');
  for (const nim of nims) nim.advance(60_000);
  ssm.failNext('AccessDeniedException');
  const { dispatched } = await tick();
  assert.deepEqual(eventsOf(dispatched), ['documents_unread'], 'one failed read declares nobody gone');

  away = false;
  const drained = await tick();
  assert.equal(lineOf(drained.dispatched, 'dispatch_finished')['drains'], 1);
  const { targets, up, drained: count, pendingSeries } = lineOf(drained.worked[0], 'run_finished');
  assert.deepEqual([targets, up, count, pendingSeries], [0, 0, 1, 0]);
  assertDelivered(receiver.points, ...seen);
  assert.deepEqual(
    nims.map((nim) => nim.served()),
    seen,
  );
  assert.deepEqual(receiver.violations, []);

  const quiet = await tick();
  assert.equal(quiet.worked.length, 0, 'nothing is left to do');
});
