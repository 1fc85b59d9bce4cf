/** `explain` and `run --config` of what is discovered: where each target comes from, and what it says of itself. */
import { strict as assert } from 'node:assert';
import { type TestContext, describe, test } from 'node:test';
import { targetJson, targetText } from '../../functions/cli/explain-target.ts';
import { readDocuments } from '../../functions/core/config/documents.ts';
import { annotatedGroups } from '../../functions/core/kubernetes/annotated.ts';
import { readPod } from '../../functions/core/kubernetes/objects.ts';
import { explainTargets } from '../../functions/core/relabel/explain-target.ts';
import { closedPort, serveHttp } from '../adapters/local-servers.ts';
import { annotated, podOf, serveKubernetes } from '../fakes/kubernetes.ts';
import { fileOf, jsonOf } from './explained.ts';
import { startCli } from './harness.ts';
import { startPageServer } from './page-server.ts';

const PODS = '/api/v1/pods';
const SERVICES = '/api/v1/services';

/** Three pages of two; one pod has ended, one says nothing, one says something wrong. */
async function startCluster(context: TestContext) {
  const kubernetes = await serveKubernetes(context, {
    [PODS]: [
      podOf({ name: 'llm-0', ip: '10.0.0.1', annotations: annotated({ port: '8000' }) }),
      podOf({
        name: 'llm-1',
        ip: '10.0.0.2',
        annotations: annotated({
          port: '8000',
          path: '/m',
          secure: 'true',
          insecure_skip_verify: 'true',
          filter: '{"mode": "exclude", "names": ["python_*"]}',
        }),
      }),
      podOf({ name: 'other', ip: '10.0.0.3' }),
      podOf({ name: 'done', ip: '10.0.0.4', phase: 'Succeeded', annotations: annotated({}) }),
      podOf({ name: 'wrong', ip: '10.0.0.5', annotations: annotated({ port: 'x y' }) }),
    ],
    [SERVICES]: [],
  });
  kubernetes.world.tokens = ['planted-token'];
  const document = `kubernetes_sd_configs:
- role: pod
  api_server: http://${kubernetes.address}
  authorization: {credentials: 'ssm:/nim-to-dynatrace/secrets/kubernetes'}
  dynatrace: {annotations: true}
`;
  return { kubernetes, document, env: { KUBERNETES: 'planted-token' } };
}

describe('pods of a cluster', { concurrency: 2 }, () => {
  test('each with its namespace and name, what it says of itself, and what is wrong', async (context) => {
    const { document, env } = await startCluster(context);
    const { code, stdout, stderr } = await startCli(
      ['explain', await fileOf(context, 'nim.yaml', document)],
      env,
    ).ended;
    assert.equal(code, 1, stderr);
    assert.equal(
      stderr,
      'cannot scrape the pod nim/wrong: the annotation metrics.dynatrace.com/port is no port; write its number, such as "8000"\n',
    );
    const [first = '', second = '', summary] = stdout.split('\n\n');
    assert.match(first, /^nim {2}http:\/\/10\.0\.0\.1:8000\/v1\/metrics, or \/metrics where/);
    assert.match(
      first,
      /\n {2}sent {4}attributes: \{"k8s\.namespace\.name":"nim","k8s\.pod\.name":"llm-0","k8s\.node\.name":"node-1"\}\n {2}from {4}pod nim\/llm-0\n {2}found {3}__address__="10\.0\.0\.1:8000" /,
    );
    assert.match(first, /__meta_kubernetes_pod_name="llm-0"/);
    assert.match(first, /\n {2}labels {2}instance="10\.0\.0\.1:8000" job="nim"$/);
    assert.match(second, /^nim {2}https:\/\/10\.0\.0\.2:8000\/m\n/);
    assert.match(second, /\n {10}insecure_skip_verify\n {2}sent {4}/);
    assert.match(second, /\n {10}exclude: \["python_\*"\]\n {2}from {4}pod nim\/llm-1\n/);
    assert.equal(summary, 'targets: 2, dropped: 0, not scraped: 0\n');
    assert.doesNotMatch(stdout + stderr, /planted/);
  });

  test('-o json', async (context) => {
    const { document, env } = await startCluster(context);
    const file = await fileOf(context, 'nim.yaml', document);
    const { stdout } = await startCli(['explain', file, '-o', 'json'], env).ended;
    const POD = { 'k8s.namespace.name': 'nim', 'k8s.node.name': 'node-1' };
    assert.deepEqual(
      jsonOf(stdout).map(({ url, origin, options, dynatrace }) => [url, origin, options, dynatrace]),
      [
        [
          'http://10.0.0.1:8000/v1/metrics',
          'pod nim/llm-0',
          [],
          { attributes: { ...POD, 'k8s.pod.name': 'llm-0' } },
        ],
        [
          'https://10.0.0.2:8000/m',
          'pod nim/llm-1',
          ['insecure_skip_verify'],
          { attributes: { ...POD, 'k8s.pod.name': 'llm-1' }, exclude: ['python_*'] },
        ],
      ],
    );
  });

  test('a cluster that does not know the caller, has no token, or is not there: said with the remedy', async (context) => {
    const { document, env } = await startCluster(context);
    const file = await fileOf(context, 'nim.yaml', document);
    for (const [given, pattern] of [
      [
        { KUBERNETES: 'planted-other' },
        /^cannot list the services of http:.* \(401\); .*; its targets are not/,
      ],
      [{}, /^cannot list the services of http:.*KUBERNETES/],
    ] as const) {
      const { code, stdout, stderr } = await startCli(['explain', file], given).ended;
      assert.equal(code, 1);
      assert.match(stderr, pattern);
      assert.equal(stdout, 'targets: 0, dropped: 0, not scraped: 0\n');
      assert.doesNotMatch(stderr, /planted/);
    }
    const gone = document.replace(/http:\S+/, `http://127.0.0.1:${await closedPort()}`);
    const ended = await startCli(['explain', await fileOf(context, 'nim.yaml', gone)], env).ended;
    assert.deepEqual([ended.code, ended.stdout], [1, 'targets: 0, dropped: 0, not scraped: 0\n']);
    assert.match(ended.stderr, /the connection was refused; its targets are not scraped until it answers\n$/);
  });
});

describe('a list over HTTP', { concurrency: 2 }, () => {
  const serveList = async (context: TestContext, list: unknown, type = 'application/json') => {
    const body = typeof list === 'string' ? list : JSON.stringify(list);
    const server = await serveHttp(
      context,
      (_, response) => void response.writeHead(200, { 'content-type': type }).end(body),
    );
    return { server, document: `http_sd_configs: [{url: 'http://${server.address}/nims'}]\n` };
  };

  test('its targets, with the URL of the list beside those that are written', async (context) => {
    const list = [{ targets: ['10.0.0.1:8000'], labels: { model: 'llama' } }, { targets: ['10.0.0.2:8000'] }];
    const { server, document } = await serveList(context, list);
    const file = await fileOf(
      context,
      'nim.yaml',
      `${document}static_configs: [{targets: ['10.0.0.3:8000']}]\n`,
    );
    const { code, stdout, stderr } = await startCli(['explain', file, '-o', 'json']).ended;
    assert.deepEqual([code, stderr], [0, '']);
    const origin = `list http://${server.address}/nims`;
    assert.deepEqual(
      jsonOf(stdout).map((target) => [target['url'], target['origin'], target['labels']]),
      [
        ['http://10.0.0.3:8000/v1/metrics', null, { instance: '10.0.0.3:8000', job: 'nim' }],
        [
          'http://10.0.0.1:8000/v1/metrics',
          origin,
          { instance: '10.0.0.1:8000', job: 'nim', model: 'llama' },
        ],
        ['http://10.0.0.2:8000/v1/metrics', origin, { instance: '10.0.0.2:8000', job: 'nim' }],
      ],
    );
  });

  for (const [what, list, type, cause] of [
    ['a web page', '<html>', 'text/html', 'its content type is not application/json'],
    ['no JSON', '[{', 'application/json', 'its body is no JSON'],
    ['a mapping', {}, 'application/json', 'its body is no JSON list of target groups'],
    [
      'a bad group',
      [{ targets: ['a:1'] }, { target: ['b:1'] }],
      'application/json',
      'its target group 2 has a key',
    ],
  ] as const) {
    test(`that is ${what}: said, and nothing of it is a target`, async (context) => {
      const { document } = await serveList(context, list, type);
      const { code, stdout, stderr } = await startCli([
        'explain',
        await fileOf(context, 'nim.yaml', document),
      ]).ended;
      assert.deepEqual([code, stdout], [1, 'targets: 0, dropped: 0, not scraped: 0\n']);
      assert.match(stderr, /^cannot read the target list of http:\/\/[\d.:]+\/nims: /);
      assert(stderr.includes(cause), stderr);
    });
  }
});

describe('an annotated pod of EKS', () => {
  const explained = (annotations: Readonly<Record<string, string>>) => {
    const pod = readPod(podOf({ name: 'llm-0', annotations: { ...annotated({}), ...annotations } }));
    assert(pod !== undefined);
    const [config] = readDocuments([{ name: '/p/targets/nim', value: 'eks://prod' }]).configs;
    assert(config !== undefined);
    const { groups } = annotatedGroups(pod, [], 'prod');
    const [target] = [...explainTargets([{ config, groups, rules: [] }])];
    assert(target !== undefined);
    return target;
  };

  test('its cluster, and the references of its TLS and credentials', () => {
    const target = explained(
      annotated({
        'tls.ca.crt': 'configmap:nim:trust:ca',
        'http.auth.basic.username': 'secret:nim:access:user',
        'http.auth.basic.password': 'secret:nim:access:password',
        filter: '{"mode": "include", "names": ["num_requests_*", "gpu_*"]}',
      }),
    );
    const { origin, options, dynatrace } = JSON.parse(targetJson(target)) as Record<string, unknown>;
    assert.equal(origin, 'pod nim/llm-0 of prod');
    assert.deepEqual(options, [
      'basic_auth by eks://prod/secret/nim/access/user and eks://prod/secret/nim/access/password',
      'ca by eks://prod/configmap/nim/trust/ca',
    ]);
    const { include, attributes } = dynatrace as Record<string, Record<string, unknown>>;
    assert.deepEqual([include, attributes?.['k8s.cluster.name']], [['num_requests_*', 'gpu_*'], 'prod']);
  });

  test('the manifest that kubectl keeps on it is not shown', () => {
    const target = explained({
      'kubectl.kubernetes.io/last-applied-configuration': '{"env": "planted"}',
    });
    assert.match(targetText(target), /last_applied_configuration="\*\*\*"/);
    assert.doesNotMatch(targetText(target) + targetJson(target), /planted/);
  });
});

test('run --config: pods are scraped, named, and have their dimensions', async (context) => {
  const nim = await startPageServer(() => '# TYPE running gauge\nrunning 1\n');
  context.after(nim.close);
  const [ip = '', port = ''] = nim.address.split(':');
  const kubernetes = await serveKubernetes(context, {
    [PODS]: [podOf({ name: 'llm-0', ip, annotations: annotated({ port }) })],
    [SERVICES]: [],
  });
  const file = await fileOf(
    context,
    'nim.yaml',
    `kubernetes_sd_configs: [{role: pod, api_server: 'http://${kubernetes.address}', dynatrace: {annotations: true}}]\n`,
  );
  const { code, stdout, stderr } = await startCli(
    'run --config FILE --once -o json --dry-run'.split(' ').map((word) => (word === 'FILE' ? file : word)),
  ).ended;
  assert.equal(code, 0, stderr);
  assert.match(stderr, new RegExp(`scraping ${nim.address} \\(nim/llm-0\\)`));
  const running = jsonOf(stdout).find(({ name }) => name === 'running');
  const attributes = running?.['attributes'] as Readonly<Record<string, string>>;
  assert.deepEqual(
    [attributes['k8s.namespace.name'], attributes['k8s.pod.name'], attributes['service.instance.id']],
    ['nim', 'llm-0', nim.address],
  );
});
