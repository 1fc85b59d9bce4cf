/** Secrets and ConfigMaps that annotations refer to: read of an API server over TLS, and sent to the pod that means them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { systemClock as clock } from '../../functions/adapters/clock.ts';
import { createDiscovery } from '../../functions/adapters/discovery.ts';
import type { Eks } from '../../functions/adapters/eks.ts';
import { createHttp } from '../../functions/adapters/http.ts';
import { createKubernetesDiscovery } from '../../functions/adapters/kubernetes-sd.ts';
import { createScrape } from '../../functions/adapters/scrape.ts';
import { MAX_OBJECT_BYTES, createKubernetesSecrets } from '../../functions/adapters/secrets-kubernetes.ts';
import { createSecrets } from '../../functions/adapters/secrets.ts';
import type { Target } from '../../functions/core/model.ts';
import { planTargets } from '../../functions/core/planning.ts';
import type { SecretAnswer } from '../../functions/core/secrets.ts';
import { readMessage, writeMessage } from '../../functions/core/work.ts';
import { annotated, eksAt, podOf, refuse, serveKubernetes } from '../fakes/kubernetes.ts';
import { PKI, serveHttp } from './local-servers.ts';
import { assertFailure, assertPage, soon, PAGE } from './scraping.ts';

const PODS = '/api/v1/pods';
const SECRET = '/api/v1/namespaces/nim/secrets/llm';
const CONFIG_MAP = '/api/v1/namespaces/nim/configmaps/trust';
const TOKEN = 'eks://prod/secret/nim/llm/token';
const base64 = (text: string) => Buffer.from(text).toString('base64');

interface Options {
  readonly kubernetes?: readonly string[];
  readonly tokens?: readonly [string, ...string[]];
  readonly eks?: Eks;
}

async function setUp(t: TestContext, { kubernetes = ['prod/nim'], tokens = ['known'], eks }: Options = {}) {
  const server = await serveKubernetes(t, { [PODS]: [], '/api/v1/services': [] }, PKI.server);
  const { world } = server;
  world.tokens = ['known'];
  const http = createHttp({ clock });
  t.after(http.close);
  const cluster = eks ?? eksAt(server, tokens);
  const none = () => Promise.reject(new Error('another store'));
  const secrets = createSecrets({
    clock,
    grants: { prefix: '/nim-to-dynatrace', granted: [], token: { store: 'ssm', name: '/x' }, kubernetes },
    ssm: none,
    secretsManager: none,
    kubernetes: createKubernetesSecrets({ http, clock, eks: cluster }),
  });
  const read = (reference: string) => secrets(reference, soon(), false);
  return { server, world, http, secrets, read, eks: cluster };
}

function assertNone(answer: SecretAnswer, code: SecretAnswer['code'], told: string): void {
  assert.deepEqual(answer, { code, message: `cannot read the secret ${TOKEN}: ${told}` });
}

describe('reading', () => {
  test('the field of a Secret is base64, that of a ConfigMap text; a pasted newline is no part of it', async (t) => {
    const { world, read, server } = await setUp(t);
    world.objects[SECRET] = { data: { token: base64('planted ü\n'), other: base64('x') } };
    world.objects[CONFIG_MAP] = { data: { 'ca.crt': PKI.ca, token: base64('as it is') } };
    assert.deepEqual(await read(TOKEN), { code: 'read', value: 'planted ü' });
    assert.deepEqual(await read('eks://prod/configmap/nim/trust/ca.crt'), {
      code: 'read',
      value: PKI.ca.trim(),
    });
    assert.deepEqual(await read('eks://prod/configmap/nim/trust/token'), {
      code: 'read',
      value: base64('as it is'),
    });
    await read(TOKEN);
    assert.equal(server.requests.length, 3, 'one that was read is remembered');
    assert.equal(server.requests[0]?.headers.authorization, 'Bearer known');
  });

  for (const [name, object] of [
    ['no data', {}],
    ['null', null],
    ['a list', []],
    ['data that is none', { data: 'planted' }],
    ['another field', { data: { other: 'planted' } }],
    ['an empty field', { data: { token: '' } }],
    ['a field that is no text', { data: { token: { planted: 1 } } }],
    ['a field of every object', { data: {} }],
  ] as const)
    test(`an object with ${name} has no such secret`, async (t) => {
      const { world, read } = await setUp(t);
      world.objects[SECRET] = object;
      assertNone(await read(TOKEN), 'absent', 'the secret has no such field, or it is empty; add it');
      const inherited = 'eks://prod/secret/nim/llm/constructor';
      assert.equal((await read(inherited)).code, 'absent');
    });

  test('what is not there, may not be read, or does not answer', async (t) => {
    const { world, read } = await setUp(t);
    assertNone(await read(TOKEN), 'absent', 'there is no such secret; create it');
    const second = await setUp(t);
    second.world.forbidden = [SECRET];
    assertNone(
      await second.read(TOKEN),
      'refused',
      'the caller may not get it (403); bind a Role with the verb get on secrets in that namespace',
    );
    const third = await setUp(t);
    third.world.before = (_, response) => {
      refuse(response, 500, 'planted');
      return true;
    };
    assertNone(
      await third.read(TOKEN),
      'failed',
      'the cluster answered status 500; the next tick tries again',
    );
    const fourth = await setUp(t);
    fourth.world.before = (_, response) => {
      response.writeHead(200).end('planted, and no JSON');
      return true;
    };
    assertNone(await fourth.read(TOKEN), 'absent', 'the secret has no such field, or it is empty; add it');
    assert.equal(world.tokens?.length, 1);
  });

  test('an object as long as its bound allows, and a byte more', async (t) => {
    for (const [more, code] of [
      [-1, 'read'],
      [0, 'failed'],
    ] as const) {
      const { world, read } = await setUp(t);
      world.before = (_, response) => {
        response.end(JSON.stringify({ data: { token: base64('planted') } }).padEnd(MAX_OBJECT_BYTES + more));
        return true;
      };
      assert.equal((await read(TOKEN)).code, code);
    }
  });

  test('an expired token (401) is made anew, once', async (t) => {
    const { world, read, server } = await setUp(t, { tokens: ['expired', 'known'] });
    world.objects[SECRET] = { data: { token: base64('planted') } };
    assert.deepEqual(await read(TOKEN), { code: 'read', value: 'planted' });
    assert.deepEqual(
      server.requests.map(({ headers }) => headers.authorization),
      ['Bearer expired', 'Bearer known'],
    );
    const unknown = await setUp(t, { tokens: ['nobody'] });
    assertNone(
      await unknown.read(TOKEN),
      'failed',
      'the cluster does not know the caller (401); the next tick tries again',
    );
    assert.equal(unknown.server.requests.length, 2);
  });

  test('a cluster without access, or with another authority, is told', async (t) => {
    const message = 'cannot reach the cluster prod: it is not granted; name it';
    const { read } = await setUp(t, { eks: () => Promise.resolve({ code: 'failed', message }) });
    assertNone(await read(TOKEN), 'failed', `${message}; the next tick tries again`);
    const other = await serveKubernetes(t, {}, true);
    const wrong = await setUp(t, { eks: eksAt(other, ['planted']) });
    const answer = await wrong.read(TOKEN);
    assert.match('message' in answer ? answer.message : '', /TLS failed: /);
    assert.equal(other.requests.length, 0, 'the token is sent to nobody else');
  });
});

describe('grants', () => {
  for (const [name, kubernetes] of [
    ['none', []],
    ['another namespace', ['prod/other', 'prod/ni', 'prod/nim2']],
    ['another cluster', ['test/nim']],
    ['a pattern', ['prod/*', '*', 'prod']],
  ] as const)
    test(`${name}: refused before anyone is asked`, async (t) => {
      const { read, server } = await setUp(t, { kubernetes });
      assertNone(
        await read(TOKEN),
        'refused',
        "it is not granted; set readSecrets of the cluster, and its namespace, in the construct's prop discovery.eks",
      );
      assert.equal(server.requests.length, 0);
    });

  test('a reference with a way out of its place is none', async (t) => {
    const { read, server } = await setUp(t);
    for (const reference of [
      'eks://prod/secret/nim/llm',
      'eks://prod/secret/nim/llm/a/b',
      'eks://prod/pod/nim/llm/a',
      'eks://prod/secret/nim/l?m/a',
      'eks://prod/secret/nim/%2e/a',
      'eks://prod@evil/secret/nim/llm/a',
    ])
      assert.equal((await read(reference)).code, 'refused', reference);
    for (const dots of [
      'eks://prod/secret/nim/../a',
      'eks://prod/secret/../llm/a',
      'eks://prod/secret/nim/./a',
    ])
      assert.equal((await read(dots)).code, 'refused', dots);
    assert.equal(server.requests.length, 0);
  });
});

describe('from the annotations of a pod to its page', () => {
  /** A NIM behind TLS, and the target that the cluster's pod became after its way through the queue. */
  async function startNim(t: TestContext, annotations: Readonly<Record<string, string>>) {
    const nim = await serveHttp(
      t,
      ({ headers }, response) =>
        headers.authorization === undefined ? response.writeHead(401).end() : response.end(PAGE),
      { ...PKI.server, ca: PKI.ca, requestCert: true, rejectUnauthorized: false },
    );
    const cluster = await setUp(t);
    const { world, http, secrets, eks } = cluster;
    world.lists[PODS] = [
      podOf({
        name: 'llm-0',
        ip: '127.0.0.1',
        annotations: annotated({ port: String(nim.port), path: '/metrics', secure: 'true', ...annotations }),
      }),
    ];
    const none = () => Promise.reject(new Error('no such discovery here'));
    const kubernetes = createKubernetesDiscovery({ http, clock, secrets, eks });
    const discover = createDiscovery({ dns: none, http: none, kubernetes });
    // The certificate names localhost, and pods have addresses.
    const document = `
job_name: nim
kubernetes_sd_configs:
  - { role: pod, api_server: "eks://prod", dynatrace: { annotations: true } }
relabel_configs:
  - { source_labels: [__address__], regex: "127.0.0.1:(.*)", target_label: __address__, replacement: "localhost:$1" }
`;
    const histories = () => Promise.resolve(new Map());
    const planned = await planTargets(
      [{ name: '/nim-to-dynatrace/targets/nim', value: document, version: 1 }],
      { histories, discover },
      { prefix: '/nim-to-dynatrace' },
      soon(),
    );
    assert.deepEqual([planned.problems, planned.documents.problems], [[], []]);
    const message = { tickMs: 60_000, shards: 1, shard: 0, targets: planned.targets, drains: [] };
    const written = writeMessage(message);
    assert.doesNotMatch(written, /planted|BEGIN/);
    const read = readMessage(JSON.parse(written));
    assert.ok(read.code === 'message');
    const [target] = read.message.targets;
    assert.ok(target);
    const scrape = createScrape({ http, clock, secrets });
    return { ...cluster, nim, target, scrape: (one: Target = target) => scrape(one, soon()) };
  }

  const TLS = {
    'tls.ca.crt': 'configmap:nim:trust:ca.crt',
    'tls.crt': 'secret:nim:llm:tls.crt',
    'tls.key': 'secret:nim:llm:tls.key',
  };
  const DATA = {
    token: base64('planted-token\n'),
    user: base64('jörg'),
    password: base64('planted-password'),
    'tls.crt': base64(PKI.client.cert),
    'tls.key': base64(PKI.client.key),
  };

  for (const [name, annotations, authorization] of [
    ['http.auth', { 'http.auth': 'secret:nim:llm:token' }, 'Bearer planted-token'],
    [
      'http.auth.basic',
      {
        'http.auth.basic.username': 'secret:nim:llm:user',
        'http.auth.basic.password': 'secret:nim:llm:password',
      },
      `Basic ${base64('jörg:planted-password')}`,
    ],
  ] as const)
    test(`${name} and tls.*`, async (t) => {
      const { world, nim, scrape, target } = await startNim(t, { ...TLS, ...annotations });
      world.objects[SECRET] = { data: DATA };
      world.objects[CONFIG_MAP] = { data: { 'ca.crt': PKI.ca } };
      assertPage(await scrape(), '/metrics');
      assert.deepEqual(
        nim.requests.map(({ headers }) => headers.authorization),
        [authorization],
      );
      assert.equal(target.attributes['k8s.pod.name'], 'llm-0');
      assert.match(target.key, /#uid-llm-0$/);
    });

  test('the client certificate is shown to the pod', async (t) => {
    const { world, scrape, target, http, secrets } = await startNim(t, {
      ...TLS,
      'http.auth': 'secret:nim:llm:token',
    });
    world.objects[SECRET] = { data: DATA };
    world.objects[CONFIG_MAP] = { data: { 'ca.crt': PKI.ca } };
    assertPage(await scrape(), '/metrics');
    const strict = await serveHttp(t, (_, response) => response.end(PAGE), {
      ...PKI.server,
      ca: PKI.ca,
      requestCert: true,
      rejectUnauthorized: true,
    });
    const own = createScrape({ http, clock, secrets });
    const address = `localhost:${strict.port}`;
    assertPage(await own({ ...target, address }, soon()), '/metrics');
    assert.notEqual(
      (await own({ ...target, address, tlsConfig: { insecureSkipVerify: true } }, soon())).code,
      'page',
    );
    assert.equal(strict.requests.length, 1);
  });

  test('a secret that is not there, or not granted, fails that target and nothing is sent', async (t) => {
    const { world, nim, scrape, target } = await startNim(t, { 'http.auth': 'secret:nim:llm:token' });
    assertFailure(await scrape(), 'waiting_for_secret', /there is no such secret; create it/);
    const credentials = 'eks://prod/secret/other/llm/token';
    assertFailure(
      await scrape({ ...target, authorization: { type: 'Bearer', credentials } }),
      'secret',
      /it is not granted; set readSecrets/,
    );
    world.objects[SECRET] = { data: DATA };
    assert.equal(nim.requests.length, 0);
  });
});
