import assert from 'node:assert/strict';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import { systemClock as clock, sleepMs } from '../../functions/adapters/clock.ts';
import { USER_AGENT, createHttp } from '../../functions/adapters/http.ts';
import type { Http, HttpRequest, HttpResult } from '../../functions/adapters/http.ts';
import { closedPort, serveHttp, serveTcp, testCertificate } from './local-servers.ts';

type Options = Partial<Omit<HttpRequest, 'url' | 'deadlineMs'>> & { readonly withinMs?: number };

function openHttp(t: TestContext, more: { ca?: string; connectTimeoutMs?: number } = {}): Http {
  const http = createHttp({ clock, ...more });
  t.after(() => http.close());
  return http;
}

function ask(http: Http, url: string, { withinMs = 10_000, ...more }: Options = {}): Promise<HttpResult> {
  const deadlineMs = clock.monotonicMs() + withinMs;
  return http.request({
    method: 'GET',
    headers: {},
    maxBytes: 1_000,
    ...more,
    url: new URL(url),
    deadlineMs,
  });
}

const post: Options = { method: 'POST', body: Buffer.from('a body') };

/** Resolves once a request with the six bytes of `post` has arrived whole. */
function onWholePost(socket: Socket, then: () => void): void {
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
    if (text.endsWith('a body')) then();
  });
}

function rawAnswer(...parts: readonly (string | Buffer)[]) {
  return (socket: Socket) => {
    socket.once('data', () => socket.end(Buffer.concat(parts.map((part) => Buffer.from(part)))));
  };
}

describe('before the first byte', () => {
  test('refused, unresolved and blocked connections were surely not sent', async (t) => {
    const http = openHttp(t);
    const refused = await ask(http, `http://127.0.0.1:${await closedPort()}/`, post);
    assert.deepEqual(refused, { code: 'connect', sent: false, cause: 'the connection was refused' });

    const unresolved = await ask(http, 'http://does-not-exist.invalid/', post);
    assert.ok(unresolved.code !== 'answer' && !unresolved.sent, unresolved.code);

    for (const host of ['169.254.0.1', '[::ffff:169.254.0.1]', '[fe80::1]', '[fd00:ec2::254]']) {
      const blocked = await ask(http, `http://${host}/`);
      assert.ok(blocked.code === 'connect' && blocked.cause.includes('link-local'), host);
    }
  });

  test('TLS that cannot be verified was not sent; with its authority it is', async (t) => {
    const server = await serveHttp(t, (_, response) => response.end('fine'), true);
    const url = `https://localhost:${server.port}/`;
    const stranger = await ask(openHttp(t), url, post);
    assert.ok(
      stranger.code === 'tls' && !stranger.sent && stranger.cause.includes('self-signed'),
      stranger.code,
    );
    assert.equal(server.requests.length, 0);

    const trusting = openHttp(t, { ca: testCertificate });
    const trusted = await ask(trusting, url, post);
    assert.ok(trusted.code === 'answer' && trusted.status === 200);
    assert.equal(server.requests[0]?.headers['user-agent'], USER_AGENT);
  });

  test('the certificate must name the host', async (t) => {
    const server = await serveHttp(t, (_, response) => response.end(), true);
    const http = openHttp(t, { ca: testCertificate });
    const result = await ask(http, `https://${server.address}/`, post);
    assert.ok(result.code === 'tls' && !result.sent && result.cause.includes('altnames'), result.code);
    assert.equal(server.requests.length, 0);
  });

  test('https to a plain port is a TLS failure', async (t) => {
    const server = await serveHttp(t, (_, response) => response.end());
    const result = await ask(openHttp(t), `https://${server.address}/`, post);
    assert.ok(result.code === 'tls' && !result.sent, result.code);
  });

  test('a handshake that hangs ends at the deadline or the connect timeout', async (t) => {
    const silent = await serveTcp(t, () => undefined);
    const url = `https://${silent.address}/`;
    const late = await ask(openHttp(t), url, { ...post, withinMs: 100 });
    assert.deepEqual(late, { code: 'timeout', sent: false, cause: 'no connection in time' });

    const result = await ask(openHttp(t, { connectTimeoutMs: 100 }), url, post);
    assert.ok(result.code === 'connect' && !result.sent, result.code);
  });

  test('a connection that is ready after the deadline carries nothing', async (t) => {
    const server = await serveHttp(t, (_, response) => response.end(), true);
    const ended = Promise.withResolvers<void>();
    const slow = await serveTcp(t, (socket) => {
      setTimeout(() => {
        const onward = connect(server.port, '127.0.0.1');
        onward.on('error', () => socket.destroy()).on('close', () => ended.resolve());
        socket.on('close', () => onward.destroy());
        socket.pipe(onward).pipe(socket);
      }, 300);
    });
    const http = openHttp(t, { ca: testCertificate });
    const result = await ask(http, `https://localhost:${slow.port}/`, { ...post, withinMs: 100 });
    assert.deepEqual(result, { code: 'timeout', sent: false, cause: 'no connection in time' });
    // By then the handshake has gone through, and no request came after it.
    while (server.connections() === 0) await sleepMs(10);
    await sleepMs(200);
    await http.close();
    await ended.promise;
    assert.equal(server.requests.length, 0);
  });

  test('no time left: no connection', async (t) => {
    const server = await serveHttp(t, (_, response) => response.end());
    const http = openHttp(t);
    for (const withinMs of [0, -1]) {
      const result = await ask(http, `http://${server.address}/`, { withinMs });
      assert.ok(result.code === 'timeout' && !result.sent);
    }
    assert.equal(server.connections(), 0);
  });
});

describe('after the first byte', () => {
  const endings: readonly (readonly [string, (socket: Socket) => void])[] = [
    ['closed after the headers', (socket) => socket.once('data', () => socket.destroy())],
    ['reset after the headers', (socket) => socket.once('data', () => socket.resetAndDestroy())],
    ['closed after the body', (socket) => onWholePost(socket, () => socket.destroy())],
    ['reset after the body', (socket) => onWholePost(socket, () => socket.resetAndDestroy())],
    ['ended after the body', (socket) => onWholePost(socket, () => socket.end())],
  ];
  for (const [name, ending] of endings) {
    test(`a POST ${name} was perhaps received, and is not repeated`, async (t) => {
      const server = await serveTcp(t, ending);
      const result = await ask(openHttp(t), `http://${server.address}/`, post);
      assert.ok(result.code === 'reset' && result.sent, result.code);
      assert.equal(server.connections(), 1);
    });
  }

  test('closed at accept: never called unsent when bytes arrived', async (t) => {
    let received = 0;
    const server = await serveTcp(t, (socket) => {
      socket.on('data', (chunk) => (received += chunk.length));
      socket.resetAndDestroy();
    });
    const result = await ask(openHttp(t), `http://${server.address}/`, { ...post, withinMs: 2_000 });
    assert.ok(result.code !== 'answer');
    assert.ok(result.sent || received === 0);
  });

  test('a POST that is never answered: the connection ends with the deadline', async (t) => {
    const closed = Promise.withResolvers<void>();
    const server = await serveTcp(t, (socket) => socket.resume().on('close', () => closed.resolve()));
    const result = await ask(openHttp(t), `http://${server.address}/`, { ...post, withinMs: 150 });
    assert.deepEqual(result, { code: 'timeout', sent: true, cause: 'no answer in time' });
    await closed.promise;
  });

  test('an interim answer is none', async (t) => {
    const server = await serveTcp(t, rawAnswer('HTTP/1.1 103 Early Hints\r\n\r\n'));
    const result = await ask(openHttp(t), `http://${server.address}/`, post);
    assert.ok(result.code === 'reset' && result.sent, result.code);
  });

  test('an answer that is no HTTP', async (t) => {
    const server = await serveTcp(t, rawAnswer('SSH-2.0-OpenSSH_9.9\r\n'));
    const result = await ask(openHttp(t), `http://${server.address}/`);
    assert.deepEqual(result, { code: 'protocol', sent: true, cause: 'the answer is not HTTP' });
  });

  test('headers without end', async (t) => {
    const server = await serveTcp(t, rawAnswer(`HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(20_000)}\r\n`));
    const result = await ask(openHttp(t), `http://${server.address}/`);
    assert.equal(result.code, 'protocol');
  });
});

describe('connections', () => {
  test('a GET on a connection that went stale is tried again, on another one', async (t) => {
    const server = await serveTcp(t, (socket) => {
      let requests = 0;
      socket.on('data', () => {
        requests += 1;
        if (requests === 2) socket.resetAndDestroy();
        else socket.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine');
      });
    });
    const http = openHttp(t);
    for (let round = 0; round < 2; round++) {
      const result = await ask(http, `http://${server.address}/`);
      assert.ok(result.code === 'answer' && Buffer.from(result.body).toString() === 'fine', result.code);
    }
    assert.equal(server.connections(), 2);
  });

  test('a GET that is always reset is tried twice', async (t) => {
    const server = await serveTcp(t, (socket) => socket.once('data', () => socket.resetAndDestroy()));
    const result = await ask(openHttp(t), `http://${server.address}/`);
    assert.equal(result.code, 'reset');
    assert.equal(server.connections(), 2);
  });

  test('GETs share a connection, each POST has its own', async (t) => {
    const server = await serveHttp(t, (_, response) => response.end('fine'));
    const http = openHttp(t);
    for (let round = 0; round < 3; round++) {
      await ask(http, `http://${server.address}/`);
      await sleepMs(10);
    }
    assert.equal(server.connections(), 1);
    // A client of its own for POSTs: here they even share the origin with GETs.
    const posting = openHttp(t);
    for (let round = 0; round < 3; round++) await ask(posting, `http://${server.address}/`, post);
    assert.equal(server.connections(), 4);
    assert.equal(server.requests.at(-1)?.headers.connection, 'close');
    assert.equal(server.requests.at(-1)?.headers['content-length'], '6');
  });
});

describe('answers', () => {
  test('headers joined in lower case; interim answers skipped; user information not sent', async (t) => {
    const head = 'HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 418 Teapot\r\nX-One: 1\r\nX-one: 2\r\n';
    const seen: string[] = [];
    const server = await serveTcp(t, (socket) => {
      socket.once('data', (chunk) => seen.push(chunk.toString()));
      rawAnswer(head, 'content-length: 2\r\n\r\nhi')(socket);
    });
    const result = await ask(openHttp(t), `http://user:planted@${server.address}/a%20b?c=d#e`);
    assert.ok(result.code === 'answer' && result.status === 418 && result.headers['x-one'] === '1, 2');
    assert.ok(seen[0]?.startsWith('GET /a%20b?c=d HTTP/1.1\r\n'), seen[0]);
    assert.doesNotMatch(seen.join(), /planted|authorization/i);
  });

  const bodies: readonly (readonly [string, (size: number) => readonly (string | Buffer)[]])[] = [
    ['content-length', (size) => [`content-length: ${size}\r\n\r\n`, 'x'.repeat(size)]],
    ['close-delimited', (size) => ['\r\n', 'x'.repeat(size)]],
    [
      'chunked',
      (size) => [
        `transfer-encoding: chunked\r\n\r\n${size.toString(16)}\r\n`,
        'x'.repeat(size),
        '\r\n0\r\n\r\n',
      ],
    ],
    ['gzip', (size) => ['content-encoding: gzip\r\n\r\n', gzipSync('x'.repeat(size))]],
    [
      'gzip that grew',
      (size) => ['content-encoding: x-gzip\r\n\r\n', gzipSync('x'.repeat(size), { level: 0 })],
    ],
  ];
  for (const [name, body] of bodies) {
    test(`${name}: one byte below the limit is whole, the limit is not`, async (t) => {
      for (const [size, code] of [
        [999, undefined],
        [1_000, 'limit'],
        [1_001, 'limit'],
      ] as const) {
        const server = await serveTcp(t, rawAnswer('HTTP/1.1 200 OK\r\n', ...body(size)));
        const result = await ask(openHttp(t), `http://${server.address}/`, { maxBytes: 1_000 });
        assert.ok(result.code === 'answer');
        assert.equal(result.flaw?.code, code);
        if (size === 999) assert.equal(result.body.length, 999);
        assert.ok(result.body.length <= 1_000);
      }
    });
  }

  test('a gzip bomb stops while unpacking', async (t) => {
    const bomb = Buffer.concat(Array<Buffer>(512).fill(gzipSync(Buffer.alloc(1 << 20))));
    const server = await serveHttp(t, (_, response) =>
      response.setHeader('content-encoding', 'gzip').end(bomb),
    );
    const before = process.memoryUsage().rss;
    const result = await ask(openHttp(t), `http://${server.address}/`, { maxBytes: 1 << 20 });
    assert.ok(result.code === 'answer' && result.flaw?.code === 'limit' && result.body.length === 0);
    assert.ok(process.memoryUsage().rss - before < 128 << 20, 'half a gigabyte was not unpacked');
  });

  for (const encoding of ['identity', 'gzip']) {
    test(`an endless ${encoding} body stops at the limit`, async (t) => {
      const noise = Buffer.alloc(65_536, 'x');
      const server = await serveHttp(t, (_, response) => {
        response.setHeader('content-encoding', encoding);
        const more = () => {
          while (!response.destroyed && response.write(noise));
        };
        response.on('drain', more);
        more();
      });
      const result = await ask(openHttp(t), `http://${server.address}/`, { maxBytes: 1_000_000 });
      assert.ok(result.code === 'answer' && result.flaw?.code === 'limit');
      assert.equal(result.body.length, encoding === 'identity' ? 1_000_000 : 0);
    });
  }

  test('a body that drips for ever ends at the deadline, status known', async (t) => {
    const server = await serveHttp(t, (_, response) => {
      const timer = setInterval(() => response.write('x'), 20);
      response.on('close', () => clearInterval(timer));
    });
    const startMs = clock.monotonicMs();
    const result = await ask(openHttp(t), `http://${server.address}/`, { withinMs: 300 });
    assert.ok(result.code === 'answer' && result.status === 200 && result.flaw?.code === 'timeout');
    assert.ok(clock.monotonicMs() - startMs < 5_000);
  });

  const packed = gzipSync('x'.repeat(500));
  const broken: readonly (readonly [string, readonly (string | Buffer)[]])[] = [
    ['shorter than its content-length', ['content-length: 10\r\n\r\n', 'short']],
    ['chunked and cut', ['transfer-encoding: chunked\r\n\r\n', 'a\r\nshort']],
    ['gzip and cut', [`content-encoding: gzip\r\ncontent-length: 20\r\n\r\n`, packed.subarray(0, 20)]],
    ['gzip and empty', ['content-encoding: gzip\r\ncontent-length: 0\r\n\r\n']],
    ['not gzip', ['content-encoding: gzip\r\ncontent-length: 5\r\n\r\n', 'plain']],
    ['brotli', ['content-encoding: br\r\ncontent-length: 5\r\n\r\n', 'plain']],
  ];
  for (const [name, parts] of broken) {
    test(`a body that is ${name} is broken`, async (t) => {
      const server = await serveTcp(t, rawAnswer('HTTP/1.1 200 OK\r\n', ...parts));
      const result = await ask(openHttp(t), `http://${server.address}/`);
      assert.ok(result.code === 'answer' && result.status === 200);
      assert.equal(result.flaw?.code, 'broken');
    });
  }
});
