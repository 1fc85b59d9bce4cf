/** What the log says of answers: a storm is one line, what is rejected again is not told again. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { buildBundles, startDeployment } from '../fakes/deployment.ts';
import { eventsOf, lineOf } from '../fakes/lambda.ts';

const build = await buildBundles(after);

test('a storm of 413 is one line, with the number of bodies', async (context) => {
  const deployment = await startDeployment(context, { build, receiver: { answer: () => ({ status: 413 }) } });
  const { worked } = await deployment.tick();
  assert.deepEqual(worked.flatMap(eventsOf).toSorted(), ['export_failed', 'run_finished']);
  const { code, bodies, problem } = lineOf(worked[0], 'export_failed');
  assert.equal(code, 'too_large');
  assert(Number(bodies) > 10, String(bodies));
  assert.match(String(problem), /status 413; the body is halved$/);
  assert(deployment.receiver.requests.length === bodies);
});

test('a rejection is told once, with its reason and metric, and counted in each run', async (context) => {
  const message =
    "Errors:\nMetric value dropped. key: 'ttft' details: 'Value was NaN' - Reason: VALUE_INVALID";
  const deployment = await startDeployment(context, {
    build,
    receiver: { answer: () => ({ rejectPoints: 2, message }) },
  });
  const { worked } = await deployment.tick();
  const { reason, metric, points } = lineOf(worked[0], 'export_partial');
  assert.deepEqual([reason, metric, points], ['VALUE_INVALID', 'ttft', 2]);
  const { worked: next } = await deployment.tick();
  assert.deepEqual(next.flatMap(eventsOf), ['run_finished']);
  assert.deepEqual(lineOf(next[0], 'run_finished')['rejections'], { VALUE_INVALID: 2 });
});
