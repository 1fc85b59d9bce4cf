import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { describe, test } from 'node:test';
import { ATTEMPT_TIMEOUT_MS, MAX_ATTEMPTS, createExport } from '../../functions/adapters/export.ts';
import { answering, openExport } from './export-bench.ts';
import { closedPort, serveHttp, serveTcp, testCertificate } from './local-servers.ts';

describe('retries', () => {
  test('row 11: 429 and 503 are tried again until accepted, with a doubling wait', async (t) => {
    const server = await answering(t, 503, 429, 503, 200);
    const { send, waits, attempts } = openExport(t, `http://${server.address}`);
    assert.equal((await send()).code, 'accepted');
    assert.deepEqual(waits, [500, 1_000, 2_000]);
    assert.deepEqual(
      attempts.map((attempt) => attempt.status),
      [503, 429, 503, 200],
    );
  });

  test('the last attempt counts as well', async (t) => {
    const server = await answering(t, ...Array<number>(MAX_ATTEMPTS - 1).fill(503), 200);
    assert.equal((await openExport(t, `http://${server.address}`).send()).code, 'accepted');
    assert.equal(server.requests.length, MAX_ATTEMPTS);
  });

  test('an attempt takes its own timeout, or the deadline when that is sooner', async () => {
    const deadlines: number[] = [];
    const exportBody = createExport({
      clock: { wallMs: () => 0, monotonicMs: () => 1_000 },
      http: {
        request: ({ deadlineMs }) => {
          deadlines.push(deadlineMs);
          return Promise.resolve({ code: 'answer', status: 200, headers: {}, body: new Uint8Array() });
        },
        close: () => Promise.resolve(),
      },
      endpoint: () => Promise.resolve('http://127.0.0.1:1'),
      token: () => Promise.resolve(undefined),
      tokenRequired: false,
    });
    const own = 1_000 + ATTEMPT_TIMEOUT_MS;
    for (const deadlineMs of [own - 1, own, own + 1]) await exportBody(new Uint8Array(), deadlineMs);
    assert.deepEqual(deadlines, [own - 1, own, own]);
  });

  for (const status of [429, 503]) {
    test(`${status} for ever ends after ${MAX_ATTEMPTS} attempts`, async (t) => {
      const server = await answering(t, status);
      const { send, waits } = openExport(t, `http://${server.address}`);
      assert.equal((await send()).code, 'retry');
      assert.equal(server.requests.length, MAX_ATTEMPTS);
      assert.deepEqual(waits, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
    });
  }

  test('the jitter is half the wait, either way', async (t) => {
    const server = await answering(t, 503, 200, 503, 200);
    const least = openExport(t, `http://${server.address}`, { random: () => 0 });
    await least.send();
    const most = openExport(t, `http://${server.address}`, { random: () => 0.999 });
    await most.send();
    assert.deepEqual([least.waits, most.waits], [[250], [750]]);
  });

  test('refused connections are retried; a wait that would pass the deadline ends at once', async (t) => {
    const { send, waits, attempts } = openExport(t, `http://127.0.0.1:${await closedPort()}`);
    const outcome = await send();
    assert.equal(outcome.code, 'retry');
    assert.equal(waits.length, MAX_ATTEMPTS - 1);
    assert.ok(attempts.every((attempt) => attempt.status === undefined));

    const hurried = openExport(t, `http://127.0.0.1:${await closedPort()}`);
    assert.equal((await hurried.send(400)).code, 'retry');
    assert.deepEqual(hurried.waits, []);
  });

  test('a deadline that is over sends nothing', async (t) => {
    const server = await answering(t, 200);
    assert.equal((await openExport(t, `http://${server.address}`).send(0)).code, 'retry');
    assert.equal(server.connections(), 0);
  });

  test('failed TLS is before the first byte', async (t) => {
    const server = await serveHttp(t, (_, response) => response.end(), true);
    const stranger = openExport(t, `https://localhost:${server.port}`);
    const outcome = await stranger.send(400);
    assert.ok(outcome.code === 'retry' && outcome.message.includes('self-signed'));
    assert.equal(server.requests.length, 0);
    const trusting = openExport(t, `https://localhost:${server.port}`, { ca: testCertificate });
    assert.equal((await trusting.send()).code, 'accepted');
  });

  test('row 13: the server says how long', async (t) => {
    const date = 'Tue, 24 Nov 2026 20:00:00 GMT';
    const inTenSeconds = `${Date.UTC(2026, 10, 24, 20, 0, 10)}000`;
    const says: readonly (readonly [Readonly<Record<string, string>>, waitMs: number])[] = [
      [{ 'retry-after': '7' }, 7_000],
      [{ 'retry-after': 'Tue, 24 Nov 2026 20:00:05 GMT', date }, 5_000],
      [{ 'x-ratelimit-reset': inTenSeconds, date }, 10_000],
      [{ 'retry-after': '3', 'x-ratelimit-reset': inTenSeconds, date }, 3_000],
      [{ 'retry-after': 'soon', 'x-ratelimit-reset': inTenSeconds, date }, 10_000],
      // Nothing usable: the backoff.
      [{ 'retry-after': '0' }, 500],
      [{ 'retry-after': '-5' }, 500],
      [{ 'retry-after': 'Tue, 24 Nov 2026 19:00:00 GMT', date }, 500],
      [{ 'x-ratelimit-reset': '1', date }, 500],
      [{ 'x-ratelimit-reset': 'later', date }, 500],
    ];
    for (const [headers, waitMs] of says) {
      const server = await serveHttp(t, (_, response: ServerResponse, nth) => {
        response.writeHead(nth === 1 ? 429 : 200, headers).end();
      });
      const { send, waits } = openExport(t, `http://${server.address}`);
      assert.equal((await send()).code, 'accepted');
      assert.deepEqual(waits, [waitMs], JSON.stringify(headers));
    }
    const server = await serveHttp(t, (_, response) =>
      response.writeHead(429, { 'retry-after': '601' }).end(),
    );
    const { send, waits } = openExport(t, `http://${server.address}`);
    assert.equal((await send()).code, 'retry');
    assert.deepEqual(waits, []);
    assert.equal(server.requests.length, 1);
  });
});

describe('silence after the first byte is unknown, and never repeated', () => {
  test('closed or reset', async (t) => {
    for (const end of ['destroy', 'resetAndDestroy', 'end'] as const) {
      const server = await serveTcp(t, (socket) => socket.once('data', () => socket[end]()));
      const outcome = await openExport(t, `http://${server.address}`).send();
      assert.equal(outcome.code, 'unknown', end);
      assert.equal(server.connections(), 1);
    }
  });

  test('no answer by the deadline, or one that is no HTTP', async (t) => {
    const silent = await serveTcp(t, (socket) => socket.resume());
    assert.equal((await openExport(t, `http://${silent.address}`).send(150)).code, 'unknown');
    assert.equal(silent.connections(), 1);
    const other = await serveTcp(t, (socket) => socket.once('data', () => socket.end('220 ready\r\n')));
    assert.equal((await openExport(t, `http://${other.address}`).send()).code, 'unknown');
  });

  test('after a retry as well', async (t) => {
    const server = await serveHttp(t, (_, response, nth) => {
      if (nth === 1) response.writeHead(503).end();
      else response.destroy();
    });
    assert.equal((await openExport(t, `http://${server.address}`).send()).code, 'unknown');
    assert.equal(server.requests.length, 2);
  });
});
