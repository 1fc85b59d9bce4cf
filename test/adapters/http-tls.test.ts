/** The options of one request's TLS, on real sockets; and that connections are not shared across them. */
import assert from 'node:assert/strict';
import type { ServerOptions } from 'node:https';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { systemClock as clock, sleepMs } from '../../functions/adapters/clock.ts';
import { MAX_TLS_AGENTS, createHttp, failureOf } from '../../functions/adapters/http.ts';
import type { Http, HttpResult } from '../../functions/adapters/http.ts';
import type { TlsOptions } from '../../functions/adapters/tls.ts';
import { PKI, serveHttp, testCertificate } from './local-servers.ts';
import type { LocalServer } from './local-servers.ts';

function openHttp(t: TestContext): Http {
  const http = createHttp({ clock });
  t.after(() => http.close());
  return http;
}

function get(
  http: Http,
  server: LocalServer,
  tls: Partial<TlsOptions>,
  host = 'localhost',
): Promise<HttpResult> {
  return http.request({
    method: 'GET',
    url: new URL(`https://${host}:${server.port}/metrics`),
    headers: {},
    maxBytes: 1_000,
    deadlineMs: clock.monotonicMs() + 10_000,
    tls: { insecureSkipVerify: false, ...tls },
  });
}

const serve = (t: TestContext, options: ServerOptions = PKI.server) =>
  serveHttp(t, (_, response) => response.end('fine'), options);

function assertFine(result: HttpResult): void {
  assert.ok(
    result.code === 'answer' && result.status === 200,
    'cause' in result ? result.cause : result.code,
  );
}

/** That the TLS failed, for this reason; a client that is refused may learn of it after the first byte. */
function assertTls(result: HttpResult, cause: RegExp, sent = false): void {
  assert.ok(result.code === 'tls' && result.sent === sent, JSON.stringify(result));
  assert.match(result.cause, cause);
}

describe('the server is verified', () => {
  test('by the authority that is named, instead of the system, and by its name', async (t) => {
    const server = await serve(t);
    const http = openHttp(t);
    assertFine(await get(http, server, { ca: PKI.ca }));
    assertFine(await get(http, server, { ca: `${testCertificate}${PKI.ca}` }));
    assertTls(await get(http, server, {}), /unable to verify/);
    assertTls(await get(http, server, { ca: testCertificate }), /unable to verify/);
    assertTls(await get(http, server, { ca: PKI.ca }, '127.0.0.1'), /does not match .*altnames/);
    assert.equal(server.requests.length, 2);
  });

  test('server_name is the name that is asked for and verified', async (t) => {
    const names: unknown[] = [];
    const server = await serveHttp(t, (_, response) => response.end(), {
      ...PKI.server,
      SNICallback: (name, done) => {
        names.push(name);
        done(null);
      },
    });
    const http = openHttp(t);
    assertFine(await get(http, server, { ca: PKI.ca, serverName: 'nim.internal' }, '127.0.0.1'));
    assertTls(await get(http, server, { ca: PKI.ca, serverName: 'other.internal' }), /altnames/);
    assert.deepEqual(names, ['nim.internal', 'other.internal']);
  });

  test('an expired certificate fails; with insecure_skip_verify nothing is verified', async (t) => {
    const server = await serve(t, PKI.expired);
    const http = openHttp(t);
    assertTls(await get(http, server, { ca: PKI.ca }), /certificate has expired/);
    assertFine(await get(http, server, { insecureSkipVerify: true }, '127.0.0.1'));
    assertTls(await get(http, server, { ca: PKI.ca }), /certificate has expired/);
  });
});

describe('the client', () => {
  const mutual = { ...PKI.server, ca: PKI.ca, requestCert: true, rejectUnauthorized: true };

  test('shows its certificate where it has one; without it the server refuses', async (t) => {
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const server = await serve(t, { ...mutual, minVersion: version, maxVersion: version });
      const http = openHttp(t);
      assertFine(await get(http, server, { ca: PKI.ca, ...PKI.client }));
      const none = await get(http, server, { ca: PKI.ca });
      // With TLS 1.3 the client is done before the server has seen that no certificate came.
      assert.ok(none.code === 'tls' || none.code === 'reset' || none.code === 'connect', none.code);
      assert.equal(server.requests.length, 1);
    }
  });

  test('a certificate that is none, another key, an authority that is none: told before anything is sent', async (t) => {
    const server = await serve(t, mutual);
    const http = openHttp(t);
    const { cert, key } = PKI.client;
    assertTls(await get(http, server, { ca: PKI.ca, cert: 'planted', key }), /no start line/);
    assertTls(
      await get(http, server, { ca: PKI.ca, cert, key: 'planted' }),
      /cert and key are no certificate/,
    );
    assertTls(await get(http, server, { ca: PKI.ca, cert, key: PKI.server.key }), /key values mismatch/);
    for (const ca of ['', 'planted', PKI.client.key, PKI.ca.slice(0, 200)]) {
      assertTls(await get(http, server, { ca, cert, key }), /ca is no certificate/);
    }
    assert.equal(server.connections(), 0);
  });

  test('speaks the versions between minimum and maximum, 1.2 and newer by default', async (t) => {
    const old = {
      ...PKI.server,
      ciphers: 'DEFAULT@SECLEVEL=0',
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
    } as const;
    const http = openHttp(t);
    const { ca } = PKI;
    const oldServer = await serve(t, old);
    assertTls(await get(http, oldServer, { ca }), /version/);
    assertTls(await get(http, oldServer, { ca, minVersion: 'TLS12' }), /version/);
    assertFine(await get(http, oldServer, { ca, minVersion: 'TLS10' }));
    const twelve = await serve(t, { ...PKI.server, maxVersion: 'TLSv1.2' });
    assertTls(await get(http, twelve, { ca, minVersion: 'TLS13' }), /version/);
    assertFine(await get(http, twelve, { ca, minVersion: 'TLS12', maxVersion: 'TLS12' }));
    const newest = await serve(t, { ...PKI.server, minVersion: 'TLSv1.3' });
    assertTls(await get(http, newest, { ca, maxVersion: 'TLS12' }), /version/);
    const none = await get(http, newest, { ca, maxVersion: 'TLS11' });
    assert.ok(none.code === 'tls', 'as in Go: the default minimum lies above the maximum');
  });
});

describe('connections', () => {
  test('are shared by equal options, never by others: a rotated certificate has its own at once', async (t) => {
    const seen: string[] = [];
    const server = await serveHttp(
      t,
      (_, response) => {
        seen.push(String((response.socket as TLSSocket).getPeerCertificate().subject?.CN));
        response.end('fine');
      },
      { ...PKI.server, requestCert: true, rejectUnauthorized: false },
    );
    const http = openHttp(t);
    const { ca, client } = PKI;
    for (const tls of [
      { ca },
      { ca },
      { ca, ...client },
      { ca, cert: PKI.server.cert, key: PKI.server.key },
      { ca },
    ]) {
      assertFine(await get(http, server, tls));
      // Until the socket is free again.
      await sleepMs(10);
    }
    assert.deepEqual(seen, ['undefined', 'undefined', 'test only client', 'test only server', 'undefined']);
    assert.equal(server.connections(), 3);
  });

  test('the number of option sets is bounded: one more closes those used longest ago, after their requests', async (t) => {
    const waiting: (() => void)[] = [];
    const server = await serveHttp(
      t,
      ({ url }, response, nth) => {
        if (nth === 1) waiting.push(() => response.end('fine'));
        else response.end(url);
      },
      PKI.server,
    );
    const http = openHttp(t);
    const nth = (n: number) => get(http, server, { ca: `${PKI.ca}\n${n}` });
    const first = nth(0);
    while (waiting.length === 0) await new Promise((resolve) => setImmediate(resolve));
    for (let n = 1; n < MAX_TLS_AGENTS; n++) assertFine(await nth(n));
    assert.equal(server.connections(), MAX_TLS_AGENTS);
    assertFine(await nth(1));
    assert.equal(server.connections(), MAX_TLS_AGENTS, 'at the bound none is closed');
    assertFine(await nth(MAX_TLS_AGENTS));
    waiting[0]?.();
    assertFine(await first);
    assertFine(await nth(1));
    assert.equal(server.connections(), MAX_TLS_AGENTS + 1);
    assertFine(await nth(0));
    assert.equal(server.connections(), MAX_TLS_AGENTS + 2, 'the one that was closed connects anew');
  });
});

test('names of a certificate, however many, are cut in linear time', () => {
  const error = Object.assign(new Error(`${'a'.repeat(199)}${':'.repeat(1_000_000)}a`), {
    code: 'ERR_TLS_X',
  });
  assert.equal(failureOf(error, false).cause, `TLS failed: ${'a'.repeat(199)}`);
});
