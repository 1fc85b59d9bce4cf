/** What a job's options put on the wire, and that it is told to the target's own host only. */
import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { systemClock as clock } from '../../functions/adapters/clock.ts';
import { createHttp } from '../../functions/adapters/http.ts';
import type { Http, HttpFailure } from '../../functions/adapters/http.ts';
import { createScrape } from '../../functions/adapters/scrape.ts';
import type { Target } from '../../functions/core/model.ts';
import type { Scrape, ScrapeResult } from '../../functions/core/ports.ts';
import type { Secrets } from '../../functions/core/secrets.ts';
import { secretsIn } from '../fakes/secrets.ts';
import { PKI, serveHttp } from './local-servers.ts';
import { PAGE, soon, target } from './scraping.ts';

const TOKEN = 'ssm:/nim-to-dynatrace/secrets/nim-token';
const KEY = 'ssm:/nim-to-dynatrace/secrets/nim-key';

function openScrape(t: TestContext, secrets: Secrets): Scrape {
  const http = createHttp({ clock });
  t.after(() => http.close());
  return createScrape({ http, clock, secrets });
}

function assertFailure(result: ScrapeResult, code: ScrapeResult['code'], text: RegExp): void {
  assert.equal(result.code, code);
  assert.ok('message' in result);
  assert.match(result.message, /^cannot scrape \S+: .+; .+$/);
  assert.match(result.message, text);
  assert.doesNotMatch(result.message, /planted/);
}

const ALL: Partial<Target> = {
  authorization: { type: 'Bearer', credentials: TOKEN },
  httpHeaders: [
    { name: 'X-Tenant', values: ['a', 'ü'], secrets: [KEY] },
    { name: 'X-Other', values: [], secrets: [KEY] },
  ],
};

describe('headers', () => {
  const sent: readonly (readonly [string, Partial<Target>, string | undefined])[] = [
    ['none', {}, undefined],
    ['authorization', { authorization: { type: 'Bearer', credentials: TOKEN } }, 'Bearer planted-token'],
    ['of another type', { authorization: { type: 'Api-Key', credentials: TOKEN } }, 'Api-Key planted-token'],
    [
      'basic_auth, in UTF-8',
      { basicAuth: { username: 'jörg', password: TOKEN } },
      `Basic ${Buffer.from('jörg:planted-token').toString('base64')}`,
    ],
  ];
  for (const [name, options, expected] of sent) {
    test(`authorization: ${name}`, async (t) => {
      const server = await serveHttp(t, (_, response) => response.end(PAGE));
      const scrape = openScrape(t, secretsIn(new Map([[TOKEN, 'planted-token']])));
      assert.equal((await scrape(target(server.address, options), soon())).code, 'page');
      assert.equal(server.requests[0]?.headers.authorization, expected);
    });
  }

  test('http_headers: several values are several headers, as bytes of UTF-8', async (t) => {
    const raw: (readonly string[])[] = [];
    const server = await serveHttp(t, (_, response) => {
      raw.push(response.req.rawHeaders);
      response.end(PAGE);
    });
    const secrets = secretsIn(
      new Map([
        [KEY, 'planted-key'],
        [TOKEN, 'planted-token'],
      ]),
    );
    assert.equal((await openScrape(t, secrets)(target(server.address, ALL), soon())).code, 'page');
    const values = (raw[0] ?? []).filter(
      (_, at, all) => at % 2 === 1 && /^x-tenant$/i.test(all[at - 1] ?? ''),
    );
    assert.deepEqual(values, ['a', Buffer.from('ü').toString('latin1'), 'planted-key']);
    assert.equal(server.requests[0]?.headers['x-other'], 'planted-key');
  });

  test('enable_compression: false asks for the page as it is', async (t) => {
    const server = await serveHttp(t, (_, response) => response.end(PAGE));
    const scrape = openScrape(t, secretsIn(new Map()));
    await scrape(target(server.address, { enableCompression: false }), soon());
    await scrape(target(server.address), soon());
    assert.deepEqual(
      server.requests.map(({ headers }) => headers['accept-encoding']),
      ['identity', 'gzip'],
    );
  });

  test('a secret or value that no header can carry: nothing is sent', async (t) => {
    const server = await serveHttp(t, (_, response) => response.end(PAGE));
    const scrape = openScrape(t, secretsIn(new Map([[TOKEN, 'planted\r\nx-evil: planted']])));
    const evil: readonly Partial<Target>[] = [
      { authorization: { type: 'Bearer', credentials: TOKEN } },
      { httpHeaders: [{ name: 'x-a', values: [], secrets: [TOKEN] }] },
      { httpHeaders: [{ name: 'x-a', values: ['planted\0'], secrets: [] }] },
    ];
    for (const options of evil) {
      assertFailure(await scrape(target(server.address, options), soon()), 'secret', /control character/);
    }
    const oddName = target(server.address, {
      httpHeaders: [{ name: 'x a', values: ['planted'], secrets: [] }],
    });
    assertFailure(await scrape(oddName, soon()), 'connect', /a header cannot be written/);
    assert.equal(server.connections(), 0);
  });
});

describe('redirects and credentials', () => {
  const to = (location: string) => (response: ServerResponse) =>
    void response.writeHead(307, { location }).end();
  const secrets = secretsIn(
    new Map([
      [KEY, 'planted-key'],
      [TOKEN, 'planted-token'],
    ]),
  );
  const told = (headers: object) => /planted|x-tenant|x-other|authorization/i.test(JSON.stringify(headers));

  test('on the same host they are kept; another port sees none of them, nor does the way back', async (t) => {
    const other = await serveHttp(t, ({ url }, response) => {
      if (url === '/back') to(`http://${server.address}/end`)(response);
      else response.end(PAGE);
    });
    const server = await serveHttp(t, ({ url }, response) => {
      if (url === '/same') to('/end')(response);
      else if (url === '/other') to(`http://${other.address}/`)(response);
      else if (url === '/round') to(`http://${other.address}/back`)(response);
      else response.end(PAGE);
    });
    const scrape = openScrape(t, secrets);
    for (const path of ['/same', '/other', '/round']) {
      assert.equal((await scrape(target(server.address, { ...ALL, path }), soon())).code, 'page');
    }
    assert.deepEqual(
      server.requests.map(({ url, headers }) => [url, told(headers)]),
      [
        ['/same', true],
        ['/end', true],
        ['/other', true],
        ['/round', true],
        ['/end', false],
      ],
    );
    assert.deepEqual(
      other.requests.map(({ headers }) => told(headers)),
      [false, false],
    );
  });

  test('one that leads to instance metadata is refused at the address', async (t) => {
    const server = await serveHttp(t, (_, response) =>
      to('http://169.254.169.254/latest/meta-data/')(response),
    );
    const result = await openScrape(t, secrets)(target(server.address, { path: '/metrics' }), soon());
    assertFailure(result, 'connect', /link-local, which is never scraped/);
  });

  test('nor does plain http on the same host, and a refusal there says why', async (t) => {
    const plain = await serveHttp(t, (_, response) => response.writeHead(401).end());
    const server = await serveHttp(
      t,
      (_, response) => to(`http://localhost:${plain.port}/`)(response),
      PKI.server,
    );
    const secure = { ...ALL, scheme: 'https', tlsConfig: { ca: PKI.ca, insecureSkipVerify: false } } as const;
    const result = await openScrape(t, secrets)(target(`localhost:${server.port}`, secure), soon());
    assertFailure(result, 'status', /401; credentials are not sent to where a redirect leads/);
    assert.ok(told(server.requests[0]?.headers ?? {}) && !told(plain.requests[0]?.headers ?? {}));
  });

  test('the client certificate is shown to the own host only', async (t) => {
    const mutual = { ...PKI.server, ca: PKI.ca, requestCert: true, rejectUnauthorized: false };
    const seen: string[] = [];
    const note = (response: ServerResponse) => {
      const socket = response.req.socket as unknown as { getPeerCertificate(): { subject?: { CN: string } } };
      seen.push(socket.getPeerCertificate().subject?.CN ?? 'nobody');
    };
    const other = await serveHttp(
      t,
      (_, response) => {
        note(response);
        response.end(PAGE);
      },
      mutual,
    );
    const server = await serveHttp(
      t,
      (_, response) => {
        note(response);
        to(`https://localhost:${other.port}/`)(response);
      },
      mutual,
    );
    const pems = new Map([
      ['ssm:/a/ca', PKI.ca],
      ['ssm:/a/cert', PKI.client.cert],
      ['ssm:/a/key', PKI.client.key],
    ]);
    const tlsConfig = {
      ca: { secret: 'ssm:/a/ca' },
      cert: { secret: 'ssm:/a/cert' },
      key: { secret: 'ssm:/a/key' },
      insecureSkipVerify: false,
    };
    const asked = target(`localhost:${server.port}`, { scheme: 'https', tlsConfig });
    const result = await openScrape(t, secretsIn(pems))(asked, soon());
    assert.equal(result.code, 'page', 'message' in result ? result.message : '');
    assert.deepEqual(seen, ['test only client', 'nobody']);
  });
});

describe('secrets', () => {
  test('one that is not there yet is waited for, one that may not be read is named; neither reaches the target', async (t) => {
    const server = await serveHttp(t, (_, response) => response.end(PAGE));
    const codes = [
      ['absent', 'waiting_for_secret'],
      ['failed', 'secret'],
      ['refused', 'secret'],
    ] as const;
    for (const [code, expected] of codes) {
      const secrets: Secrets = (reference) =>
        Promise.resolve({ code, message: `cannot read the secret ${reference}: reason; remedy` });
      const result = await openScrape(t, secrets)(target(server.address, ALL), soon());
      assertFailure(result, expected, /nim-token: reason; remedy/);
    }
    assert.equal(server.connections(), 0);
  });

  test('each is read once a scrape; afresh after the target refused what was read', async (t) => {
    let accepted = 'Bearer planted-new';
    const server = await serveHttp(t, ({ headers }, response) => {
      response.writeHead(headers.authorization === accepted ? 200 : 401).end(PAGE);
    });
    const values = new Map([
      [TOKEN, 'planted-old'],
      [KEY, 'planted-key'],
    ]);
    const asked: string[] = [];
    const scrape = openScrape(t, secretsIn(values, asked));
    assertFailure(await scrape(target(server.address, ALL), soon()), 'status', /401.*check authorization/);
    assert.deepEqual(asked.splice(0), [TOKEN, KEY]);
    values.set(TOKEN, 'planted-new');
    assert.equal((await scrape(target(server.address, ALL), soon())).code, 'page');
    assert.deepEqual(asked.splice(0), [`${TOKEN} fresh`, `${KEY} fresh`]);
    accepted = 'Bearer planted-new';
    assert.equal((await scrape(target(server.address, ALL), soon())).code, 'page');
    assert.deepEqual(asked, [TOKEN, KEY]);
  });

  test('a certificate and key that are none fail as TLS, without a word of them', async (t) => {
    const secrets = secretsIn(new Map([[KEY, 'planted']]));
    const tlsConfig = { cert: PKI.client.cert, key: { secret: KEY }, insecureSkipVerify: false };
    const result = await openScrape(t, secrets)(
      target('localhost:1', { scheme: 'https', tlsConfig }),
      soon(),
    );
    assertFailure(result, 'tls', /cert and key are no certificate and its key/);
  });
});

describe('a private address', () => {
  const failing = (failure: Partial<HttpFailure>, inVpc: boolean | undefined) => {
    const http: Http = {
      request: () =>
        Promise.resolve({ code: 'connect', sent: false, cause: 'the connection timed out', ...failure }),
      close: () => Promise.resolve(),
    };
    return createScrape({ http, clock, secrets: secretsIn(new Map()), inVpc })(
      target('10.0.1.17:8000'),
      soon(),
    );
  };

  test('that does not answer is told as such where the function is in no VPC, and only there', async () => {
    const unreached = { isUnreachedPrivate: true } as const;
    assertFailure(
      await failing(unreached, false),
      'private_target_without_vpc',
      /timed out.*cdk deploy -c vpcId=/,
    );
    assertFailure(
      await failing({ ...unreached, code: 'timeout' }, false),
      'private_target_without_vpc',
      /private/,
    );
    assertFailure(await failing(unreached, true), 'connect', /security groups/);
    assertFailure(await failing(unreached, undefined), 'connect', /security groups/);
    assertFailure(await failing({}, false), 'connect', /security groups/);
  });
});
