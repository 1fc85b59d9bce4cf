/** The worker as it is deployed behind a proxy, with an authority of its own and its token in Secrets Manager. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { readDiagnoses, writeDiagnoseRequest } from '../../functions/core/doctor/request.ts';
import { PKI, serveHttp } from '../adapters/local-servers.ts';
import { TOKEN, addressOf, buildBundles, startDeployment } from '../fakes/deployment.ts';
import { startProxy } from '../fakes/proxy.ts';
import { startSecretsManager } from '../fakes/secrets-by-arn.ts';

const ARN = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:dynatrace-AbCdEf';
const CA_FILE = new URL('../adapters/certificates/test-only-ca.pem', import.meta.url).pathname;
const build = await buildBundles(after);

test('the export goes through the proxy, scrapes do not; the token comes from the secret', async (t) => {
  const [manager, proxy] = await Promise.all([startSecretsManager(), startProxy(t)]);
  t.after(manager.close);
  manager.put(ARN, JSON.stringify({ apiToken: TOKEN }));
  const dynatrace = await serveHttp(t, (_, response) => response.end(), PKI.server);
  const { scrape, tick } = await startDeployment(t, {
    build,
    parameters: (nims) => ({
      endpoint: `https://localhost:${dynatrace.port}/otlp`,
      'targets/nim': nims.map(addressOf).join('\n'),
    }),
    env: {
      API_TOKEN: `${ARN}#apiToken`,
      PROXY: proxy.url.origin,
      CA_BUNDLE: CA_FILE,
      AWS_ENDPOINT_URL_SECRETS_MANAGER: manager.endpoint,
    },
  });
  const doctor = writeDiagnoseRequest({ targets: [], deployment: true });
  const diagnosed = readDiagnoses((await scrape.invoke(doctor)).answer);
  assert(diagnosed.code === 'read');
  const checks = diagnosed.value.flatMap((one) => one.checks).map(({ name, status }) => `${name} ${status}`);
  assert.deepEqual(checks.slice(1, 3), ['stored_endpoint ok', 'stored_token ok']);
  assert.deepEqual(checks.slice(-4), ['dns ok', 'tcp ok', 'ingest ok', 'clock ok']);
  assert.equal(proxy.tunnels.length, 1, 'the doctor goes the way of the export');

  await tick();
  assert.ok(dynatrace.requests.length > 0, scrape.output());
  for (const { headers, url } of dynatrace.requests) {
    assert.equal(headers.authorization, `Api-Token ${TOKEN}`);
    assert.equal(url, '/otlp/v1/metrics');
  }
  assert.deepEqual(
    [...new Set(proxy.tunnels.map(({ authority }) => authority))],
    [`localhost:${dynatrace.port}`],
  );
});

test('an environment that no stack would write ends the start, and says which variable', async (t) => {
  for (const [name, value] of [
    ['API_TOKEN', 'PLANTED'],
    ['PROXY', 'PLANTED'],
    ['CA_BUNDLE', '/PLANTED/ca.pem'],
  ] as const) {
    const { scrape } = await startDeployment(t, { build, env: { [name]: value } });
    await assert.rejects(
      scrape.invoke({ Records: [] }),
      new RegExp(
        `Error: cannot start: the environment variable ${name} has no usable value; deploy the stack again`,
      ),
    );
  }
});
