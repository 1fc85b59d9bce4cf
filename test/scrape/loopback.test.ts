/** In Lambda the runtime listens on loopback: whoever edits documents aims no request there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { writeDiagnoseRequest } from '../../functions/core/doctor/request.ts';
import { createTarget } from '../../functions/core/targets.ts';
import { serveHttp } from '../adapters/local-servers.ts';
import { SOURCE, TOKEN, startDeployment } from '../fakes/deployment.ts';
import { lineOf } from '../fakes/lambda.ts';

const OWN = /the address is loopback, which in Lambda is the function's own/;

test('neither a target nor a discovery leads there, by whatever name; Dynatrace may be there', async (t) => {
  const runtime = await serveHttp(t, (_, response) => response.end('up 1\n'));
  const { port } = runtime;
  const deployment = await startDeployment(t, {
    build: SOURCE,
    nims: 0,
    env: { AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${port}` },
    parameters: (_, endpoint) => ({
      endpoint,
      'secrets/dt-api-token': TOKEN,
      'targets/hosts': `127.0.0.1:${port} localhost:${port} 0.0.0.0:${port} [::1]:${port} [::ffff:127.0.0.1]:${port}`,
      'targets/list': `{job_name: list, http_sd_configs: [{url: "http://localhost:${port}/"}]}`,
    }),
  });
  const { dispatched, worked } = await deployment.tick();
  assert.match(String(lineOf(dispatched, 'targets_unread')['problem']), OWN);
  const [run] = worked;
  const failed = (run?.logs ?? []).filter(({ message }) => message === 'target_failed');
  assert.equal(failed.length, 5);
  for (const { problem } of failed) assert.match(String(problem), OWN);
  const target = createTarget({
    job: 'nim',
    instance: 'a',
    scheme: 'http',
    address: `localhost:${port}`,
    path: '',
    params: [],
  });
  const asked = writeDiagnoseRequest({ targets: [target], deployment: false });
  const { answer } = await deployment.scrape.invoke(asked);
  assert.match(JSON.stringify(answer), OWN, 'nor does the doctor, which anybody may ask who may invoke it');
  assert.deepEqual(runtime.requests, []);
  assert.equal(lineOf(run, 'run_finished')['up'], 0);
  assert.ok(deployment.receiver.points.length > 0, 'up 0 of each of them');
});
