import assert from 'node:assert/strict';
import type { LookupFunction } from 'node:net';
import { describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { systemClock } from '../../functions/adapters/clock.ts';
import { MAX_ANSWER_BYTES } from '../../functions/adapters/export.ts';
import { createHttp } from '../../functions/adapters/http.ts';
import type { ExportOutcome } from '../../functions/core/outcome.ts';
import { BODY, PUBLIC, SECRET, TOKEN, answering, openExport } from './export-bench.ts';
import { serveHttp, serveTcp } from './local-servers.ts';

/** ExportMetricsServiceResponse with a partial success. */
function partialSuccess(rejected: number, message: string): Buffer {
  const text = Buffer.from(message);
  const inner = Buffer.concat([Buffer.from([0x08, ...varint(rejected), 0x12, ...varint(text.length)]), text]);
  return Buffer.concat([Buffer.from([0x0a, ...varint(inner.length)]), inner]);
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
}

describe('the request', () => {
  test('row 1: binary protobuf, gzip, of known length, with the token', async (t) => {
    const server = await serveHttp(t, (_, response) => response.end());
    const { send, attempts } = openExport(t, `http://${server.address}/api/v2/otlp/`);
    assert.deepEqual(await send(), { code: 'accepted' });
    const [request] = server.requests;
    assert.equal(request?.method, 'POST');
    assert.equal(request.url, '/api/v2/otlp/v1/metrics');
    assert.equal(request.headers['content-type'], 'application/x-protobuf');
    assert.equal(request.headers['content-encoding'], 'gzip');
    assert.equal(request.headers['content-length'], String(request.body.length));
    assert.equal(request.headers.authorization, `Api-Token ${TOKEN}`);
    assert.deepEqual(gunzipSync(request.body), BODY);
    const [attempt] = attempts;
    assert(Number.isFinite(attempt?.dateMs));
    assert.deepEqual(
      { ...attempt, dateMs: 0, durationMs: 0 },
      { status: 200, dateMs: 0, bytes: BODY.length, gzipBytes: request.body.length, durationMs: 0 },
    );
  });

  test('row 2: a platform token is a Bearer; space around a token is none of it', async (t) => {
    const server = await serveHttp(t, (_, response) => response.end());
    const { send } = openExport(t, `http://${server.address}`, {
      token: () => Promise.resolve(' dt0s16.A.B\n'),
    });
    assert.equal((await send()).code, 'accepted');
    assert.equal(server.requests[0]?.headers.authorization, 'Bearer dt0s16.A.B');
  });

  test('no token goes out without TLS: nobody is asked', async (t) => {
    const names: string[] = [];
    const lookup: LookupFunction = (name, _, callback) => {
      names.push(name);
      callback(Object.assign(new Error('no name'), { code: 'ENOTFOUND' }), '');
    };
    const http = createHttp({ clock: systemClock, lookup });
    t.after(() => http.close());
    const endpoint = 'http://gate.example.com:9999/e/abc/api/v2/otlp';
    const refused = await openExport(t, endpoint, { http }).send();
    assert(refused.code === 'refused' && refused.status === 0);
    assert.match(
      refused.message,
      /it would send the token unencrypted; store https:\/\/gate\.example\.com:9999/,
    );
    assert.deepEqual(names, []);

    const token = () => Promise.resolve(undefined);
    const without = await openExport(t, endpoint, {
      http,
      token,
      tokenRequired: false,
      maxAttempts: 1,
    }).send();
    assert.equal(without.code, 'retry');
    assert.deepEqual(names, ['gate.example.com']);
  });

  test('no endpoint, no token: named states, and nothing is sent', async (t) => {
    const server = await serveHttp(t, (_, response) => response.end());
    const base = `http://${server.address}`;
    for (const nothing of [undefined, '', ' \n']) {
      const missing = () => Promise.resolve(nothing);
      assert.equal((await openExport(t, base, { endpoint: missing }).send()).code, 'waiting_for_endpoint');
      assert.equal((await openExport(t, base, { token: missing }).send()).code, 'waiting_for_token');
    }
    assert.equal(server.requests.length, 0);

    const { send } = openExport(t, base, { token: () => Promise.resolve(undefined), tokenRequired: false });
    assert.equal((await send()).code, 'accepted');
    assert.equal(server.requests[0]?.headers.authorization, undefined);
  });

  test('row 1: an endpoint that cannot work is refused with the fix', async (t) => {
    const outcome = await openExport(t, 'https://abc.apps.dynatrace.com').send();
    assert.ok(outcome.code === 'refused' && outcome.status === 0);
    assert.match(outcome.message, /https:\/\/abc\.live\.dynatrace\.com\/api\/v2\/otlp/);
    const withUser = await openExport(t, 'https://PLANTED:PLANTED@gate.example.com').send();
    assert.ok(withUser.code === 'refused' && withUser.status === 0);
  });

  test('a token that no header can carry is read again once, then refused', async (t) => {
    const server = await serveHttp(t, (_, response) => response.end());
    const bad = `Api-Token ${TOKEN}`;
    const refused = openExport(t, `http://${server.address}`, { token: () => Promise.resolve(bad) });
    const outcome = await refused.send();
    assert.ok(outcome.code === 'refused' && outcome.status === 0);
    assert.deepEqual(refused.tokenReads, [false, true]);
    assert.equal(server.requests.length, 0);

    const corrected = openExport(t, `http://${server.address}`, {
      token: (fresh) => Promise.resolve(fresh ? TOKEN : `${PUBLIC}\n${SECRET}`),
    });
    assert.equal((await corrected.send()).code, 'accepted');
  });
});

describe('2xx is accepted, whatever the body says', () => {
  const bodies: readonly (readonly [string, string, Buffer | string])[] = [
    ['empty protobuf', 'application/x-protobuf', ''],
    ['a message without a rejection', 'application/x-protobuf', partialSuccess(0, 'a warning')],
    ['garbage called protobuf', 'application/x-protobuf', '<html>'],
    ['truncated protobuf', 'application/x-protobuf', partialSuccess(3, 'why').subarray(0, 4)],
    ['a partial success under another type', 'application/json', partialSuccess(3, 'why')],
    ['JSON', 'application/json', '{"partialSuccess":{"rejectedDataPoints":"3"}}'],
    ['HTML', 'text/html', '<html>PLANTED</html>'],
    ['more than is read', 'application/x-protobuf', Buffer.alloc(MAX_ANSWER_BYTES + 1)],
  ];
  const WARNINGS: Readonly<Record<string, RegExp>> = {
    'a message without a rejection': /^a warning$/,
    'garbage called protobuf': /with a web page/,
    HTML: /^cannot tell whether .*: it answered status 202 with a web page, .*; if nothing arrives there, store/,
  };
  for (const [name, type, body] of bodies) {
    test(name, async (t) => {
      const server = await serveHttp(t, (_, response) =>
        response.writeHead(202, { 'content-type': type }).end(body),
      );
      const outcome = await openExport(t, `http://${server.address}`).send();
      assert.equal(outcome.code, 'accepted');
      const warning = 'warning' in outcome ? outcome.warning : '';
      assert.match(warning ?? '', WARNINGS[name] ?? /^$/);
      assert.ok(!warning?.includes('PLANTED'));
    });
  }

  test('even when the connection ends within it', async (t) => {
    const head = 'HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 100\r\n\r\nhalf';
    const server = await serveTcp(t, (socket) => socket.once('data', () => socket.end(head)));
    assert.deepEqual(await openExport(t, `http://${server.address}`).send(), { code: 'accepted' });
    const hanging = await serveTcp(t, (socket) => socket.once('data', () => socket.write(head)));
    assert.deepEqual(await openExport(t, `http://${hanging.address}`).send(200), { code: 'accepted' });
  });

  test('row 12: a partial success names what was rejected', async (t) => {
    const server = await serveHttp(t, (_, response) => {
      response.setHeader('content-type', 'application/x-protobuf; v=1');
      response.end(partialSuccess(3, `Reason: VALUE_INVALID ${TOKEN}`));
    });
    const outcome = await openExport(t, `http://${server.address}`).send();
    assert.deepEqual(outcome, { code: 'partial', rejectedPoints: 3, message: 'Reason: VALUE_INVALID ***' });
  });
});

test('an answer below the limit is read whole, one at the limit is accepted and not read', async (t) => {
  const overhead = partialSuccess(3_000, 'x'.repeat(1_000_000)).length - 1_000_000;
  const longest = MAX_ANSWER_BYTES - overhead - 1;
  const server = await serveHttp(t, (_, response, nth) => {
    response.setHeader('content-type', 'application/x-protobuf');
    response.end(partialSuccess(3_000, 'x'.repeat(longest + nth - 1)));
  });
  const { send } = openExport(t, `http://${server.address}`);
  const outcome = await send();
  assert.ok(
    outcome.code === 'partial' && outcome.rejectedPoints === 3_000 && outcome.message.length === longest,
  );
  assert.deepEqual(await send(), { code: 'accepted' });
});

describe('a status that ends the attempt', () => {
  const ends: readonly (readonly [status: number, code: ExportOutcome['code'], text: RegExp])[] = [
    [301, 'refused', /redirect/],
    [307, 'refused', /redirect/],
    [304, 'refused', /304/],
    [400, 'malformed', /why 400 of \*\*\* or \*\*\*/],
    [402, 'refused', /licensed/],
    [404, 'refused', /environment id/],
    [405, 'refused', /405/],
    [408, 'unknown', /not known/],
    [413, 'too_large', /halved/],
    [415, 'refused', /protobuf/],
    [418, 'refused', /418/],
    [500, 'unknown', /why 500/],
    [501, 'unknown', /501/],
    [502, 'unknown', /502/],
    [504, 'unknown', /504/],
    [599, 'unknown', /599/],
  ];
  for (const [status, code, text] of ends) {
    test(`${status} is ${code}, after one attempt`, async (t) => {
      const server = await answering(t, status);
      const outcome = await openExport(t, `http://${server.address}`).send();
      assert.equal(outcome.code, code);
      assert.ok('message' in outcome);
      assert.match(outcome.message, text);
      if (outcome.code === 'refused') assert.equal(outcome.status, status);
      assert.equal(server.requests.length, 1);
    });
  }

  test('a redirect is not followed', async (t) => {
    const other = await serveHttp(t, (_, response) => response.end());
    const server = await serveHttp(t, (_, response) => {
      response.writeHead(308, { location: `http://${other.address}/` }).end();
    });
    assert.equal((await openExport(t, `http://${server.address}`).send()).code, 'refused');
    assert.equal(other.requests.length, 0);
  });

  test('an error text is cut at 300 characters, and what is no envelope is not shown', async (t) => {
    const envelope = (length: number) => JSON.stringify({ error: { message: 'x'.repeat(length) } });
    const texts: readonly (readonly [string, RegExp])[] = [
      [envelope(300), /status 400 \(x{300}\);/],
      [envelope(301), /status 400 \(x{300}\);/],
      ['[]', /status 400;/],
      ['null', /status 400;/],
      ['{"error":7}', /status 400;/],
      ['<html>', /status 400 with a web page, which is not how Dynatrace answers: .*;/],
      ['<!DOCTYPE html><html>PLANTED', /status 400 with a web page,/],
    ];
    for (const [text, shown] of texts) {
      const server = await serveHttp(t, (_, response) => response.writeHead(400).end(text));
      const outcome = await openExport(t, `http://${server.address}`).send();
      assert.ok(outcome.code === 'malformed');
      assert.match(outcome.message, shown);
    }
  });
});

describe('row 2: 401 and 403', () => {
  for (const status of [401, 403]) {
    test(`${status}: the token is read again once, and tried when it changed`, async (t) => {
      const server = await answering(t, status, 200);
      const { send, tokenReads, waits } = openExport(t, `http://${server.address}`, {
        token: (fresh) => Promise.resolve(fresh ? 'dt0s16.NEW.NEW' : TOKEN),
      });
      assert.equal((await send()).code, 'accepted');
      assert.deepEqual(tokenReads, [false, true]);
      assert.deepEqual(waits, []);
      assert.deepEqual(
        server.requests.map((request) => request.headers.authorization),
        [`Api-Token ${TOKEN}`, 'Bearer dt0s16.NEW.NEW'],
      );
    });

    test(`${status}: the same token is refused at once, a changed one after its own answer`, async (t) => {
      const server = await answering(t, status);
      const same = openExport(t, `http://${server.address}`);
      const outcome = await same.send();
      assert.ok(outcome.code === 'refused' && outcome.status === status);
      assert.match(outcome.message, status === 403 ? /metrics\.ingest/ : /token is valid/);
      assert.equal(server.requests.length, 1);

      const changed = openExport(t, `http://${server.address}`, {
        token: (fresh) => Promise.resolve(fresh ? `${TOKEN}TWO` : TOKEN),
      });
      assert.equal((await changed.send()).code, 'refused');
      assert.equal(server.requests.length, 3);
      assert.deepEqual(changed.tokenReads, [false, true]);
    });
  }

  test('a token that is gone is waited for', async (t) => {
    const server = await answering(t, 401);
    const { send } = openExport(t, `http://${server.address}`, {
      token: (fresh) => Promise.resolve(fresh ? undefined : TOKEN),
    });
    assert.equal((await send()).code, 'waiting_for_token');
  });
});
