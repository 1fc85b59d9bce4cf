/** The way to Dynatrace through a proxy, on real sockets. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { systemClock as clock } from '../../functions/adapters/clock.ts';
import { USER_AGENT, createHttp } from '../../functions/adapters/http.ts';
import type { HttpResult } from '../../functions/adapters/http.ts';
import { startProxy } from '../fakes/proxy.ts';
import { PKI, closedPort, serveHttp } from './local-servers.ts';

interface Options {
  readonly ca?: string;
  readonly connectTimeoutMs?: number;
  readonly withinMs?: number;
}

/** One POST through the proxy. */
function post(t: TestContext, proxy: URL, url: string, options: Options = {}): Promise<HttpResult> {
  const { withinMs = 10_000, ca = PKI.ca, ...more } = options;
  const http = createHttp({ clock, proxy, ca, ...more });
  t.after(() => http.close());
  return http.request({
    method: 'POST',
    url: new URL(url),
    headers: { authorization: 'Api-Token planted' },
    body: Buffer.from('a body'),
    maxBytes: 1_000,
    deadlineMs: clock.monotonicMs() + withinMs,
  });
}

function assertUnsent(result: HttpResult, code: string, cause: RegExp): void {
  assert.ok(result.code !== 'answer' && result.code === code && !result.sent, JSON.stringify(result));
  assert.match(result.cause, cause);
}

describe('through a proxy', () => {
  test('TLS is spoken with the host itself: the proxy sees its name and no header', async (t) => {
    const server = await serveHttp(t, (_, response) => response.end('fine'), PKI.server);
    const proxy = await startProxy(t);
    const result = await post(t, proxy.url, `https://localhost:${server.port}/otlp`);
    assert.ok(result.code === 'answer' && result.status === 200, JSON.stringify(result));
    const authority = `localhost:${server.port}`;
    assert.deepEqual(proxy.tunnels, [
      { authority, headers: `host ${authority} user-agent ${USER_AGENT} Connection close` },
    ]);
    assert.equal(proxy.others(), 0);
    const [request] = server.requests;
    assert.equal(request?.body.toString(), 'a body');
    assert.equal(request.headers.authorization, 'Api-Token planted');
  });

  test('plain HTTP, as of a local receiver, goes through the tunnel too', async (t) => {
    const server = await serveHttp(t, (_, response) => response.end('fine'));
    const proxy = await startProxy(t);
    const result = await post(t, proxy.url, `http://${server.address}/`);
    assert.ok(result.code === 'answer' && result.status === 200, JSON.stringify(result));
    assert.deepEqual(
      proxy.tunnels.map(({ authority }) => authority),
      [server.address],
    );
  });

  test('the port is the scheme’s where the URL names none, an IPv6 host has its brackets', async (t) => {
    const proxy = await startProxy(t, '403 Forbidden');
    for (const url of [
      'https://abc.live.dynatrace.com/',
      'http://ag.internal/',
      'https://[2001:db8::1]:9999/',
    ]) {
      await post(t, proxy.url, url);
    }
    assert.deepEqual(
      proxy.tunnels.map(({ authority }) => authority),
      ['abc.live.dynatrace.com:443', 'ag.internal:80', '[2001:db8::1]:9999'],
    );
  });

  test('the certificate is the host’s and must name it, by an authority that is trusted', async (t) => {
    const server = await serveHttp(t, (_, response) => response.end('fine'), PKI.server);
    const proxy = await startProxy(t);
    assertUnsent(
      await post(t, proxy.url, `https://127.0.0.1:${server.port}/`),
      'tls',
      /does not match .*altnames/,
    );
    const http = createHttp({ clock, proxy: proxy.url });
    t.after(() => http.close());
    const stranger = await http.request({
      method: 'POST',
      url: new URL(`https://localhost:${server.port}/`),
      headers: {},
      body: Buffer.from('a body'),
      maxBytes: 1,
      deadlineMs: clock.monotonicMs() + 10_000,
    });
    assertUnsent(stranger, 'tls', /unable to verify/);
    assert.equal(server.requests.length, 0);
  });
});

describe('a proxy that gives no way: nothing was sent', () => {
  const refusals = [
    [
      '407 Proxy Authentication Required',
      /^the proxy gave no way: it answered status 407: it wants credentials/,
    ],
    ['403 Forbidden', /status 403, which forbids this host$/],
    ['502 Bad Gateway', /status 502$/],
  ] as const;
  for (const [answer, cause] of refusals) {
    test(answer, async (t) => {
      const proxy = await startProxy(t, answer);
      assertUnsent(await post(t, proxy.url, 'https://abc.live.dynatrace.com/'), 'connect', cause);
    });
  }

  test('nobody listens, or a forbidden address', async (t) => {
    const url = 'https://abc.live.dynatrace.com/';
    const nobody = new URL(`http://127.0.0.1:${await closedPort()}`);
    assertUnsent(
      await post(t, nobody, url),
      'connect',
      /^the proxy gave no way: no connection \(ECONNREFUSED\)$/,
    );
    assertUnsent(await post(t, new URL('http://169.254.169.254'), url), 'connect', /link-local/);
    assertUnsent(await post(t, new URL('http://[fd00:ec2::254]'), url), 'connect', /link-local/);
  });

  test('it does not answer: the connect timeout ends it, and so does the deadline', async (t) => {
    const proxy = await startProxy(t, 'hang');
    const url = 'https://abc.live.dynatrace.com/';
    const slow = await post(t, proxy.url, url, { connectTimeoutMs: 50 });
    assertUnsent(slow, 'connect', /it did not answer in time$/);
    assertUnsent(await post(t, proxy.url, url, { withinMs: 50 }), 'timeout', /no connection in time/);
  });
});
