/** Discoveries of Prometheus and of Collectors, most of which ran within the cluster that they asked. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { configsOf, imported, lines } from './imported.ts';

/** The first job of a file, from line 2 on. */
const job = (more: string, name = 'nim') =>
  `scrape_configs:\n- job_name: ${name}\n  metrics_path: /metrics\n${more.replaceAll(/^/gm, '  ')}\n`;
const POD = 'kubernetes_sd_configs: [{role: pod}]';
const FILL =
  'fill in the cluster: run again with --set CLUSTER=NAME of EKS, or the URL of an API server, or edit the document, which has eks://CLUSTER in its place';
const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

const serversOf = (all: ReturnType<typeof imported>) =>
  configsOf(all).flatMap(({ kubernetesSdConfigs }) => kubernetesSdConfigs.map(({ apiServer }) => apiServer));

describe('pods of the cluster around it', () => {
  test('become pods of a cluster that is to be filled in, and said', () => {
    const all = imported(job(POD));
    assert.deepEqual([lines(all.problems), lines(all.notes)], [[], [`4 ${FILL}`]]);
    assert.deepEqual(serversOf(all), ['eks://CLUSTER']);
  });

  test('--set CLUSTER fills it in, by the name of EKS or the URL of an API server', () => {
    const eks = imported(job(POD), { CLUSTER: 'prod' });
    assert.deepEqual([lines(eks.problems), lines(eks.notes), serversOf(eks)], [[], [], ['eks://prod']]);
    const url = imported(job(POD), { CLUSTER: 'https://k8s.example.com:6443' });
    assert.deepEqual([lines(url.problems), serversOf(url)], [[], ['https://k8s.example.com:6443']]);
    const wrong = imported(job(POD), { CLUSTER: 'our cluster' });
    assert.match(lines(wrong.problems).join(), /^4 .* its api_server is no name of a cluster/);
    assert.deepEqual(wrong.documents, []);
  });

  test('named by a file of kubectl: the same', () => {
    const all = imported(job('kubernetes_sd_configs: [{role: pod, kubeconfig_file: /etc/kubeconfig}]'));
    assert.deepEqual([lines(all.problems), lines(all.notes)], [[], [`4 ${FILL}`]]);
    assert.deepEqual(serversOf(all), ['eks://CLUSTER']);
  });

  test('named by its own service, too, with the account and the authority of the pod', () => {
    const all = imported(
      job(`kubernetes_sd_configs:
- role: pod
  api_server: https://kubernetes.default.svc:443
  bearer_token_file: ${ACCOUNT}/token
  tls_config: {ca_file: ${ACCOUNT}/ca.crt, insecure_skip_verify: true}
  namespaces: {names: [nim]}`),
      { CLUSTER: 'prod' },
    );
    const left =
      'is left out: it belongs to the pod that ran the file; the cluster knows the deployment by its access entry, or write authorization and tls_config';
    assert.deepEqual(
      [lines(all.problems), lines(all.notes)],
      [[], [`7 bearer_token_file ${left}`, `8 tls_config: ca_file ${left}`]],
    );
    assert.deepEqual(configsOf(all)[0]?.kubernetesSdConfigs, [
      {
        apiServer: 'eks://prod',
        namespaces: ['nim'],
        labelSelector: '',
        fieldSelector: '',
        annotations: false,
        client: { followRedirects: true, httpHeaders: [] },
      },
    ]);
    assert.deepEqual(all.stored, []);
  });

  test('rules, namespaces and selectors stay as they are', () => {
    const rules = `relabel_configs:
- {source_labels: [__meta_kubernetes_pod_annotation_metrics_dynatrace_com_scrape], action: keep, regex: true}
- {source_labels: [__meta_kubernetes_pod_annotation_metrics_dynatrace_com_path], regex: (.+), target_label: __metrics_path__}`;
    const all = imported(
      job(
        `kubernetes_sd_configs: [{role: pod, namespaces: {names: [nim]}, selectors: [{role: pod, label: app=nim}], attach_metadata: {node: false}}]\n${rules}`,
      ),
      { CLUSTER: 'prod' },
    );
    assert.deepEqual([lines(all.problems), lines(all.notes)], [[], []]);
    const [config] = configsOf(all);
    assert.deepEqual(
      [config?.kubernetesSdConfigs[0]?.namespaces, config?.kubernetesSdConfigs[0]?.labelSelector],
      [['nim'], 'app=nim'],
    );
    assert.deepEqual(
      config?.relabelConfigs.map(({ action, targetLabel }) => [action, targetLabel]),
      [
        ['keep', ''],
        ['replace', '__metrics_path__'],
      ],
    );
  });

  test('of a Collector on each node: those of all nodes', () => {
    const all = imported(
      `
receivers:
  prometheus:
    config:
      scrape_configs:
        - job_name: nim
          metrics_path: /metrics
          kubernetes_sd_configs:
            - role: pod
              selectors: [{role: pod, field: "spec.nodeName=\${env:K8S_NODE_NAME}", label: app=nim}]
          relabel_configs:
            - {source_labels: [__address__], regex: '(.+):\\d+', replacement: '$$1:8000', target_label: __address__}
processors:
  resource: {attributes: [{key: team, value: llm, action: insert}]}
service:
  pipelines:
    metrics: {receivers: [prometheus], processors: [resource], exporters: []}
`,
      { CLUSTER: 'prod' },
    );
    assert.deepEqual(
      [lines(all.problems), lines(all.notes)],
      [[], ['10 field of selectors is left out: the pods of all nodes are scraped from one place']],
    );
    const [config] = configsOf(all);
    assert.deepEqual(
      [config?.kubernetesSdConfigs[0]?.labelSelector, config?.kubernetesSdConfigs[0]?.fieldSelector],
      ['app=nim', ''],
    );
    assert.deepEqual(
      config?.relabelConfigs.map(({ targetLabel, replacement }) => [targetLabel, replacement]),
      [['__address__', '$1:8000']],
    );
    assert.deepEqual(config?.settings.attributes, { team: 'llm' });
  });

  for (const [entry, start] of [
    ['role: endpoints', 'pods are found by themselves, not by their service; write role: pod'],
    ['role: service', 'pods are found by themselves'],
    ['role: node', 'nodes are not listed; write role: pod'],
    ['role: ingress', 'an ingress has no page'],
    [
      'role: pod, namespaces: {own_namespace: true}',
      'cannot use own_namespace: the function is in no namespace',
    ],
    [
      'role: pod, attach_metadata: {node: true}',
      'cannot use attach_metadata: nodes and namespaces are not read',
    ],
  ] as const) {
    test(`${entry}: the job is left out, with what to do, and others carry over`, () => {
      const all = imported(
        `${job(`kubernetes_sd_configs: [{${entry}}]`)}- {job_name: b, metrics_path: /m, static_configs: [{targets: ['b:1']}]}\n`,
      );
      const [first = ''] = lines(all.problems);
      assert(first.startsWith('4 ') && first.includes(start), first);
      assert.deepEqual(
        configsOf(all).map(({ jobName }) => jobName),
        ['b'],
      );
    });
  }
});

describe('what is asked with secrets', () => {
  test('an API server by its URL: its token becomes a reference', () => {
    const all = imported(
      job(`kubernetes_sd_configs:
- role: pod
  api_server: https://k8s.example.com
  authorization: {credentials: planted-token}
- role: pod
  api_server: https://me:planted-password@other.example.com`),
    );
    assert.deepEqual([lines(all.problems), lines(all.notes)], [[], []]);
    assert.deepEqual(
      configsOf(all)[0]?.kubernetesSdConfigs.map(({ apiServer, client }) => [
        apiServer,
        client.authorization?.credentials,
        client.basicAuth,
      ]),
      [
        ['https://k8s.example.com', 'ssm:/nim-to-dynatrace/secrets/nim-credentials', undefined],
        [
          'https://other.example.com',
          undefined,
          { username: 'me', password: 'ssm:/nim-to-dynatrace/secrets/nim-password' },
        ],
      ],
    );
    assert.deepEqual(
      all.stored.map(({ parameter }) => parameter),
      ['/nim-to-dynatrace/secrets/nim-credentials', '/nim-to-dynatrace/secrets/nim-password'],
    );
    assert.doesNotMatch(JSON.stringify(all), /planted/);
  });

  test('a list over HTTP: user and password of its URL, a bearer token, a file', () => {
    const all = imported(
      job(`http_sd_configs:
- url: http://me:planted@inventory.example.com/a
- url: http://inventory.example.com/b
  bearer_token: planted
- url: http://inventory.example.com/c
  basic_auth: {username: u, password_file: /etc/secret}
- url: http://inventory.example.com/d
  refresh_interval: 2m`),
    );
    assert.deepEqual([lines(all.problems), lines(all.notes)], [[], []]);
    assert.deepEqual(
      configsOf(all)[0]?.httpSdConfigs.map(({ url, refreshIntervalMs, client }) => [
        url,
        refreshIntervalMs,
        client.basicAuth?.username ?? client.authorization?.type,
      ]),
      [
        ['http://inventory.example.com/a', 60_000, 'me'],
        ['http://inventory.example.com/b', 60_000, 'Bearer'],
        ['http://inventory.example.com/c', 60_000, 'u'],
        ['http://inventory.example.com/d', 120_000, undefined],
      ],
    );
    assert.equal(all.stored.length, 3);
    assert.doesNotMatch(JSON.stringify(all), /planted/);
  });

  test('the account of the pod is not sent to targets, and said', () => {
    const all = imported(
      job(
        `${POD}\nbearer_token_file: ${ACCOUNT}/token\ntls_config: {ca_file: ${ACCOUNT}/ca.crt, server_name: nim}`,
      ),
      { CLUSTER: 'prod' },
    );
    const left =
      'is left out: it belongs to the pod that ran the file; the targets are asked without it; where they want one, store it as a secret and write authorization or tls_config';
    assert.deepEqual(
      [lines(all.problems), lines(all.notes)],
      [[], [`5 bearer_token_file ${left}`, `6 tls_config: ca_file ${left}`]],
    );
    const { authorization, tlsConfig } = configsOf(all)[0]?.settings ?? {};
    assert.deepEqual(
      [authorization, tlsConfig],
      [undefined, { serverName: 'nim', insecureSkipVerify: false }],
    );
    const named = imported(job(`${POD}\nauthorization: {credentials_file: ${ACCOUNT}/token}`), {
      CLUSTER: 'prod',
    });
    assert.match(lines(named.notes).join(), /^5 authorization: credentials_file is left out/);
    assert.deepEqual([lines(named.problems), configsOf(named)[0]?.settings.authorization], [[], undefined]);
    // Another file is carried over as it always was.
    assert.equal(
      imported(job(`${POD}\nbearer_token_file: /etc/token`), { CLUSTER: 'prod' }).stored.length,
      1,
    );
  });

  test('what the file leaves open is to be given', () => {
    const text = `
receivers:
  prometheus:
    config:
      scrape_configs:
        - {job_name: nim, metrics_path: /m, http_sd_configs: [{url: 'http://\${env:INVENTORY}/a'}]}
service: {pipelines: {metrics: {receivers: [prometheus], exporters: []}}}
`;
    assert.match(
      lines(imported(text).problems).join('\n'),
      /^6 .*\$\{env:INVENTORY\} is not in the file; run again with --set INVENTORY=VALUE/m,
    );
    assert.equal(
      configsOf(imported(text, { INVENTORY: 'inv:80' }))[0]?.httpSdConfigs[0]?.url,
      'http://inv:80/a',
    );
  });
});

test('a file that lost its indentation', () => {
  const flat = `scrape_configs:
- job_name: nim
metrics_path: /metrics
kubernetes_sd_configs:
- role: pod
namespaces:
names:
- nim
- llm
selectors:
- role: pod
label: app=nim
relabel_configs:
- source_labels: [__meta_kubernetes_pod_name]
target_label: pod
- job_name: list
metrics_path: /metrics
http_sd_configs:
- url: http://inventory.example.com
refresh_interval: 30s
`;
  const all = imported(flat, { CLUSTER: 'prod' });
  assert.deepEqual(lines(all.problems), []);
  const [nim, list] = configsOf(all);
  assert.deepEqual(
    [nim?.kubernetesSdConfigs[0]?.namespaces, nim?.kubernetesSdConfigs[0]?.labelSelector],
    [['nim', 'llm'], 'app=nim'],
  );
  assert.deepEqual([nim?.relabelConfigs.length, list?.httpSdConfigs[0]?.refreshIntervalMs], [1, 30_000]);
});
