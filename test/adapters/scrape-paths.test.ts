/** Where no path is configured: NIM's own, the fallback, and which answers lead from one to the other. */
import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { describe, test } from 'node:test';
import { systemClock as clock } from '../../functions/adapters/clock.ts';
import { MAX_REMEMBERED, createScrape } from '../../functions/adapters/scrape.ts';
import { noSecrets } from '../fakes/secrets.ts';
import { serveHttp } from './local-servers.ts';
import { PAGE, assertFailure, assertPage, only, openScrape, soon, target } from './scraping.ts';

describe('without a configured path', () => {
  test('NIM answers the first', async (t) => {
    const server = await serveHttp(t, only({ '/v1/metrics': (response) => response.end(PAGE) }));
    assertPage(await openScrape(t)(target(server.address, { path: '' }), soon()), '/v1/metrics');
    assert.equal(server.requests.length, 1);
  });

  test('the fallback is remembered, and forgotten when it is gone', async (t) => {
    let place = '/metrics';
    const server = await serveHttp(t, ({ url }, response) => {
      response.writeHead(url === place ? 200 : 404).end(PAGE);
    });
    const scrape = openScrape(t);
    const nim = target(server.address, { path: '' });
    const asked = async (path: string) => {
      const before = server.requests.length;
      assertPage(await scrape(nim, soon()), path);
      return server.requests.slice(before).map((request) => request.url);
    };
    assert.deepEqual(await asked('/metrics'), ['/v1/metrics', '/metrics']);
    assert.deepEqual(await asked('/metrics'), ['/metrics']);
    place = '/v1/metrics';
    assert.deepEqual(await asked('/v1/metrics'), ['/metrics', '/v1/metrics']);
    assert.deepEqual(await asked('/v1/metrics'), ['/v1/metrics']);
  });

  test('only a 200 is remembered, and a failure of the server itself does not lead on', async (t) => {
    let status = 503;
    const server = await serveHttp(
      t,
      only({ '/metrics': (response) => response.writeHead(status).end(PAGE) }),
    );
    const scrape = openScrape(t);
    const nim = target(server.address, { path: '' });
    assertFailure(await scrape(nim, soon()), 'status', /\/metrics: .*503/);
    status = 200;
    assertPage(await scrape(nim, soon()), '/metrics');
    assert.deepEqual(
      server.requests.map((request) => request.url),
      ['/v1/metrics', '/metrics', '/v1/metrics', '/metrics'],
    );
    status = 500;
    assertFailure(await scrape(nim, soon()), 'status', /500/);
    assert.equal(server.requests.length, 5);
  });

  test('404 on both names both', async (t) => {
    const server = await serveHttp(t, only({}));
    const result = await openScrape(t)(target(server.address, { path: '' }), soon());
    assertFailure(result, 'status', /\/v1\/metrics and \/metrics both answered status 404; .*metrics_path/);
  });

  test('what guards or covers one path alone leads to the other, also behind a redirect', async (t) => {
    const html = (response: ServerResponse) =>
      void response.writeHead(200, { 'content-type': 'Text/HTML; charset=utf-8' }).end('<html>');
    const refusals: Readonly<Record<string, (response: ServerResponse) => void>> = {
      '401': (response) => void response.writeHead(401).end(),
      '403': (response) => void response.writeHead(403).end(),
      '405': (response) => void response.writeHead(405).end(),
      html,
      login: (response) => void response.writeHead(302, { location: '/login' }).end(),
    };
    for (const [name, refuse] of Object.entries(refusals)) {
      const paths = { '/v1/metrics': refuse, '/login': html };
      const page = (response: ServerResponse) => void response.end(PAGE);
      const server = await serveHttp(t, only({ ...paths, '/metrics': page }));
      const scrape = openScrape(t);
      const vllm = target(server.address, { path: '' });
      assertPage(await scrape(vllm, soon()), '/metrics');
      const before = server.requests.length;
      assertPage(await scrape(vllm, soon()), '/metrics');
      assert.equal(server.requests.length, before + 1, `${name}: the fallback is remembered`);
      const alone = await scrape(target(server.address, { path: '/v1/metrics' }), soon());
      const isHtml = name === 'html' || name === 'login';
      assert.equal(alone.code, isHtml ? 'page' : 'status', `${name}: a configured path has no fallback`);
    }
  });

  test('other answers do not lead on: 402, 429, 503', async (t) => {
    for (const status of [402, 429, 503]) {
      const refuse = (response: ServerResponse) => void response.writeHead(status).end();
      const page = (response: ServerResponse) => void response.end(PAGE);
      const server = await serveHttp(t, only({ '/v1/metrics': refuse, '/metrics': page }));
      const result = await openScrape(t)(target(server.address, { path: '' }), soon());
      assertFailure(result, 'status', new RegExp(`/v1/metrics: .*${status}`));
      assert.equal(server.requests.length, 1);
    }
  });

  test('neither has the page: both answers are named, in the order of the paths', async (t) => {
    const refuse = (response: ServerResponse) => void response.writeHead(401).end();
    const server = await serveHttp(t, only({ '/v1/metrics': refuse }));
    const result = await openScrape(t)(target(server.address, { path: '' }), soon());
    const both =
      /: \/v1\/metrics answered status 401, and \/metrics status 404; check authorization, .*, check the port, or write metrics_path: /;
    assertFailure(result, 'status', both);
  });

  test('a configured path is taken as it is', async (t) => {
    const server = await serveHttp(t, only({ '/metrics': (response) => response.end(PAGE) }));
    assertFailure(
      await openScrape(t)(target(server.address, { path: '/v1/metrics' }), soon()),
      'status',
      /404/,
    );
    assert.equal(server.requests.length, 1);
  });

  test('what is remembered is bounded: the target remembered longest ago is asked anew', async () => {
    const asked: string[] = [];
    const scrape = createScrape({
      clock,
      secrets: noSecrets,
      http: {
        request: ({ url }) => {
          asked.push(url.pathname);
          const status = url.pathname === '/metrics' ? 200 : 404;
          return Promise.resolve({ code: 'answer', status, headers: {}, body: new Uint8Array() });
        },
        close: () => Promise.resolve(),
      },
    });
    const visit = async (key: number) => {
      asked.length = 0;
      await scrape(target('127.0.0.1:1', { key: String(key), path: '' }), soon());
      return asked.length;
    };
    for (let key = 0; key < MAX_REMEMBERED; key++) assert.equal(await visit(key), 2);
    assert.equal(await visit(0), 1, 'at the bound nothing is forgotten, and this one is now the latest');
    assert.equal(await visit(MAX_REMEMBERED), 2);
    assert.equal(await visit(0), 1);
    assert.equal(await visit(1), 2, 'one past the bound forgets one');
  });
});
