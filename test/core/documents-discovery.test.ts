/** Documents that let targets be found: clusters in a list of addresses, kubernetes_sd_configs, http_sd_configs. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MAX_DISCOVERIES, MAX_NAMESPACES } from '../../functions/core/config/config-bounds.ts';
import { readDocuments } from '../../functions/core/config/documents.ts';
import type { ReadDocuments } from '../../functions/core/config/documents.ts';

function read(...documents: readonly (readonly [name: string, value: string])[]): ReadDocuments {
  return readDocuments(documents.map(([name, value]) => ({ name: `/p/targets/${name}`, value })));
}

const messages = ({ problems }: ReadDocuments): readonly string[] => problems.map(({ message }) => message);

/** `job: cluster/namespace,namespace ... address ...` of each. */
function sourcesOf({ configs }: ReadDocuments): readonly string[] {
  return configs.map(
    ({ jobName, kubernetesSdConfigs, staticConfigs }) =>
      `${jobName}: ${[
        ...kubernetesSdConfigs.map(({ apiServer, namespaces }) => [apiServer, ...namespaces].join(' ')),
        ...staticConfigs.flatMap(({ targets }) => targets),
      ].join(', ')}`,
  );
}

describe('eks://<cluster> in a list of addresses', () => {
  test('alone: all pods of the cluster that their annotations choose', () => {
    const { configs, problems, refused } = read(['nim', 'eks://prod']);
    assert.deepEqual([problems, refused], [[], []]);
    assert.deepEqual(configs[0]?.kubernetesSdConfigs, [
      {
        apiServer: 'eks://prod',
        namespaces: [],
        labelSelector: '',
        fieldSelector: '',
        annotations: true,
        client: { followRedirects: true, httpHeaders: [] },
      },
    ]);
    assert.deepEqual(
      [configs.length, configs[0].staticConfigs, configs[0].metricsPath, configs[0].scrapeIntervalMs],
      [1, [], '', 60_000],
    );
  });

  for (const [text, ...sources] of [
    ['eks://prod/nim', 'nim: eks://prod nim'],
    ['# ours\neks://prod/nim,eks://Prod_2-b # theirs', 'nim: eks://prod nim, eks://Prod_2-b'],
    ['10.0.1.17:8000 eks://prod 10.0.1.18:8000', 'nim: eks://prod, 10.0.1.17:8000, 10.0.1.18:8000'],
    ['eks://prod eks://prod', 'nim: eks://prod'],
    // A query that repeats a name has a scrape_config of its own; the cluster is asked once all the same.
    ['eks://prod https://a:1/m?x=1&x=2 b:2', 'nim: eks://prod, b:2', 'nim: a:1'],
    // A host of that name, and its port.
    ['eks:8000', 'nim: eks:8000'],
  ] as const) {
    test(text.replace('\n', ' '), () => {
      const found = read(['nim', text]);
      assert.deepEqual([messages(found), sourcesOf(found)], [[], sources]);
    });
  }

  test('is the same as its kubernetes_sd_configs: the cluster is asked once', () => {
    const yaml =
      'job_name: nim\nkubernetes_sd_configs: [{role: pod, api_server: "eks://prod", dynatrace: {annotations: yes}}]';
    const found = read(['nim', 'eks://prod'], ['b', yaml], ['x/nim', 'eks://prod/llm a:1']);
    assert.deepEqual([messages(found), sourcesOf(found)], [[], ['nim: eks://prod, eks://prod llm, a:1']]);
  });

  test('with other settings than those of the same job is a contradiction', () => {
    const yaml =
      'job_name: nim\nscheme: https\nkubernetes_sd_configs: [{role: pod, api_server: "eks://prod"}]';
    const found = read(['nim', 'eks://prod'], ['b', yaml]);
    assert.match(
      messages(found).join('\n'),
      /^cannot use the job "nim" of \/p\/targets\/b: .* another scheme/,
    );
    assert.deepEqual(sourcesOf(found), ['nim: eks://prod']);
  });

  for (const wrong of [
    'eks://',
    'eks:/prod',
    'eks:prod',
    'EKS://prod',
    'eks:///nim',
    'eks://-prod',
    'eks://prod/',
    'eks://prod/NIM',
    'eks://prod/nim/llm',
    'eks://prod:443',
    `eks://${'a'.repeat(101)}`,
    `eks://prod/${'a'.repeat(64)}`,
    'eks://prod?role=node',
    'eks://arn:aws:eks:eu-central-1:123456789012:cluster/prod',
  ]) {
    test(`${wrong.slice(0, 40)} names no cluster; the others of the list are scraped`, () => {
      const found = read(['nim', `a:1 ${wrong} eks://prod`]);
      assert.match(
        messages(found).join('\n'),
        /^cannot read the address ".*": it names no cluster; write eks:/,
      );
      assert.deepEqual(sourcesOf(found), ['nim: eks://prod, a:1']);
      assert.deepEqual(read(['nim', wrong]).refused, ['/p/targets/nim']);
    });
  }

  test(`names at the bounds, and ${MAX_DISCOVERIES} of them`, () => {
    const longest = `eks://${'a'.repeat(100)}/${'b'.repeat(63)}`;
    assert.deepEqual(messages(read(['nim', longest])), []);
    const many = Array.from({ length: MAX_DISCOVERIES }, (_, n) => `eks://c${n}`).join(' ');
    assert.deepEqual(messages(read(['nim', many])), []);
    assert.deepEqual(messages(read(['nim', `${many} eks://over`])), [
      `cannot use "eks://over": ${MAX_DISCOVERIES} clusters or namespaces are the most of one list; write it in another document`,
    ]);
  });
});

/** What is wrong with one entry, but for the constant beginning. */
function mistakesOf(key: string, entry: string): readonly string[] {
  return messages(read(['nim', `job_name: nim\n${key}: [{${entry}}]`])).map((message) =>
    message.replace(`cannot use ${key}: `, ''),
  );
}

const EKS = 'role: pod, api_server: "eks://prod"';

describe('kubernetes_sd_configs', () => {
  for (const [entry, ...starts] of [
    ['api_server: "eks://prod"', 'there is no role; write role: pod'],
    ['role: , api_server: "eks://prod"', 'there is no role; write role: pod'],
    ['role: pods, api_server: "eks://prod"', 'its role "pods" is none; write role: pod'],
    [
      'role: endpoints, api_server: "eks://prod"',
      'pods are found by themselves, not by their service; write role: pod, with selectors that name the pods, or annotate the service',
    ],
    ['role: endpointslice, api_server: "eks://prod"', 'pods are found by themselves'],
    ['role: service, api_server: "eks://prod"', 'pods are found by themselves'],
    ['role: node, api_server: "eks://prod"', 'nodes are not listed; write role: pod'],
    ['role: ingress, api_server: "eks://prod"', 'an ingress has no page of its own; write role: pod'],
    ['role: pod', 'there is no api_server, and no cluster around the function; write api_server: eks:'],
    [
      'role: pod, api_server: prod',
      'its api_server is none of http or https; write api_server: https://host',
    ],
    ['role: pod, api_server: "https:///x"', 'its api_server is none of http or https'],
    [
      'role: pod, api_server: "eks://"',
      'its api_server is no name of a cluster; write api_server: eks://<cl',
    ],
    ['role: pod, api_server: "eks:8000"', 'its api_server is no name of a cluster'],
    ['role: pod, api_server: "eks://prod/nim"', 'its api_server has a namespace in it; write api_server'],
    [
      'role: pod, api_server: "https://me:planted@k8s"',
      'its api_server holds a user name or password; write b',
    ],
    [
      'role: pod, api_server: "https://k8s?token=planted"',
      'its query holds a secret by its name; send it as',
    ],
    [
      `${EKS}, authorization: {credentials: "ssm:/a"}, basic_auth: {password: "ssm:/a"}`,
      'cannot use authorization with eks://: EKS has its own authority and token; remove it, or write',
      'cannot use basic_auth with eks://: EKS has',
    ],
    [`${EKS}, tls_config: {insecure_skip_verify: true}`, 'cannot use tls_config with eks://: EKS has'],
    [`${EKS}, http_headers: {X: {values: [a]}}`, 'cannot use http_headers with eks://: EKS has'],
    [`${EKS}, bearer_token_file: /var/run/token`, 'cannot use bearer_token_file: there are no files'],
    [`${EKS}, kubeconfig_file: /k`, 'cannot use kubeconfig_file: there are no files'],
    [
      `${EKS}, attach_metadata: {node: true}`,
      'cannot use attach_metadata: nodes and namespaces are not read',
    ],
    [`${EKS}, attach_metadata: {node: false, namespace: on}`, 'cannot use attach_metadata'],
    [`${EKS}, namespaces: [nim]`, 'cannot use namespaces: it is a list, not a mapping'],
    [`${EKS}, namespaces: {names: [NIM]}`, 'cannot use the namespace "NIM": it is no name of one; write'],
    [`${EKS}, namespaces: {names: [""]}`, 'cannot use the namespace "": it is no name of one'],
    [
      `${EKS}, namespaces: {own_namespace: true}`,
      'cannot use own_namespace: the function is in no namespace',
    ],
    [`${EKS}, selectors: [{label: a=b}]`, 'cannot use a selector: there is no role; write role: pod'],
    [
      `${EKS}, selectors: [{role: service}]`,
      'cannot use role: "service" is none of its values; write one of pod',
    ],
    [
      `${EKS}, selectors: [{role: pod, label: a=b}, {role: pod, label: c=d}]`,
      'cannot use a selector: there is one of the role pod already; join the two by a comma',
    ],
    [
      `${EKS}, selectors: [{role: pod, label: "app: nim"}]`,
      'cannot use label: it is no label selector; write app=nim',
    ],
    [
      `${EKS}, selectors: [{role: pod, field: node-1}]`,
      'cannot use field: it is no field selector; write spec.nodeName',
    ],
    [
      `${EKS}, selector: a=b`,
      'cannot use selector: it is no key of an entry of kubernetes_sd_configs; write selectors',
    ],
    [
      `${EKS}, dynatrace: {annotation: true}`,
      'cannot use annotation: it is no key of dynatrace in kubernetes_sd_con',
    ],
    [`${EKS}, dynatrace: {annotations: maybe}`, 'cannot use annotations: "maybe" is neither true nor false'],
    [`${EKS}, dynatrace: true`, 'cannot use dynatrace: it is a single text, not a mapping'],
  ] as const) {
    test(entry, () => {
      const found = mistakesOf('kubernetes_sd_configs', entry);
      assert.equal(found.length, starts.length, found.join('\n'));
      for (const [n, start] of starts.entries()) assert(found[n]?.startsWith(start), found[n]);
      assert.doesNotMatch(found.join('\n'), /planted/);
    });
  }

  test('namespaces, selectors and annotations are read; each namespace once', () => {
    const { configs, notes, problems } = read([
      'nim',
      `kubernetes_sd_configs: [{${EKS}, namespaces: {names: [b, a, b]}, selectors: [{role: pod, label: "a in (b, c)"}, {role: node}], dynatrace: {annotations: true}}]`,
    ]);
    assert.deepEqual(problems, []);
    assert.deepEqual(configs[0]?.kubernetesSdConfigs[0], {
      apiServer: 'eks://prod',
      namespaces: ['b', 'a'],
      labelSelector: 'a in (b, c)',
      fieldSelector: '',
      annotations: true,
      client: { followRedirects: true, httpHeaders: [] },
    });
    assert.deepEqual(
      notes.map(({ message }) => message),
      ['a selector of nodes has no effect: nodes are not listed'],
    );
  });

  test('a server by its URL has the credentials and TLS of the entry, not of the job', () => {
    const { configs, problems } = read([
      'nim',
      `basic_auth: {username: a, password: 'ssm:/p'}
kubernetes_sd_configs:
- {role: pod, api_server: 'https://k8s', authorization: {credentials: 'ssm:/t'}, tls_config: {server_name: k}, http_headers: {X-A: {values: [b]}}}`,
    ]);
    assert.deepEqual(problems, []);
    assert.deepEqual(configs[0]?.kubernetesSdConfigs[0]?.client, {
      followRedirects: true,
      authorization: { type: 'Bearer', credentials: 'ssm:/t' },
      tlsConfig: { insecureSkipVerify: false, serverName: 'k' },
      httpHeaders: [{ name: 'X-A', values: ['b'], secrets: [] }],
    });
    assert.equal(configs[0].settings.authorization, undefined);
  });

  test(`at most ${MAX_DISCOVERIES} entries of ${MAX_NAMESPACES} namespaces`, () => {
    const entries = (count: number) =>
      messages(read(['nim', `kubernetes_sd_configs: [${`{${EKS}},`.repeat(count)}]`]));
    assert.deepEqual(entries(MAX_DISCOVERIES), []);
    assert.match(entries(MAX_DISCOVERIES + 1).join(), /^cannot use kubernetes_sd_configs: it has 21 entries/);
    const names = (count: number) =>
      mistakesOf(
        'kubernetes_sd_configs',
        `${EKS}, namespaces: {names: [${Array.from({ length: count }, (_, n) => `n${n}`).join(', ')}]}`,
      );
    assert.deepEqual(names(MAX_NAMESPACES), []);
    assert.match(names(MAX_NAMESPACES + 1).join(), /^cannot use names: it has 51 entries/);
  });
});

describe('http_sd_configs', () => {
  for (const [entry, ...starts] of [
    ['refresh_interval: 1m', 'there is no url; write url: https://host/path'],
    ['url: ""', 'there is no url'],
    ['url: inventory/targets', 'its url is none of http or https; write url: https://host'],
    ['url: "ftp://inventory/targets"', 'its url is none of http or https'],
    ['url: "http:///targets"', 'its url is none of http or https'],
    ['url: "eks://prod"', 'its url is none of http or https'],
    ['url: "https://a b/"', 'its url is none of http or https'],
    ['url: "https://me:planted@inventory"', 'its url holds a user name or password; write basic_auth with a'],
    ['url: "https://planted@inventory"', 'its url holds a user name or password'],
    ['url: "https://inventory?api_key=planted"', 'its query holds a secret by its name'],
    ['url: "https://a", refresh_interval: 0s', 'cannot use refresh_interval: it is 0; write a duration'],
    ['url: "https://a", refresh_interval: 60', 'cannot use refresh_interval: "60" is no duration; write'],
    ['url: "https://a", proxy_url: "http://p"', 'cannot use proxy_url: pages are fetched directly'],
    [
      'url: "https://a", authorization: {credentials: planted}',
      'cannot use credentials: a secret never stands in a document',
    ],
    [
      'url: "https://a", authorization: {credentials: "ssm:/a"}, basic_auth: {password: "ssm:/a"}',
      'cannot use authorization: basic_auth stands beside it',
    ],
    [
      'urls: ["https://a"]',
      'there is no url',
      'cannot use urls: it is no key of an entry of http_sd_configs; write url',
    ],
  ] as const) {
    test(entry, () => {
      const found = mistakesOf('http_sd_configs', entry);
      assert.equal(found.length, starts.length, found.join('\n'));
      for (const [n, start] of starts.entries()) assert(found[n]?.startsWith(start), found[n]);
      assert.doesNotMatch(found.join('\n'), /planted/);
    });
  }

  test('a list with credentials and TLS of its own; several of several documents, each once', () => {
    const entry = `{url: 'https://a/b?c=d', basic_auth: {username: u, password: 'ssm:/p'}, tls_config: {insecure_skip_verify: on}}`;
    const { configs, problems } = read(
      ['nim', `http_sd_configs: [${entry}]`],
      ['x/nim', `http_sd_configs: [{url: 'http://b'}, ${entry}]`],
    );
    assert.deepEqual(problems, []);
    assert.deepEqual(configs[0]?.httpSdConfigs, [
      {
        url: 'https://a/b?c=d',
        refreshIntervalMs: 60_000,
        client: {
          followRedirects: true,
          basicAuth: { username: 'u', password: 'ssm:/p' },
          tlsConfig: { insecureSkipVerify: true },
          httpHeaders: [],
        },
      },
      {
        url: 'http://b',
        refreshIntervalMs: 60_000,
        client: { followRedirects: true, httpHeaders: [] },
      },
    ]);
  });
});
