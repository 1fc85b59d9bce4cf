import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { systemClock as clock } from '../../functions/adapters/clock.ts';
import { MAX_REDIRECTS } from '../../functions/adapters/redirects.ts';
import { PAGE, assertFailure, assertPage, openScrape, soon, target } from './scraping.ts';
import { closedPort, serveHttp, serveTcp, testCertificate } from './local-servers.ts';

describe('a page', () => {
  test('asks as Prometheus does, for text only, and unpacks what comes', async (t) => {
    const server = await serveHttp(t, (_, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip', date: 'Tue, 24 Nov 2026 20:00:00 GMT' });
      response.end(gzipSync(PAGE));
    });
    const result = await openScrape(t)(
      target(server.address, {
        path: '/pro metheus',
        params: [
          ['a', 'b c'],
          ['a', '&'],
        ],
        timeoutMs: 2_500,
      }),
      soon(),
    );
    assertPage(result, '/pro metheus');
    assert.ok(result.code === 'page' && result.dateMs === Date.UTC(2026, 10, 24, 20));
    const [request] = server.requests;
    assert.equal(request?.url, '/pro%20metheus?a=b+c&a=%26');
    assert.equal(request.headers.accept, 'text/plain;version=0.0.4,*/*;q=0.1');
    assert.equal(request.headers['accept-encoding'], 'gzip');
    assert.equal(request.headers['x-prometheus-scrape-timeout-seconds'], '2.5');
    assert.equal(request.headers['user-agent'], 'nim-to-dynatrace');
    assert.equal(request.headers.authorization, undefined);
  });

  test('without a date, or with one that cannot be read, there is none', async (t) => {
    const server = await serveHttp(t, (_, response, nth) => {
      response.sendDate = false;
      if (nth === 2) response.setHeader('date', 'yesterday');
      response.end(PAGE);
    });
    const scrape = openScrape(t);
    for (let round = 0; round < 2; round++) {
      const result = await scrape(target(server.address), soon());
      assertPage(result, '/metrics');
      assert.ok(!('dateMs' in result));
    }
  });

  test('over TLS, and only when the certificate is trusted', async (t) => {
    const server = await serveHttp(t, (_, response) => response.end(PAGE), true);
    const secure = target(`localhost:${server.port}`, { scheme: 'https' });
    assertPage(await openScrape(t, testCertificate)(secure, soon()), '/metrics');
    assertFailure(await openScrape(t)(secure, soon()), 'tls', /self-signed/);
  });

  test('HTML with 200 is handed on: what a page says is not judged here', async (t) => {
    const server = await serveHttp(t, (_, response) =>
      response.setHeader('content-type', 'text/html').end(PAGE),
    );
    assertPage(await openScrape(t)(target(server.address), soon()), '/metrics');
  });
});

describe('no page', () => {
  test('any status but 200, with the likely cause', async (t) => {
    const causes: readonly (readonly [status: number, text: RegExp])[] = [
      [204, /status 204/],
      [206, /status 206/],
      [304, /status 304/],
      [401, /status 401.*authorization/],
      [403, /status 403.*authorization/],
      [404, /status 404.*metrics_path/],
      [500, /status 500.*log/],
      [503, /status 503.*loading/],
    ];
    const server = await serveHttp(t, (request, response) => {
      response.writeHead(Number.parseInt(request.url.slice(1), 10)).end('planted body');
    });
    const scrape = openScrape(t);
    for (const [status, text] of causes) {
      const asked = target(server.address, { path: `/${status}`, params: [['key', 'planted']] });
      const result = await scrape(asked, soon());
      assertFailure(result, 'status', text);
      assert.ok('message' in result && !result.message.includes('planted'));
    }
  });

  test('nobody listens, nobody resolves, no address', async (t) => {
    const scrape = openScrape(t);
    assertFailure(await scrape(target(`127.0.0.1:${await closedPort()}`), soon()), 'connect', /refused/);
    const unresolved = await scrape(target('does-not-exist.invalid:8000'), soon());
    assert.ok(unresolved.code === 'connect' || unresolved.code === 'timeout');
    for (const address of ['', 'a b', 'host:port', 'user:planted@host:1', 'host:1/path', 'host?x=planted']) {
      const result = await scrape(target(address, { instance: 'i' }), soon());
      assertFailure(result, 'connect', /not host:port/);
      assert.ok('message' in result && !result.message.includes('planted'));
    }
    assertFailure(await scrape(target('169.254.0.1'), soon()), 'connect', /link-local/);
  });

  test('closed before an answer, or an answer that is no HTTP', async (t) => {
    const closing = await serveTcp(t, (socket) => socket.once('data', () => socket.end()));
    assertFailure(await openScrape(t)(target(closing.address), soon()), 'connect', /closed before/);
    const other = await serveTcp(t, (socket) => socket.once('data', () => socket.end('220 ready\r\n')));
    assertFailure(await openScrape(t)(target(other.address), soon()), 'connect', /not HTTP/);
  });

  test('the size limit: one byte below it passes, the limit itself fails', async (t) => {
    const server = await serveHttp(t, ({ url }, response) => response.end('x'.repeat(Number(url.slice(1)))));
    const scrape = openScrape(t);
    assert.equal((await scrape(target(server.address, { path: '/999' }), soon())).code, 'page');
    for (const path of ['/1000', '/1001']) {
      assertFailure(await scrape(target(server.address, { path }), soon()), 'body_size_limit', /1000 bytes/);
    }
  });

  test('a body that ended early', async (t) => {
    const server = await serveTcp(t, (socket) => {
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nup 1\n'));
    });
    assertFailure(await openScrape(t)(target(server.address), soon()), 'body', /ended early/);
  });

  test('the sooner of the timeout and the deadline ends the whole scrape', async (t) => {
    const silent = await serveTcp(t, (socket) => socket.resume());
    const scrape = openScrape(t);
    const byTimeout = await scrape(target(silent.address, { timeoutMs: 100 }), soon());
    assertFailure(byTimeout, 'timeout', /100 ms.*scrape_timeout/);
    assertFailure(await scrape(target(silent.address), soon(100)), 'timeout', /\d+ ms/);
    const connections = silent.connections();
    assertFailure(await scrape(target(silent.address), soon(-1)), 'timeout', /0 ms/);
    assert.equal(silent.connections(), connections);
  });

  test('the timeout is not renewed by a fallback, a redirect or a drip', async (t) => {
    const server = await serveHttp(t, ({ url }, response) => {
      if (url === '/v1/metrics') setTimeout(() => response.writeHead(404).end(), 150);
      else if (url === '/metrics')
        setTimeout(() => response.writeHead(307, { location: '/metrics/' }).end(), 150);
      else {
        const timer = setInterval(() => response.write('#\n'), 20);
        response.on('close', () => clearInterval(timer));
      }
    });
    const startMs = clock.monotonicMs();
    const result = await openScrape(t)(target(server.address, { path: '', timeoutMs: 500 }), soon());
    assertFailure(result, 'timeout', /500 ms/);
    assert.ok(clock.monotonicMs() - startMs < 5_000);
  });
});

describe('redirects', () => {
  const to = (location: string) => (response: ServerResponse) =>
    void response.writeHead(307, { location }).end();

  test('relative ones are followed, nine of them; the tenth is the end, as in Go', async (t) => {
    const server = await serveHttp(t, ({ url }, response) => {
      const left = Number(url.slice('/left/'.length));
      if (left === 0) response.end(PAGE);
      else to(left % 2 === 0 ? `${left - 1}` : `/left/${left - 1}`)(response);
    });
    const scrape = openScrape(t);
    const left = (redirects: number) => target(server.address, { path: `/left/${redirects}` });
    assertPage(await scrape(left(MAX_REDIRECTS - 1), soon()), '/left/9');
    assert.equal(server.requests.length, MAX_REDIRECTS);
    assertFailure(await scrape(left(MAX_REDIRECTS), soon()), 'redirect', /stopped after 10 redirects/);
    assert.equal(server.requests.length, 2 * MAX_REDIRECTS);
  });

  test('a full URL of the same host is the same host', async (t) => {
    const server = await serveHttp(t, ({ url, headers }, response) => {
      if (url === '/metrics') to(`http://${headers.host}/metrics/`)(response);
      else response.end(PAGE);
    });
    assertPage(await openScrape(t)(target(server.address), soon()), '/metrics');
  });

  test('another host or port is followed, and told nothing but the path', async (t) => {
    const other = await serveHttp(t, (_, response) => response.end(PAGE));
    const scrape = openScrape(t);
    for (const location of [
      `http://${other.address}/other?a=b`,
      `//${other.address}/other?a=b`,
      `http://planted:planted@localhost:${other.port}/other?a=b#planted`,
    ]) {
      const server = await serveHttp(t, (_, response) => to(location)(response));
      assertPage(await scrape(target(server.address, { params: [['key', 'own']] }), soon()), '/metrics');
      const seen = other.requests.at(-1);
      assert.equal(seen?.url, '/other?a=b');
      assert.deepEqual(Object.keys(seen.headers).sort(), [
        'accept',
        'accept-encoding',
        'connection',
        'host',
        'user-agent',
        'x-prometheus-scrape-timeout-seconds',
      ]);
    }
    assert.equal(other.requests.length, 3);
  });

  test('follow_redirects: false takes the redirect for the answer', async (t) => {
    const server = await serveHttp(t, (_, response) =>
      to('http://planted:planted@10.0.0.1/a?planted')(response),
    );
    const result = await openScrape(t)(target(server.address, { followRedirects: false }), soon());
    assertFailure(result, 'status', /redirects to http:\/\/10\.0\.0\.1\/a, and follow_redirects is false/);
    assert.ok('message' in result && !result.message.includes('planted'));
    assert.equal(server.requests.length, 1);
  });

  test('to a link-local address, in whatever notation: refused where it would be connected to', async (t) => {
    const scrape = openScrape(t);
    for (const host of [
      '169.254.169.254',
      '2852039166',
      '0xa9fea9fe',
      '0251.0376.0251.0376',
      '[::ffff:a9fe:a9fe]',
    ]) {
      for (const scheme of ['http', 'https']) {
        const server = await serveHttp(t, (_, response) =>
          to(`${scheme}://${host}/latest/meta-data/`)(response),
        );
        assertFailure(await scrape(target(server.address), soon()), 'connect', /link-local/);
      }
    }
  });

  test('one that leads nowhere', async (t) => {
    const scrape = openScrape(t);
    const bad = await serveHttp(t, (_, response) => to('http://[')(response));
    assertFailure(await scrape(target(bad.address), soon()), 'redirect', /cannot be read/);
    const none = await serveHttp(t, (_, response) => response.writeHead(302).end());
    assertFailure(await scrape(target(none.address), soon()), 'status', /302.*names no address/);
    const loop = await serveHttp(t, (_, response) => to('/metrics')(response));
    assertFailure(await scrape(target(loop.address), soon()), 'redirect', /stopped after 10/);
    assert.equal(loop.requests.length, MAX_REDIRECTS);
    for (const location of ['file:///etc/passwd', 'ftp://127.0.0.1/', 'data:,up']) {
      const odd = await serveHttp(t, (_, response) => to(location)(response));
      assertFailure(await scrape(target(odd.address), soon()), 'redirect', /instead of http: or https:/);
    }
  });
});
