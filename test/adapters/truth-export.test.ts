/**
 * What the exporter says about a body, held against the ledger of the server that met it, for exchanges cut at any
 * byte of the request or the answer. Not for the table of statuses, which export.test.ts has.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { systemClock as clock } from '../../functions/adapters/clock.ts';
import { createExport } from '../../functions/adapters/export.ts';
import { createHttp } from '../../functions/adapters/http.ts';
import type { Http } from '../../functions/adapters/http.ts';
import type { ExportCode, ExportOutcome } from '../../functions/core/outcome.ts';
import {
  ENDINGS,
  HEARD_ENDINGS,
  arrivals,
  cutPoints,
  inPool,
  leave,
  messageBytes,
  whileServing,
  writeCut,
} from './cutting-servers.ts';
import type { Ending } from './cutting-servers.ts';

/** Long enough for several attempts without waiting for one, and what a stalled case costs. */
const DEADLINE_MS = 5_000;
const STALL_DEADLINE_MS = 250;
const WIDTH = 32;

const BODY = Buffer.from('metrics '.repeat(40));
/** The largest there is; it does not compress, so that the client is still writing it when the server acts. */
const LARGE_BODY = randomBytes(3 << 20);
/** Packing it takes a while where there are few cores. */
const LARGE_WIDTH = 4;
const LARGE_STALL_DEADLINE_MS = 700;

/** Codes after which the pipeline sends the body again, or counts it as never delivered. */
const NOT_ACCEPTED: readonly ExportCode[] = [
  'retry',
  'refused',
  'malformed',
  'too_large',
  'waiting_for_token',
  'waiting_for_endpoint',
];

/** What the server wrote down. */
interface Ledger {
  /** Connections on which a byte of a request came. */
  posts: number;
  /** Whether the first connection was one of them. */
  heard: boolean;
  /** Bodies it keeps: read whole and not turned down, or answered with 2xx whatever was read. */
  booked: number;
  /** Posts that began after a body had been booked. */
  postsAfterBooking: number;
}

/** The first connection meets this; all later ones a server that reads, books and answers 200. */
interface Script {
  /** After so many bytes of the request the server answers, or leaves; Infinity: when it has read it whole. */
  readonly readBytes: number;
  /** Undefined: it leaves without a word. */
  readonly answer?: Buffer;
  readonly cutAt?: number;
  readonly ending: Ending;
  /** Reads and books what still comes after its answer. */
  readonly readsOn?: boolean;
}

interface Case extends Script {
  readonly name: string;
  readonly body?: Buffer;
}

const FINE = Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');

/** 400, 413, 429 and 503 say that nothing was kept, and this server means it. */
const TURNED_DOWN = /^HTTP\/1\.[01] (?:400|413|429|503)/m;
const KEPT = /^HTTP\/1\.[01] 2/m;

function ledgerServer(ledger: Ledger, script: Script) {
  return (socket: Socket, nth: number) => {
    const { readBytes, answer, cutAt, ending, readsOn }: Script =
      nth === 1 ? script : { readBytes: Infinity, answer: FINE, ending: 'close' };
    const text = answer?.toString('latin1') ?? '';
    let received: Buffer = Buffer.alloc(0);
    let size = 0;
    let booked = false;
    let acted = false;
    const book = () => {
      if (!booked) ledger.booked += 1;
      booked = true;
    };
    const act = () => {
      acted = true;
      if (readsOn !== true) socket.off('data', onData);
      if (answer === undefined) return leave(socket, ending);
      // Nothing of a body is known before the first byte: an answer to no request keeps nothing.
      if (size > 0 && KEPT.test(text) && (cutAt ?? answer.length) > 0) book();
      writeCut(socket, answer, cutAt ?? answer.length, ending);
    };
    const onData = (chunk: Buffer) => {
      if (size === 0) {
        ledger.posts += 1;
        if (nth === 1) ledger.heard = true;
        if (ledger.booked > 0) ledger.postsAfterBooking += 1;
      }
      size += chunk.length;
      if (received.length < 65_536) received = Buffer.concat([received, chunk]);
      const whole = size >= messageBytes(received);
      if (whole && (readBytes >= messageBytes(received) || readsOn === true) && !TURNED_DOWN.test(text))
        book();
      if (!acted && (size >= readBytes || whole)) act();
    };
    socket.on('data', onData);
    if (readBytes === 0) act();
  };
}

let http: Http;

before(() => {
  http = createHttp({ clock });
});

after(() => http.close());

function send(address: string, body: Buffer, withinMs: number): Promise<ExportOutcome> {
  const exportBody = createExport({
    http,
    clock,
    endpoint: () => Promise.resolve(`http://${address}`),
    token: () => Promise.resolve('dt0c01.A.B'),
    tokenRequired: true,
    sleepMs: () => Promise.resolve(),
    random: () => 0,
  });
  return exportBody(body, clock.monotonicMs() + withinMs);
}

type Tally = Partial<Record<ExportCode, number>>;

/** Says how many cases ended in each code, so that a test can tell that its grid met them. */
async function judge(cases: readonly Case[]): Promise<Readonly<Tally>> {
  const tally: Tally = {};
  const lies: string[] = [];
  const isLarge = cases.some((one) => one.body === LARGE_BODY);
  const stallDeadlineMs = isLarge ? LARGE_STALL_DEADLINE_MS : STALL_DEADLINE_MS;
  await inPool(cases, isLarge ? LARGE_WIDTH : WIDTH, async (one) => {
    const ledger: Ledger = { posts: 0, heard: false, booked: 0, postsAfterBooking: 0 };
    const withinMs = one.ending === 'stall' ? stallDeadlineMs : DEADLINE_MS;
    const outcome = await whileServing(ledgerServer(ledger, one), async (address) => {
      const sent = await send(address, one.body ?? BODY, withinMs);
      await arrivals();
      return sent;
    });
    // On a busy machine a short deadline may pass before there is a connection: such a case tells nothing.
    const hasBegun = ledger.posts > 0 || outcome.code !== 'retry';
    if (hasBegun) tally[outcome.code] = (tally[outcome.code] ?? 0) + 1;
    const lie = lieOf(one, outcome, ledger);
    if (lie !== undefined)
      lies.push(`${one.name}, ${one.ending}: ${lie} ${JSON.stringify({ outcome, ledger })}`);
  });
  assert.equal(lies.length, 0, `${lies.length} lies\n${lies.slice(0, 20).join('\n')}`);
  return tally;
}

/** Of the cases that told something. */
function assertMostlyUnknown(tally: Readonly<Tally>): void {
  const told = Object.values(tally).reduce((sum, count) => sum + count, 0);
  assert.ok((tally.unknown ?? 0) > told * 0.8, JSON.stringify(tally));
}

function lieOf(script: Script, outcome: ExportOutcome, ledger: Ledger): string | undefined {
  const { booked, postsAfterBooking, heard } = ledger;
  const isAccepted = outcome.code === 'accepted' || outcome.code === 'partial';
  const isUnasked = script.readBytes === 0 && script.answer !== undefined;
  if (postsAfterBooking > 0) return 'posted again what was booked';
  if (booked > 1) return 'booked twice';
  if (NOT_ACCEPTED.includes(outcome.code) && booked > 0) return 'booked, yet not accepted';
  if (isAccepted && booked === 0 && !isUnasked) return 'accepted, not booked';
  if (heard && script.answer === undefined && outcome.code !== 'unknown') return 'heard without an answer';
  if (outcome.code === 'partial' && outcome.rejectedPoints !== REJECTED)
    return 'another count of rejected points';
  return undefined;
}

/** Where the request's headers and the request end. */
async function measureRequest(body: Buffer): Promise<{ readonly head: number; readonly whole: number }> {
  const measured = Promise.withResolvers<{ head: number; whole: number }>();
  const onSocket = (socket: Socket) => {
    let received: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      if (received.length < 65_536) received = Buffer.concat([received, chunk]);
      const whole = messageBytes(received);
      if (whole === Infinity) return;
      measured.resolve({ head: received.indexOf('\r\n\r\n') + 4, whole });
      socket.destroy();
    });
  };
  await whileServing(onSocket, (address) => send(address, body, DEADLINE_MS));
  return measured.promise;
}

describe('a request that is cut', () => {
  test('at any byte, in any way', async () => {
    const { head, whole } = await measureRequest(BODY);
    const cases = cutPoints(whole, 7, [head]).flatMap((readBytes) =>
      ENDINGS.map((ending): Case => ({ name: `request cut at ${readBytes}/${whole}`, readBytes, ending })),
    );
    assertMostlyUnknown(await judge(cases));
  });

  test('on one side only, while the server reads on and keeps the body', async () => {
    const { head, whole } = await measureRequest(BODY);
    const cases = cutPoints(whole, 11, [head]).map((readBytes): Case => ({
      name: `${readBytes}/${whole}`,
      readBytes,
      ending: 'half-close',
      readsOn: true,
    }));
    assertMostlyUnknown(await judge(cases));
  });

  test('while the client is still writing', async () => {
    const { head, whole } = await measureRequest(LARGE_BODY);
    const cases = [head, whole >> 1, whole].flatMap((readBytes) =>
      ENDINGS.map((ending): Case => ({ name: `${readBytes}/${whole}`, readBytes, ending, body: LARGE_BODY })),
    );
    assertMostlyUnknown(await judge(cases));
  });
});

const REJECTED = 300;

/** ExportMetricsServiceResponse: partial_success (1) with rejected_data_points (1) and error_message (2). */
const PARTIAL = Buffer.concat([
  Buffer.from([0x0a, 22, 0x08, 0xac, 0x02, 0x12, 17]),
  Buffer.from('17 invalid points'),
]);

const PROTOBUF = 'content-type: application/x-protobuf\r\n';

/** The framings of RFC 9112 section 6.3. */
function framings(status: string, headers: string, body: Buffer): Readonly<Record<string, Buffer>> {
  const head = `${status}\r\ndate: Tue, 24 Nov 2026 20:00:00 GMT\r\n${headers}`;
  const middle = body.length >> 1;
  const chunk = (part: Buffer) => [Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n')];
  return {
    'content-length': Buffer.concat([Buffer.from(`${head}content-length: ${body.length}\r\n\r\n`), body]),
    chunked: Buffer.concat([
      Buffer.from(`${head}transfer-encoding: chunked\r\n\r\n`),
      ...chunk(body.subarray(0, middle)),
      ...chunk(body.subarray(middle)),
      Buffer.from('0\r\n\r\n'),
    ]),
    'until close': Buffer.concat([Buffer.from(`${head}connection: close\r\n\r\n`), body]),
  };
}

/** Each framing of an answer, cut at each point, left in each way. */
function cutAnswers(status: string, headers: string, body: Buffer, step: number): Case[] {
  return Object.entries(framings(status, headers, body)).flatMap(([framing, answer]) =>
    cutPoints(answer.length, step, [status.length, answer.indexOf('\r\n\r\n') + 4]).flatMap((cutAt) =>
      HEARD_ENDINGS.map((ending): Case => {
        const name = `${status}, ${framing}, cut at ${cutAt}/${answer.length}`;
        return { name, readBytes: Infinity, answer, cutAt, ending };
      }),
    ),
  );
}

describe('an answer that is cut', { concurrency: 3 }, () => {
  test('200: unknown until its headers are whole, then accepted', async () => {
    const tally = await judge(cutAnswers('HTTP/1.1 200 OK', '', Buffer.from('{}'), 7));
    assert.deepEqual(Object.keys(tally).sort(), ['accepted', 'unknown']);
  });

  test('200 with a partial success: the count is right or missing', async () => {
    const cases = cutAnswers('HTTP/1.1 200 OK', PROTOBUF, PARTIAL, 7);
    assert.deepEqual(Object.keys(await judge(cases)).sort(), ['accepted', 'partial', 'unknown']);
  });

  const errorBody = Buffer.from('{"error":{"code":1,"message":"no"}}');
  for (const [status, codes] of [
    ['HTTP/1.1 400 Bad Request', ['malformed', 'unknown']],
    // The next attempt meets a server that answers: nothing was kept before.
    ['HTTP/1.1 503 Service Unavailable', ['accepted', 'retry', 'unknown']],
    ['HTTP/1.1 500 Internal Server Error', ['unknown']],
  ] as const) {
    test(`${status.slice(9)}`, async () => {
      const tally = await judge(cutAnswers(status, 'content-type: application/json\r\n', errorBody, 17));
      assert.deepEqual(Object.keys(tally).sort(), codes);
    });
  }
});

/** While the body is being written; the server reads on after half of its endings. */
async function earlyAnswers(status: string, body: Buffer, endings: readonly Ending[]): Promise<Case[]> {
  const answer = Buffer.from(`HTTP/1.1 ${status}\r\ncontent-length: 0\r\n\r\n`);
  const { head, whole } = await measureRequest(body);
  const points = body === LARGE_BODY ? [head, whole >> 1] : [1, head - 1, head, head + 1, whole - 1];
  return points.flatMap((readBytes) =>
    endings.flatMap((ending): Case[] => {
      const one = { name: `${status} after ${readBytes}/${whole}`, readBytes, answer, ending, body };
      return ending === 'half-close' ? [one, { ...one, readsOn: true }] : [one];
    }),
  );
}

describe('an answer that comes early', () => {
  for (const [status, codes] of [
    ['503 Service Unavailable', ['accepted', 'unknown', 'retry']],
    ['413 Content Too Large', ['too_large', 'unknown']],
    ['200 OK', ['accepted', 'unknown']],
  ] as const) {
    test(`${status}, before the body was read`, async () => {
      const tally = {
        ...(await judge(await earlyAnswers(status, BODY, ENDINGS))),
        ...(await judge(await earlyAnswers(status, LARGE_BODY, ['reset', 'half-close']))),
      };
      for (const code of Object.keys(tally))
        assert.ok(
          codes.some((known) => known === code),
          code,
        );
      assert.ok((tally[codes[0]] ?? 0) > 0);
    });
  }
});

describe('answers that no server should give', { concurrency: 3 }, () => {
  const interim = 'HTTP/1.1 100 Continue\r\n\r\n';
  const fine = FINE.toString();
  const busy = 'HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n';
  const odd: readonly (readonly [name: string, answer: string])[] = [
    ['100 unasked, then 200', interim + fine],
    ['100 twice, then 200', interim + interim + fine],
    ['100 and no more', interim],
    ['103, then 200', `HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${fine}`],
    ['103 and no more', 'HTTP/1.1 103 Early Hints\r\n\r\n'],
    ['102, then 503', `HTTP/1.1 102 Processing\r\n\r\n${busy}`],
    ['103 that claims a body, then 200', `HTTP/1.1 103 Early Hints\r\ncontent-length: 5\r\n\r\n${fine}`],
    [
      '101 to a protocol unasked for',
      'HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n',
    ],
    ['200 twice', fine + fine],
    ['200, then 503', fine + busy],
    ['503, then more that is no answer', `${busy}more`],
    ['200 without a length, kept open', 'HTTP/1.1 200 OK\r\nconnection: keep-alive\r\n\r\n'],
    ['200 longer than its length', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nlonger'],
    ['204 with a body', 'HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\nhello'],
    ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab'],
    [
      'length and chunks',
      'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['HTTP/1.0 200', 'HTTP/1.0 200 OK\r\n\r\n{}'],
    ['a status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n'],
    ['another protocol', 'SSH-2.0-OpenSSH_9.9\r\n'],
  ];
  test('each of them, kept open or not', async () => {
    const cases = odd.flatMap(([name, text]) =>
      ENDINGS.flatMap((ending): Case[] => {
        const answer = Buffer.from(text);
        return [
          { name, readBytes: Infinity, answer, ending },
          {
            name: `${name}, before the body`,
            readBytes: 1,
            answer,
            ending,
            readsOn: ending === 'half-close',
          },
        ];
      }),
    );
    const tally = await judge(cases);
    assert.ok((tally.accepted ?? 0) > 0 && (tally.unknown ?? 0) > 0);
  });

  test('an answer before the request, and none to it', async () => {
    const cases = [fine, busy, interim, 'HTTP/1.1 '].flatMap((text) =>
      ENDINGS.map((ending): Case => {
        return { name: `unasked ${text.slice(0, 12)}`, readBytes: 0, answer: Buffer.from(text), ending };
      }),
    );
    await judge(cases);
  });
});
