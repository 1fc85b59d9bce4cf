/** The worker as it is deployed, with targets whose secrets lie in Parameter Store and Secrets Manager. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Target } from '../../functions/core/model.ts';
import { createTarget } from '../../functions/core/targets.ts';
import { writeMessage } from '../../functions/core/work.ts';
import { serveHttp } from '../adapters/local-servers.ts';
import { PREFIX, TOKEN_NAME, buildBundles, recordOf, startDeployment } from '../fakes/deployment.ts';
import { startSecretsManager } from '../fakes/secrets-by-arn.ts';

const ARN = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:nim-AbCdEf';
const build = await buildBundles(after);

test('each target is sent its own secret; what is absent or not granted fails that target only', async (t) => {
  const manager = await startSecretsManager();
  t.after(manager.close);
  manager.put(ARN, '{"token":"PLANTED-manager"}');
  const { ssm, scrape } = await startDeployment(t, {
    build,
    env: {
      SECRETS: `/granted/token, ${ARN}`,
      IN_VPC: 'false',
      AWS_ENDPOINT_URL_SECRETS_MANAGER: manager.endpoint,
    },
  });
  ssm.put(`${PREFIX}/secrets/nim`, 'PLANTED-own', 'SecureString');
  ssm.put('/granted/token', 'PLANTED-granted', 'SecureString');
  const server = await serveHttp(t, (_, response) => response.end('up 1\n'));

  const references = {
    own: `ssm:${PREFIX}/secrets/nim`,
    granted: 'ssm:/granted/token',
    manager: `${ARN}#token`,
    absent: `ssm:${PREFIX}/secrets/other`,
    foreign: 'ssm:/foreign/token',
    dynatrace: `ssm:${TOKEN_NAME}`,
  };
  const targets = Object.entries(references).map(([name, credentials]): Target => {
    const identity = { job: name, instance: name, scheme: 'http', path: `/${name}`, params: [] } as const;
    return {
      ...createTarget({ ...identity, address: server.address }),
      authorization: { type: 'Bearer', credentials },
    };
  });
  const tickMs = Math.floor(Date.now() / 1000) * 1000;
  const message = writeMessage({ tickMs, shards: 1, shard: 0, targets, drains: [] });
  const { error } = await scrape.invoke({ Records: [recordOf({ Body: message })] });
  assert.equal(error, undefined);

  const sent = server.requests.map(({ url, headers }) => `${url} ${headers.authorization}`);
  assert.deepEqual(sent.sort(), [
    '/granted Bearer PLANTED-granted',
    '/manager Bearer PLANTED-manager',
    '/own Bearer PLANTED-own',
  ]);
  const output = scrape.output();
  assert.match(output, /waiting_for_secret/);
  assert.match(output, /no such parameter; put it: aws ssm put-parameter/);
  assert.match(output, /\/foreign\/token: it is not below/);
  assert.match(output, /it is the Dynatrace API token, which no target may see/);
});
