/**
 * Half a page is never a whole one: pages cut at any byte, in each framing of RFC 9112 section 6.3. Where HTTP
 * itself cannot tell, the parser must; where nobody can, the cases are listed here.
 */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { systemClock as clock } from '../../functions/adapters/clock.ts';
import { createHttp } from '../../functions/adapters/http.ts';
import type { Http } from '../../functions/adapters/http.ts';
import { createScrape } from '../../functions/adapters/scrape.ts';
import { parseExposition } from '../../functions/core/exposition.ts';
import type { ScrapeResult } from '../../functions/core/ports.ts';
import { createSeriesTable } from '../../functions/core/series.ts';
import { createTarget } from '../../functions/core/targets.ts';
import { noSecrets } from '../fakes/secrets.ts';
import { HEARD_ENDINGS, cutPoints, inPool, messageBytes, whileServing, writeCut } from './cutting-servers.ts';
import type { Ending } from './cutting-servers.ts';

const PAGE = `# HELP request_success_total Requests that ended well.
# TYPE request_success_total counter
request_success_total{model_name="llama"} 120
request_success_total{model_name="mistral"} 7
# TYPE time_to_first_token_seconds histogram
time_to_first_token_seconds_bucket{le="0.5"} 100
time_to_first_token_seconds_bucket{le="+Inf"} 120
time_to_first_token_seconds_count 120
time_to_first_token_seconds_sum 31.25
num_requests_running 3
`;

const TIMEOUT_MS = 5_000;
const STALL_TIMEOUT_MS = 250;
const WIDTH = 32;

let http: Http;

before(() => {
  http = createHttp({ clock });
});

after(() => http.close());

function scrape(address: string, timeoutMs: number): Promise<ScrapeResult> {
  const target = createTarget({
    job: 'nim',
    instance: address,
    scheme: 'http',
    address,
    path: '/v1/metrics',
    params: [],
  });
  const deadlineMs = clock.monotonicMs() + timeoutMs;
  return createScrape({ http, clock, secrets: noSecrets })({ ...target, timeoutMs }, deadlineMs);
}

function withLength(headers: string, body: Buffer): Buffer {
  const head = `HTTP/1.1 200 OK\r\n${headers}content-length: ${body.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), body]);
}

function chunked(headers: string, body: Buffer): Buffer {
  const parts: Buffer[] = [Buffer.from(`HTTP/1.1 200 OK\r\n${headers}transfer-encoding: chunked\r\n\r\n`)];
  for (let at = 0; at < body.length; at += 100) {
    const part = body.subarray(at, at + 100);
    parts.push(Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n'));
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')]);
}

function untilClose(version: '1.0' | '1.1', headers: string, body: Buffer): Buffer {
  const close = version === '1.0' ? '' : 'connection: close\r\n';
  return Buffer.concat([Buffer.from(`HTTP/${version} 200 OK\r\n${headers}${close}\r\n`), body]);
}

const PACKED = gzipSync(PAGE);
const GZIP = 'content-encoding: gzip\r\n';
const CLOSE = 'connection: close\r\n';

interface Cut {
  readonly answer: Buffer;
  readonly cutAt: number;
  readonly ending: Ending;
}

/** Every connection is cut alike: the second try of a GET that was reset meets the same. */
function scrapeCut({ answer, cutAt, ending }: Cut): Promise<ScrapeResult> {
  const onSocket = (socket: Socket) => {
    let received: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length >= messageBytes(received)) writeCut(socket, answer, cutAt, ending);
    });
  };
  const timeoutMs = ending === 'stall' ? STALL_TIMEOUT_MS : TIMEOUT_MS;
  return whileServing(onSocket, (address) => scrape(address, timeoutMs));
}

/** Where a line of the page ends, from the start of the body. */
const LINE_ENDS = [...PAGE.matchAll(/\n/g)].map(({ index }) => index + 1);

/** Around the start of the body and `boundaries` within it, and at every `step`th byte. */
function cuts(
  answer: Buffer,
  step: number,
  endings: readonly Ending[] = HEARD_ENDINGS,
  boundaries: readonly number[] = [],
): Cut[] {
  const bodyAt = answer.indexOf('\r\n\r\n') + 4;
  const points = [0, ...boundaries].map((at) => bodyAt + at);
  return cutPoints(answer.length, step, points).flatMap((cutAt) =>
    endings.map((ending) => ({ answer, cutAt, ending })),
  );
}

describe('a page whose end HTTP knows', { concurrency: 3 }, () => {
  const framings: readonly (readonly [string, Buffer])[] = [
    ['content-length', withLength('', Buffer.from(PAGE))],
    ['content-length, closed after it', withLength(CLOSE, Buffer.from(PAGE))],
    ['chunked', chunked('', Buffer.from(PAGE))],
    ['chunked, closed after it', chunked(CLOSE, Buffer.from(PAGE))],
    ['gzip with content-length', withLength(GZIP, PACKED)],
    ['gzip, chunked', chunked(GZIP + CLOSE, PACKED)],
    ['gzip until close', untilClose('1.1', GZIP, PACKED)],
    ['gzip until close, HTTP/1.0', untilClose('1.0', GZIP, PACKED)],
  ];
  for (const [name, answer] of framings) {
    test(`${name}: cut anywhere it is no page`, async () => {
      let whole = 0;
      await inPool(cuts(answer, 9), WIDTH, async (cut) => {
        const result = await scrapeCut(cut);
        const where = `${cut.ending} at ${cut.cutAt}/${answer.length}`;
        if (cut.cutAt < answer.length) assert.notEqual(result.code, 'page', where);
        if (result.code !== 'page') return;
        assert.equal(Buffer.from(result.body).toString(), PAGE, where);
        assert.equal(result.complete, !name.startsWith('gzip until close'), where);
        whole += 1;
      });
      assert.ok(whole > 0, 'the whole page is one');
    });
  }
});

describe('a page that ends with its connection', { concurrency: 3 }, () => {
  for (const version of ['1.0', '1.1'] as const) {
    const answer = untilClose(version, '', Buffer.from(PAGE));
    const bodyAt = answer.indexOf('\r\n\r\n') + 4;

    test(`HTTP/${version}: reset or silent it is no page`, async () => {
      await inPool(cuts(answer, 9, ['reset', 'stall']), WIDTH, async (cut) => {
        const result = await scrapeCut(cut);
        assert.notEqual(result.code, 'page', `${cut.ending} at ${cut.cutAt}/${answer.length}`);
      });
    });

    test(`HTTP/${version}: closed anywhere, no family of it is whole`, async () => {
      await inPool(cuts(answer, 9, ['close'], LINE_ENDS), WIDTH, async (cut) => {
        const result = await scrapeCut(cut);
        if (cut.cutAt < bodyAt) return assert.notEqual(result.code, 'page', `at ${cut.cutAt}`);
        assert.ok(result.code === 'page', `at ${cut.cutAt}`);
        const parsed = parseExposition(result.body, createSeriesTable(), 1_000, result.complete);
        if (parsed.code === 'page') assert(parsed.page.refused.anywhere, `at ${cut.cutAt}`);
      });
    });
  }

  test('gzip in members: cut between two of them it unpacks, but is not complete', async () => {
    const half = PAGE.indexOf('# TYPE time');
    const first = gzipSync(PAGE.slice(0, half));
    const answer = untilClose('1.1', GZIP, Buffer.concat([first, gzipSync(PAGE.slice(half))]));
    const bodyAt = answer.indexOf('\r\n\r\n') + 4;
    const looksWhole: number[] = [];
    await inPool(cuts(answer, 5, ['close'], [first.length]), WIDTH, async (cut) => {
      const result = await scrapeCut(cut);
      if (result.code !== 'page') return;
      assert.equal(result.complete, false);
      if (cut.cutAt < answer.length) looksWhole.push(cut.cutAt - bodyAt);
    });
    assert.deepEqual(looksWhole, [first.length]);
  });
});
