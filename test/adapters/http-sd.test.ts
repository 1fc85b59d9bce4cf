/** http_sd_configs on real sockets: what is asked, what is taken for a list, and what is left of one when it fails. */
import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import type { ServerOptions } from 'node:https';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import { systemClock } from '../../functions/adapters/clock.ts';
import { createHttp } from '../../functions/adapters/http.ts';
import { LIST_TIMEOUT_MS, MAX_LIST_BYTES, createHttpDiscovery } from '../../functions/adapters/http-sd.ts';
import { MAX_REMEMBERED_LISTS } from '../../functions/adapters/remembered-lists.ts';
import type { Discovered } from '../../functions/core/discovery.ts';
import type { HttpClientSettings, HttpSdConfig, TargetGroup } from '../../functions/core/scrape-config.ts';
import type { Secrets } from '../../functions/core/secrets.ts';
import { MAX_LISTED_TARGETS } from '../../functions/core/target-list.ts';
import { readVectors } from '../core/relabel-vectors.ts';
import { secretsIn } from '../fakes/secrets.ts';
import { PKI, type SeenRequest, closedPort, serveHttp } from './local-servers.ts';

const TOKEN = 'ssm:/nim-to-dynatrace/secrets/inventory';
const CA = 'ssm:/nim-to-dynatrace/secrets/ca';
const PLANTED = new Map([
  [TOKEN, 'planted-token'],
  [CA, PKI.ca],
]);
const CLIENT: HttpClientSettings = { followRedirects: true, httpHeaders: [] };
const LIST = [{ targets: ['10.0.1.17:8000', 'nim:8000'], labels: { env: 'prod' } }];
const JSON_TYPE = { 'content-type': 'application/json' };

interface Server {
  answer: (response: ServerResponse, request: SeenRequest, nth: number) => void;
}

const listing =
  (list: unknown): Server['answer'] =>
  (response) =>
    response.writeHead(200, JSON_TYPE).end(JSON.stringify(list));

async function setUp(
  t: TestContext,
  { tls = false, secrets = secretsIn(PLANTED) }: { tls?: boolean | ServerOptions; secrets?: Secrets } = {},
) {
  const inventory: Server = { answer: listing(LIST) };
  const server = await serveHttp(
    t,
    (request, response, nth) => inventory.answer(response, request, nth),
    tls,
  );
  const http = createHttp({ clock: systemClock });
  t.after(http.close);
  let wallMs = 1_000_000;
  const clock = { ...systemClock, wallMs: () => wallMs };
  const discover = createHttpDiscovery({ http, clock, secrets });
  const url = tls === false ? `http://${server.address}/nims` : `https://localhost:${server.port}/nims`;
  const ask = (config: Partial<HttpSdConfig> = {}, withinMs = 10_000) =>
    discover({ url, refreshIntervalMs: 60_000, client: CLIENT, ...config }, clock.monotonicMs() + withinMs);
  return { ask, url, server, inventory, passMs: (ms: number) => (wallMs += ms) };
}

const NOT_SCRAPED = '; its targets are not scraped until it answers';
const STAYS = '; its last list stays in force';

const taken = (url: string, groups: readonly TargetGroup[] = LIST): Discovered => ({
  groups: groups.map(({ labels, ...group }) => ({ ...group, labels: { ...labels, __meta_url: url } })),
  complete: true,
  problems: [],
});

function assertNone(found: Discovered, url: string, cause: string | RegExp): void {
  assert.deepEqual([found.groups, found.complete], [[], false]);
  const [problem = '', ...others] = found.problems;
  assert.deepEqual(others, []);
  assert.ok(problem.startsWith(`cannot read the target list of ${url}: `), problem);
  assert.ok(problem.endsWith(NOT_SCRAPED), problem);
  assert.doesNotMatch(problem, /planted/);
  const told = problem.slice(`cannot read the target list of ${url}: `.length, -NOT_SCRAPED.length);
  if (typeof cause === 'string') assert.equal(told, cause);
  else assert.match(told, cause);
}

describe('what the real Prometheus takes for a list, and what it refuses', () => {
  interface Vectors {
    readonly lists: readonly {
      readonly name: string;
      readonly status?: number;
      readonly type?: string;
      readonly body: string;
      readonly bytes?: string;
      readonly groups?: readonly TargetGroup[];
      readonly wrong?: string;
    }[];
  }
  for (const { name, status = 200, type = 'application/json', ...vector } of readVectors<Vectors>(
    'http-sd.json',
  ).lists)
    test(`${name}: ${vector.wrong === undefined ? 'taken' : 'refused'}`, async (t) => {
      const { ask, url, inventory } = await setUp(t);
      inventory.answer = (response) =>
        response
          .writeHead(status, type === '-' ? {} : { 'content-type': type })
          .end(vector.bytes === undefined ? vector.body : Buffer.from(vector.bytes, 'base64'));
      const found = await ask();
      if (vector.groups === undefined) assertNone(found, url, /^it|^its/);
      else assert.deepEqual(found, taken(url, vector.groups));
    });
});

describe('the request', () => {
  test('is a GET that says what it takes, and how often it asks', async (t) => {
    const { ask, server } = await setUp(t);
    await ask({ refreshIntervalMs: 1_500 });
    const [{ method, url, headers } = assert.fail()] = server.requests;
    assert.deepEqual([method, url], ['GET', '/nims']);
    assert.equal(headers.accept, 'application/json');
    assert.equal(headers['x-prometheus-refresh-interval-seconds'], '1.5');
    assert.equal(headers.authorization, undefined);
  });

  test('a list may be packed', async (t) => {
    const { ask, url, inventory } = await setUp(t);
    inventory.answer = (response) =>
      response
        .writeHead(200, { ...JSON_TYPE, 'content-encoding': 'gzip' })
        .end(gzipSync(JSON.stringify(LIST)));
    assert.deepEqual(await ask(), taken(url));
  });

  test('carries credentials and headers by reference, and never says them', async (t) => {
    const { ask, url, server, inventory } = await setUp(t);
    const clients: readonly Partial<HttpClientSettings>[] = [
      { authorization: { type: 'Bearer', credentials: TOKEN } },
      { basicAuth: { username: 'inventory', password: TOKEN } },
      { httpHeaders: [{ name: 'X-Api-Key', values: [], secrets: [TOKEN] }] },
    ];
    for (const client of clients) await ask({ client: { ...CLIENT, ...client } });
    assert.deepEqual(
      server.requests.map(({ headers }) => headers.authorization ?? headers['x-api-key']),
      [
        'Bearer planted-token',
        `Basic ${Buffer.from('inventory:planted-token').toString('base64')}`,
        'planted-token',
      ],
    );
    inventory.answer = (response) => response.writeHead(401).end('planted-token');
    const client = { ...CLIENT, authorization: { type: 'Token', credentials: TOKEN } };
    assertNone(await ask({ client }), url, 'it answered status 401');
  });

  test('waits for a secret that is not there, and asks nobody', async (t) => {
    const { ask, url, server } = await setUp(t, { secrets: secretsIn(new Map()) });
    const client = { ...CLIENT, authorization: { type: 'Bearer', credentials: TOKEN } };
    assertNone(await ask({ client }), url, `no ${TOKEN}`);
    assert.equal(server.requests.length, 0);
  });

  test('TLS by the authority that is named, and not otherwise', async (t) => {
    const { ask, url, server } = await setUp(t, { tls: PKI.server });
    assertNone(await ask(), url, /^TLS failed: /);
    const tls = (tlsConfig: NonNullable<HttpClientSettings['tlsConfig']>) =>
      ask({ client: { ...CLIENT, tlsConfig } });
    assert.deepEqual(await tls({ ca: { secret: CA }, insecureSkipVerify: false }), taken(url));
    assert.deepEqual(await tls({ insecureSkipVerify: true }), taken(url));
    assert.equal(server.requests.length, 2);
  });
});

describe('redirects', () => {
  const client: HttpClientSettings = { ...CLIENT, authorization: { type: 'Bearer', credentials: TOKEN } };

  test('are followed; the label is the address that was written', async (t) => {
    const { ask, url, server, inventory } = await setUp(t);
    inventory.answer = (response, request, nth) => {
      if (request.url === '/nims') response.writeHead(302, { location: '/v2/nims' }).end();
      else listing(LIST)(response, request, nth);
    };
    assert.deepEqual(await ask({ client }), taken(url));
    assert.deepEqual(
      server.requests.map(({ url: path, headers }) => [path, headers.authorization]),
      [
        ['/nims', 'Bearer planted-token'],
        ['/v2/nims', 'Bearer planted-token'],
      ],
    );
  });

  test('credentials do not go along to another host', async (t) => {
    const { ask, url, inventory } = await setUp(t);
    const stranger = await serveHttp(t, (request, response, nth) => listing(LIST)(response, request, nth));
    inventory.answer = (response) =>
      response.writeHead(307, { location: `http://${stranger.address}/` }).end();
    assert.deepEqual(await ask({ client }), taken(url));
    assert.deepEqual(
      stranger.requests.map(({ headers }) => headers.authorization),
      [undefined],
    );
  });

  test('with follow_redirects: false one is the answer; one in a circle ends; one to no address is told', async (t) => {
    const { ask, url, inventory } = await setUp(t);
    inventory.answer = (response) => response.writeHead(301, { location: '/nims' }).end();
    assertNone(
      await ask({ client: { ...CLIENT, followRedirects: false } }),
      url,
      `it redirects to ${url}, and follow_redirects is false`,
    );
    assertNone(await ask(), url, 'stopped after 10 redirects');
    inventory.answer = (response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end();
    assertNone(await ask(), url, 'it redirects to file: instead of http: or https:');
  });
});

describe('a list', () => {
  test('is used for refresh_interval, asked for once by however many jobs, and then anew', async (t) => {
    const { ask, url, server, inventory, passMs } = await setUp(t);
    await Promise.all([ask(), ask(), ask()]);
    assert.equal(server.requests.length, 1);
    inventory.answer = listing([]);
    passMs(59_999);
    assert.deepEqual(await ask(), taken(url));
    passMs(1);
    assert.deepEqual(await ask(), taken(url, []));
    assert.equal(server.requests.length, 2);
    passMs(-1);
    await ask();
    assert.equal(server.requests.length, 3, 'a clock that went back');
  });

  test('stays in force while its server fails, however long, and each failure is told', async (t) => {
    const { ask, url, inventory, passMs } = await setUp(t);
    await ask();
    const failures: readonly (readonly [Server['answer'], RegExp])[] = [
      [(response) => response.writeHead(503).end(), /it answered status 503/],
      [(response) => response.destroy(), /closed before an answer/],
      [(response) => response.end('[]'), /its content type is not application\/json/],
      [listing({}), /its body is no JSON list of target groups/],
      [listing([...LIST, { targets: [7] }]), /its target group 2 has targets that are no list of texts/],
      [
        (response) => {
          response.writeHead(200, { ...JSON_TYPE, 'content-length': '100' }).write('[]');
          setImmediate(() => response.destroy());
        },
        /the body ended early/,
      ],
    ];
    for (const [answer, cause] of failures) {
      inventory.answer = answer;
      passMs(60_000);
      const found = await ask();
      assert.deepEqual([found.groups, found.complete], [taken(url).groups, true]);
      assert.match(found.problems[0] ?? '', cause);
      assert.ok(found.problems[0]?.endsWith(STAYS));
    }
    passMs(30 * 24 * 3_600_000);
    assert.deepEqual((await ask()).groups, taken(url).groups);
    inventory.answer = listing([]);
    assert.deepEqual(await ask(), taken(url, []));
  });

  test('that was never read is no empty list: nobody is declared gone, and the next tick asks again', async (t) => {
    const { ask, url, inventory } = await setUp(t);
    const closed = `http://127.0.0.1:${await closedPort()}/nims`;
    assertNone(await ask({ url: closed }), closed, 'the connection was refused');
    inventory.answer = (response) => response.writeHead(500).end();
    assertNone(await ask(), url, 'it answered status 500');
    inventory.answer = listing(LIST);
    assert.deepEqual(await ask(), taken(url));
  });

  test('whose server does not answer is waited for until the deadline, and no longer than its bound', async (t) => {
    const { ask, url, inventory } = await setUp(t);
    inventory.answer = () => undefined;
    assertNone(await ask({}, 30), url, 'no answer in time');
    assert.ok(LIST_TIMEOUT_MS <= 10_000);
  });

  test('a query may be a secret, and is not printed', async (t) => {
    const { ask, url, inventory } = await setUp(t);
    inventory.answer = (response) => response.writeHead(404).end();
    assertNone(await ask({ url: `${url}?key=planted` }), url, 'it answered status 404');
  });
});

describe('bounds', () => {
  test('bytes', async (t) => {
    const { ask, url, inventory, passMs } = await setUp(t);
    const list = JSON.stringify(LIST);
    inventory.answer = (response) => response.writeHead(200, JSON_TYPE).end(list.padEnd(MAX_LIST_BYTES - 1));
    assert.deepEqual(await ask(), taken(url));
    inventory.answer = (response) => response.writeHead(200, JSON_TYPE).end(list.padEnd(MAX_LIST_BYTES));
    passMs(60_000);
    assert.match((await ask()).problems[0] ?? '', /the body reached 4194304 bytes; its last list stays/);
    inventory.answer = (response) =>
      response
        .writeHead(200, { ...JSON_TYPE, 'content-encoding': 'gzip' })
        .end(gzipSync(list.padEnd(MAX_LIST_BYTES)));
    assert.match((await ask()).problems[0] ?? '', /the body reached 4194304 bytes; its last list stays/);
  });

  test('targets', async (t) => {
    const { ask, url, inventory } = await setUp(t);
    const targets = Array.from({ length: MAX_LISTED_TARGETS }, (_, n) => `nim-${n}:8000`);
    inventory.answer = listing([{ targets: [...targets, 'more:8000'] }]);
    assertNone(await ask(), url, `it lists more than ${MAX_LISTED_TARGETS} targets`);
    inventory.answer = listing([{ targets: targets.slice(1) }, { targets: targets.slice(0, 1) }]);
    const { groups } = await ask();
    assert.equal(groups.flatMap((group) => group.targets).length, MAX_LISTED_TARGETS);
  });

  test('remembered lists: the one read longest ago is forgotten', async (t) => {
    const { ask, url, server, inventory } = await setUp(t);
    const nth = (n: number) => ask({ url: `${url}/${n}` });
    for (let n = 0; n < MAX_REMEMBERED_LISTS; n++) await nth(n);
    inventory.answer = (response) => response.writeHead(500).end();
    assert.equal((await nth(0)).complete, true);
    assert.equal(server.requests.length, MAX_REMEMBERED_LISTS);
    inventory.answer = listing(LIST);
    await nth(MAX_REMEMBERED_LISTS);
    inventory.answer = (response) => response.writeHead(500).end();
    assert.equal((await nth(1)).complete, true);
    assert.equal((await nth(0)).complete, false);
  });
});
