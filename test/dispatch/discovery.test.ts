/** Discovery as it is deployed: the bundled function, an EKS API, a cluster and an inventory at the wire. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { MAX_SHARD_TARGETS, readMessage } from '../../functions/core/work.ts';
import { PKI, closedPort, serveHttp } from '../adapters/local-servers.ts';
import { type Build, PREFIX, buildBundles, startDeployment } from '../fakes/deployment.ts';
import { annotated, podOf, serveKubernetes } from '../fakes/kubernetes.ts';
import { type Invocation, lineOf } from '../fakes/lambda.ts';

const closing: (() => Promise<void>)[] = [];
after(() => Promise.all(closing.map((close) => close())));
let build: Build;
before(async () => (build = await buildBundles((close) => closing.push(close))));

const PODS = '/api/v1/pods';
/** SQS' oldest and smallest bound of a message, in bytes (quotas). */
const MAX_MESSAGE_BYTES = 256 * 1024;

async function start(t: TestContext, documents: Readonly<Record<string, string>>) {
  const cluster = await serveKubernetes(t, { [PODS]: [], '/api/v1/services': [] }, PKI.server);
  const eksApi = await serveHttp(t, ({ url }, response) => {
    if (url !== '/clusters/prod' && url !== '/clusters/part') return response.writeHead(404).end('{}');
    const certificateAuthority = { data: Buffer.from(PKI.ca).toString('base64') };
    const endpoint = `https://localhost:${cluster.port}`;
    return response.end(JSON.stringify({ cluster: { endpoint, certificateAuthority } }));
  });
  const parameters = () =>
    Object.fromEntries(Object.entries(documents).map(([name, value]) => [`targets/${name}`, value]));
  const env = {
    EKS_CLUSTERS: 'prod,test,part',
    EKS_NAMESPACES: 'part/nim,part/llm',
    AWS_ENDPOINT_URL_EKS: `http://${eksApi.address}`,
  };
  const deployment = await startDeployment(t, { build, nims: 0, parameters, env });
  const { sqs, dispatch, dynamodb } = deployment;
  let scheduledMs = Date.parse('2026-01-01T00:00:00Z');
  /** One tick: its line, and the newest message. */
  const tick = async (remainingMs?: number) => {
    const sent = sqs.messages.length;
    scheduledMs += 60_000;
    const event = { scheduledTime: new Date(scheduledMs).toISOString() };
    const dispatched = await dispatch.invoke(event, remainingMs === undefined ? {} : { remainingMs });
    const body = sqs.messages.slice(sent)[0]?.body ?? '';
    const read = body === '' ? undefined : readMessage(JSON.parse(body));
    assert(read?.code !== 'malformed', 'the worker cannot read it');
    return { dispatched, body, targets: read?.message.targets ?? [] };
  };
  /** Whether anybody was asked who vanished. */
  const vanishers = () => dynamodb.operations.filter((operation) => operation === 'Query').length;
  return { ...deployment, cluster, eksApi, tick, vanishers };
}

const unread = ({ logs }: Invocation): readonly string[] =>
  logs.filter(({ message }) => message === 'targets_unread').map(({ problem }) => String(problem));

describe('a cluster', () => {
  test('named in one word: annotated pods become targets, each with what its annotations say', async (t) => {
    const { cluster, eksApi, ssm, tick, vanishers } = await start(t, { nim: 'eks://prod' });
    cluster.world.lists[PODS] = [
      podOf({ name: 'other' }),
      podOf({
        name: 'llm-0',
        annotations: annotated({
          port: '8000',
          path: '/custom',
          filter: '{"mode": "include", "names": ["num_*"]}',
          'http.auth': 'secret:nim:llm:token',
        }),
      }),
    ];
    const { dispatched, targets } = await tick();
    assert.deepEqual(unread(dispatched), []);
    const [target, ...others] = targets;
    assert.ok(target);
    assert.deepEqual(others, []);
    assert.deepEqual(
      [target.job, target.instance, target.path, target.output.include, target.authorization],
      [
        'nim',
        '10.0.1.17:8000',
        '/custom',
        ['num_*'],
        { type: 'Bearer', credentials: 'eks://prod/secret/nim/llm/token' },
      ],
    );
    assert.match(target.key, /#uid-llm-0$/);
    assert.equal(target.attributes['k8s.cluster.name'], 'prod');
    for (const { headers } of cluster.requests)
      assert.match(headers.authorization ?? '', /^Bearer k8s-aws-v1\.\w/);
    assert.equal(eksApi.requests.length, 1);
    assert.equal(vanishers(), 1);
    assert.deepEqual(
      ssm.calls.filter(({ operation }) => operation === 'GetParameter'),
      [],
      "no discovery needs a secret, and those of targets are the worker's",
    );
  });

  test('of which the deployment granted some namespaces is asked for these alone', async (t) => {
    const { cluster, tick, vanishers } = await start(t, {
      one: 'eks://part/nim',
      all: 'eks://part',
      other: 'eks://part/default',
    });
    cluster.world.lists['/api/v1/namespaces/nim/services'] = [];
    cluster.world.lists['/api/v1/namespaces/nim/pods'] = [
      podOf({ name: 'llm-0', namespace: 'nim', annotations: annotated({ port: '8000' }) }),
    ];
    const { dispatched, targets } = await tick();
    assert.deepEqual(
      targets.map(({ job, instance }) => [job, instance]),
      [['one', '10.0.1.17:8000']],
    );
    const end =
      "granted, only nim, llm; name these, or grant more in the construct's prop discovery.eks; " +
      'its targets are not scraped until it answers';
    assert.deepEqual(unread(dispatched), [
      `cannot list the pods of eks://part: not all namespaces are ${end}`,
      `cannot list the pods of eks://part: the namespace default is not ${end}`,
    ]);
    for (const { url } of cluster.requests) assert.match(url, /\/namespaces\/nim\//);
    assert.equal(vanishers(), 0, 'nobody counts as vanished');
  });

  test('a full shard of pods fits one message: what they share is written once', async (t) => {
    const { cluster, tick } = await start(t, { nim: 'eks://prod' });
    cluster.world.pageSize = 500;
    const filter = JSON.stringify({
      mode: 'exclude',
      names: Array.from({ length: 32 }, (_, n) => `vllm:name_${n}*`),
    });
    cluster.world.lists[PODS] = Array.from({ length: MAX_SHARD_TARGETS }, (_, n) =>
      podOf({
        name: `meta-llama-3-1-70b-instruct-6c9d8f7b5d-${n}`,
        namespace: 'nim-production',
        ip: `10.0.1.${n}`,
        annotations: annotated({
          port: '8000',
          filter,
          secure: 'true',
          'tls.ca.crt': 'configmap:nim-production:root:ca.crt',
          'http.auth': 'secret:nim-production:llm:token',
        }),
      }),
    );
    const { targets, body } = await tick();
    assert.equal(targets.length, MAX_SHARD_TARGETS);
    assert.equal(
      new Set(targets.map(({ attributes }) => attributes['k8s.pod.name'])).size,
      MAX_SHARD_TARGETS,
    );
    const { settings } = JSON.parse(body) as { readonly settings: readonly unknown[] };
    assert.equal(settings.length, 1);
    assert.ok(body.length < MAX_MESSAGE_BYTES / 2, String(body.length));
  });

  test('that is not granted, or is none, stops no other, and nobody counts as vanished', async (t) => {
    const { tick, vanishers, eksApi } = await start(t, {
      a: 'eks://foreign',
      b: 'eks://test',
      c: '10.0.1.18:8000',
    });
    const { dispatched, targets } = await tick();
    assert.deepEqual(
      targets.map(({ instance }) => instance),
      ['10.0.1.18:8000'],
    );
    assert.deepEqual(unread(dispatched), [
      "cannot list the services of eks://foreign: cannot reach the cluster foreign: it is not granted; name it in the construct's prop discovery.eks; its targets are not scraped until it answers",
      'cannot list the services of eks://test: cannot reach the cluster test: there is no such cluster in eu-central-1; check its name, and the account; its targets are not scraped until it answers',
    ]);
    assert.deepEqual(
      eksApi.requests.map(({ url }) => url),
      ['/clusters/test'],
    );
    assert.equal(vanishers(), 0);
  });
});

describe('a source that fails', () => {
  test('when it hangs, the others are queued within the tick all the same, and nobody counts as vanished', async (t) => {
    const hanging = await serveHttp(t, () => undefined);
    const { cluster, tick, vanishers } = await start(t, {
      hangs: `job_name: hangs\nhttp_sd_configs: [{url: "http://${hanging.address}/"}]\nstatic_configs: [{targets: ["10.0.1.20:8000"]}]\n`,
      cluster: 'eks://prod',
      plain: '10.0.1.18:8000',
    });
    cluster.world.before = () => true;
    const { dispatched, targets } = await tick(4_000);
    assert.deepEqual(
      targets.map(({ instance }) => instance),
      ['10.0.1.20:8000', '10.0.1.18:8000'],
    );
    assert.equal(lineOf(dispatched, 'dispatch_finished')['targets'], 2);
    for (const problem of unread(dispatched)) assert.match(problem, /no answer in time; its targets are not/);
    assert.equal(unread(dispatched).length, 2);
    assert.equal(vanishers(), 0);
  });

  test('when it never answered, nobody counts as vanished; once it has, its last list stays in force', async (t) => {
    const inventory = { status: 503 };
    const server = await serveHttp(t, (_, response) =>
      response
        .writeHead(inventory.status, { 'content-type': 'application/json' })
        .end('[{"targets": ["10.0.1.30:8000"], "labels": {"env": "prod"}}]'),
    );
    const { ssm, tick, vanishers } = await start(t, {
      list: `job_name: list\nhttp_sd_configs: [{url: "http://${server.address}/", refresh_interval: 1ms, authorization: {credentials: "ssm:${PREFIX}/secrets/inventory"}}]\n`,
      plain: '10.0.1.18:8000',
    });
    ssm.put(`${PREFIX}/secrets/inventory`, 'PLANTED-inventory', 'SecureString');
    const instances = async () => {
      const { dispatched, targets } = await tick();
      return [targets.map(({ instance }) => instance), unread(dispatched).length];
    };
    assert.deepEqual(await instances(), [['10.0.1.18:8000'], 1]);
    assert.equal(vanishers(), 0);
    inventory.status = 200;
    assert.deepEqual(await instances(), [['10.0.1.30:8000', '10.0.1.18:8000'], 0]);
    assert.equal(vanishers(), 1);
    inventory.status = 500;
    assert.deepEqual(await instances(), [['10.0.1.30:8000', '10.0.1.18:8000'], 1]);
    assert.equal(vanishers(), 2, 'a list that stays in force is whole');
    for (const { headers } of server.requests)
      assert.equal(headers.authorization, 'Bearer PLANTED-inventory');
  });

  test('an API server by its URL is asked with the token of its document', async (t) => {
    const cluster = await serveKubernetes(t, {
      '/api/v1/namespaces/nim/pods': [podOf({ name: 'llm-0', ports: [['http', 8000], 9400] })],
    });
    cluster.world.tokens = ['PLANTED-kubernetes'];
    const gone = await closedPort();
    const document = (address: string, job: string) => `
job_name: ${job}
kubernetes_sd_configs:
  - role: pod
    api_server: http://${address}
    namespaces: { names: [nim] }
    authorization: { credentials: "ssm:${PREFIX}/secrets/kubernetes" }
relabel_configs:
  - { source_labels: [__meta_kubernetes_pod_container_port_name], regex: http, action: keep }
`;
    const { ssm, tick } = await start(t, {
      here: document(cluster.address, 'here'),
      gone: document(`127.0.0.1:${gone}`, 'gone'),
    });
    ssm.put(`${PREFIX}/secrets/kubernetes`, 'PLANTED-kubernetes', 'SecureString');
    const { dispatched, targets } = await tick();
    assert.deepEqual(
      targets.map(({ job, instance, path }) => [job, instance, path]),
      [['here', '10.0.1.17:8000', '']],
    );
    assert.match(
      unread(dispatched)[0] ?? '',
      /^cannot list the pods of http:.*the connection was refused; its/,
    );
  });
});
