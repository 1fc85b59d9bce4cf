import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { ProtobufMetricsSerializer } from '@opentelemetry/otlp-transformer';
import { MAX_BODY_BYTES, MAX_REQUEST_POINTS, startReceiver } from '../../../functions/cli/world/receiver.ts';
import type { Receiver, ReceiverOptions, ScriptedAnswer } from '../../../functions/cli/world/receiver.ts';
import { bodyOf, MINUTE } from './otlp-body.ts';

const counterBody = bodyOf([{ kind: 'counter', name: 'tokens_total', value: 7 }]);
const badBody = bodyOf([{ kind: 'counter', name: 'tokens_total', cumulative: true }]);
const mixedBody = bodyOf([
  { kind: 'counter', name: 'tokens_total', cumulative: true },
  { kind: 'gauge', name: 'running', value: Number.NaN },
  { kind: 'gauge', name: 'waiting', value: 2 },
]);

async function started(t: TestContext, options: ReceiverOptions = {}): Promise<Receiver> {
  const receiver = await startReceiver({ nowMs: () => MINUTE + 60_000, ...options });
  t.after(receiver.close);
  return receiver;
}

function post(
  receiver: Receiver,
  body: Uint8Array,
  headers: Record<string, string> = {},
  path = '/v1/metrics',
): Promise<Response> {
  return fetch(receiver.endpoint + path, {
    method: 'POST',
    body: new Uint8Array(body),
    headers: { 'content-type': 'application/x-protobuf', ...headers },
  });
}

async function envelopeOf(response: Response): Promise<string> {
  assert.equal(response.headers.get('content-type'), 'application/json');
  const { error } = (await response.json()) as { error: { code: number; message: string } };
  assert.equal(error.code, response.status);
  return error.message;
}

async function partialSuccessOf(response: Response) {
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-type'), 'application/x-protobuf');
  const bytes = new Uint8Array(await response.arrayBuffer());
  const { partialSuccess } = ProtobufMetricsSerializer.deserializeResponse(bytes);
  return { rejected: Number(partialSuccess?.rejectedDataPoints), message: partialSuccess?.errorMessage };
}

describe('ordinary answers', () => {
  test('200 with an empty body, the points kept in order', async (t) => {
    const receiver = await started(t);
    assert.match(receiver.endpoint, /^http:\/\/127\.0\.0\.1:\d+\/api\/v2\/otlp$/);
    const heard: string[] = [];
    const stop = receiver.onPoints((points) => heard.push(...points.map(({ name }) => name)));
    const body = bodyOf([
      { kind: 'counter', name: 'tokens_total', value: 7 },
      { kind: 'histogram', name: 'ttft', attributes: { model_name: 'm' } },
    ]);
    const response = await post(receiver, body);
    assert.equal(response.status, 200);
    assert.equal((await response.arrayBuffer()).byteLength, 0);
    assert.deepEqual(
      receiver.points.map(({ kind, name }) => [kind, name]),
      [
        ['counter', 'tokens_total'],
        ['histogram', 'ttft'],
      ],
    );
    const [request] = receiver.requests;
    assert.ok(request);
    assert.deepEqual(
      [request.status, request.points, request.accepted, request.bytes],
      [200, 2, 2, body.length],
    );
    assert.deepEqual(receiver.violations, []);
    stop();
    await post(receiver, bodyOf([{ kind: 'gauge', name: 'waiting' }]));
    assert.deepEqual(heard, ['tokens_total', 'ttft']);
    receiver.clear();
    assert.deepEqual([receiver.points, receiver.requests, receiver.violations], [[], [], []]);
  });

  test('gzip', async (t) => {
    const receiver = await started(t);
    const response = await post(receiver, gzipSync(counterBody), { 'content-encoding': 'gzip' });
    assert.equal(response.status, 200);
    assert.equal(receiver.points.length, 1);
    assert.equal(receiver.requests[0]?.bytes, counterBody.length);
  });

  test('400 for gzip that does not unpack and for bytes that are no such message', async (t) => {
    const receiver = await started(t);
    const damaged = await post(receiver, gzipSync(counterBody).subarray(0, 20), {
      'content-encoding': 'gzip',
    });
    assert.equal(damaged.status, 400);
    assert.match(await envelopeOf(damaged), /could not be unpacked/);
    const json = await post(receiver, Buffer.from('{"resourceMetrics":[]}'));
    assert.equal(json.status, 400);
    assert.match(await envelopeOf(json), /no ExportMetricsServiceRequest/);
  });

  test('200 with a partial success where some points are rejected', async (t) => {
    const receiver = await started(t);
    const { rejected, message } = await partialSuccessOf(await post(receiver, mixedBody));
    assert.equal(rejected, 2);
    assert.equal(
      message,
      'The following issues were encountered while ingesting OTLP metrics:\nErrors:\n' +
        "Unsupported metric: 'tokens_total' - Reason: UNSUPPORTED_METRIC_TYPE_MONOTONIC_CUMULATIVE_SUM\n" +
        "Metric value dropped. key: 'running' details: 'Value was NaN' - Reason: VALUE_INVALID",
    );
    assert.deepEqual(
      receiver.points.map(({ name }) => name),
      ['waiting'],
    );
  });

  test('400 where all are', async (t) => {
    const receiver = await started(t);
    const response = await post(receiver, badBody);
    assert.equal(response.status, 400);
    assert.match(await envelopeOf(response), /^The following issues[^]*MONOTONIC_CUMULATIVE_SUM$/);
    assert.equal(receiver.points.length, 0);
  });

  test('404, 405, 415', async (t) => {
    const receiver = await started(t);
    assert.equal((await post(receiver, counterBody, {}, '/v1/traces')).status, 404);
    assert.equal((await post(receiver, counterBody, {}, '')).status, 404);
    assert.equal((await fetch(`${receiver.endpoint}/v1/metrics`)).status, 405);
    const json = await post(receiver, counterBody, { 'content-type': 'application/json' });
    assert.equal(json.status, 415);
    await envelopeOf(json);
    assert.equal(receiver.points.length, 0);
    assert.equal(receiver.requests.length, 4);
  });

  test('401 without the token or with another, 200 with it', async (t) => {
    const receiver = await started(t, { token: 'secret' });
    const statusWith = async (headers: Record<string, string>) =>
      (await post(receiver, counterBody, headers)).status;
    assert.equal(await statusWith({}), 401);
    assert.equal(await statusWith({ authorization: 'Api-Token other' }), 401);
    assert.equal(await statusWith({ authorization: 'Bearer secret' }), 401);
    assert.equal(await statusWith({ authorization: 'Api-Token secret' }), 200);
    assert.equal(receiver.points.length, 1);
  });

  test('a platform token is a Bearer, and nothing else', async (t) => {
    const receiver = await started(t, { token: 'dt0s16.PUBLIC.SECRET' });
    const statusWith = async (authorization: string) =>
      (await post(receiver, counterBody, { authorization })).status;
    assert.equal(await statusWith('Api-Token dt0s16.PUBLIC.SECRET'), 401);
    assert.equal(await statusWith('Bearer dt0s16.PUBLIC.SECRET'), 200);
  });

  test('415 for another encoding than gzip', async (t) => {
    const receiver = await started(t);
    assert.equal((await post(receiver, counterBody, { 'content-encoding': 'deflate' })).status, 415);
    assert.equal((await post(receiver, counterBody, { 'content-encoding': 'identity' })).status, 200);
  });
});

describe('limits', () => {
  const bodyOfBytes = (bytes: number) => {
    // A longer description makes a longer body; its length takes four bytes of its own at this size.
    const missing = bytes - bodyOf([{ kind: 'gauge', description: 'x'.repeat(bytes - 1000) }]).length;
    return bodyOf([{ kind: 'gauge', description: 'x'.repeat(bytes - 1000 + missing) }]);
  };

  test('a body at the byte limit is taken, one byte more is 413, packed or not', async (t) => {
    const receiver = await started(t);
    const atLimit = bodyOfBytes(MAX_BODY_BYTES);
    const above = bodyOfBytes(MAX_BODY_BYTES + 1);
    assert.deepEqual([atLimit.length, above.length], [MAX_BODY_BYTES, MAX_BODY_BYTES + 1]);
    const gzip = { 'content-encoding': 'gzip' };
    assert.equal((await post(receiver, atLimit)).status, 200);
    assert.equal((await post(receiver, gzipSync(atLimit), gzip)).status, 200);
    const refused = await post(receiver, above);
    assert.equal(refused.status, 413);
    assert.match(await envelopeOf(refused), /OTLP_MESSAGE_MAX_SIZE_EXCEEDED/);
    assert.equal((await post(receiver, gzipSync(above), gzip)).status, 413);
    assert.equal(receiver.points.length, 2);
  });

  test('15,000 points are taken, one more is 413', async (t) => {
    const receiver = await started(t);
    const body = (count: number) =>
      bodyOf(Array.from({ length: count }, (_, i) => ({ kind: 'gauge', attributes: { i } })));
    assert.equal((await post(receiver, body(MAX_REQUEST_POINTS))).status, 200);
    assert.equal((await post(receiver, body(MAX_REQUEST_POINTS + 1))).status, 413);
    assert.equal(receiver.points.length, MAX_REQUEST_POINTS);
  });
});

test('requests up to the access limit are let in, one more is 429 and told when to come back', async (t) => {
  let nowMs = MINUTE + 60_000;
  const receiver = await started(t, { requestsPerMinute: 2, nowMs: () => nowMs });
  const send = () => post(receiver, bodyOf([{ kind: 'gauge', name: 'running' }]));
  assert.deepEqual([(await send()).status, (await send()).status], [200, 200]);
  const refused = await send();
  assert.equal(refused.status, 429);
  assert.match(await envelopeOf(refused), /Too many requests/);
  assert.deepEqual(
    ['limit', 'remaining', 'reset'].map((name) => refused.headers.get(`x-ratelimit-${name}`)),
    ['2', '0', String((MINUTE + 120_000) * 1_000)],
  );
  nowMs += 59_999;
  assert.equal((await send()).status, 429);
  nowMs += 1;
  assert.equal((await send()).status, 200);
});

test('points beyond one per series and minute are counted, not refused', async (t) => {
  const receiver = await started(t);
  const at = (timeMs: number) => post(receiver, bodyOf([{ kind: 'gauge', timeMs }]));
  for (const timeMs of [MINUTE, MINUTE + 30_000, MINUTE + 59_999, MINUTE + 60_000]) await at(timeMs);
  assert.deepEqual([receiver.points.length, receiver.pointsTooMany(), receiver.violations], [4, 2, []]);
  receiver.clear();
  assert.equal(receiver.pointsTooMany(), 0);
});

test('a point that is too old is rejected beside one that is not', async (t) => {
  const receiver = await started(t);
  const old = { kind: 'gauge', name: 'old', timeMs: MINUTE - 3_600_000 } as const;
  const { rejected, message } = await partialSuccessOf(
    await post(receiver, bodyOf([old, { kind: 'gauge', name: 'new' }])),
  );
  assert.equal(rejected, 1);
  assert.match(message ?? '', /'old'.*TIMESTAMP_INVALID/);
});

test('of more points than are kept the oldest go, a tenth at a time', async (t) => {
  const receiver = await started(t, { maxPoints: 10 });
  const send = (count: number) =>
    post(receiver, bodyOf(Array.from({ length: count }, (_, i) => ({ kind: 'gauge', name: `gauge${i}` }))));
  await send(11);
  assert.equal(receiver.points.length, 11);
  await send(1);
  assert.deepEqual([receiver.points.length, receiver.points[0]?.name], [10, 'gauge2']);
});

describe('violations', () => {
  test('a body sent twice is two points at the same time and an overlap', async (t) => {
    const receiver = await started(t);
    await post(receiver, counterBody);
    await post(receiver, counterBody);
    assert.equal(receiver.points.length, 2);
    assert.match(receiver.violations[0] ?? '', /^two points at time/);
    assert.match(receiver.violations[1] ?? '', /overlaps/);
  });

  test('a negative delta is accepted and noted', async (t) => {
    const receiver = await started(t);
    assert.equal((await post(receiver, bodyOf([{ kind: 'counter', value: -1 }]))).status, 200);
    assert.deepEqual(receiver.violations, ['counter: negative delta -1']);
  });

  test('windows that touch are none', async (t) => {
    const receiver = await started(t);
    await post(receiver, counterBody);
    await post(receiver, bodyOf([{ kind: 'counter', name: 'tokens_total', startMs: MINUTE + 60_000 }]));
    assert.deepEqual(receiver.violations, []);
  });
});

describe('scripted faults', () => {
  async function scripted(t: TestContext, script: ScriptedAnswer): Promise<Receiver> {
    return started(t, { answer: ({ index }) => (index === 0 ? script : undefined) });
  }

  /** The first request meets the fault, the second an ordinary answer. */
  async function assertRecovers(receiver: Receiver, acceptedBefore: number): Promise<void> {
    assert.equal(receiver.points.length, acceptedBefore);
    const later = bodyOf([{ kind: 'gauge', name: 'later' }]);
    assert.equal((await post(receiver, later)).status, 200);
    assert.equal(receiver.points.length, acceptedBefore + 1);
  }

  test('a status with headers and a body', async (t) => {
    const headers = { 'retry-after': '2' };
    const receiver = await scripted(t, { status: 503, headers, body: 'busy', contentType: 'text/plain' });
    const response = await post(receiver, counterBody);
    assert.equal(response.status, 503);
    assert.equal(response.headers.get('retry-after'), '2');
    assert.equal(await response.text(), 'busy');
    await assertRecovers(receiver, 0);
  });

  test('a status is answered even where the request would be refused', async (t) => {
    const receiver = await scripted(t, { status: 429 });
    assert.equal((await post(receiver, counterBody, { 'content-type': 'text/plain' })).status, 429);
  });

  for (const [script, accepted] of [
    [{ hang: true }, 0],
    [{ acceptAndHang: true }, 1],
  ] as const) {
    test(`${Object.keys(script)[0]}: no answer, and close ends the connection`, async (t) => {
      const receiver = await scripted(t, script);
      const pending = post(receiver, counterBody).then(
        () => 'answered',
        () => 'ended',
      );
      while (receiver.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      assert.equal(receiver.requests[0]?.status, undefined);
      await assertRecovers(receiver, accepted);
      await receiver.close();
      assert.equal(await pending, 'ended');
    });
  }

  for (const [script, accepted] of [
    [{ reset: true }, 0],
    [{ acceptAndReset: true }, 1],
  ] as const) {
    test(`${Object.keys(script)[0]}: the connection breaks`, async (t) => {
      const receiver = await scripted(t, script);
      await assert.rejects(post(receiver, counterBody));
      assert.equal(receiver.requests[0]?.status, undefined);
      await assertRecovers(receiver, accepted);
    });
  }

  test('acceptAnd: the points are kept, whatever the answer says', async (t) => {
    const receiver = await scripted(t, {
      acceptAnd: { status: 200, body: '{"ok":true}', contentType: 'application/json' },
    });
    const response = await post(receiver, counterBody);
    assert.deepEqual(await response.json(), { ok: true });
    await assertRecovers(receiver, 1);
  });

  test('rejectPoints: all but the first n are kept', async (t) => {
    const receiver = await scripted(t, { rejectPoints: 2, message: 'why' });
    const names = ['first', 'second', 'third'];
    const response = await post(receiver, bodyOf(names.map((name) => ({ kind: 'gauge', name }))));
    assert.deepEqual(await partialSuccessOf(response), { rejected: 2, message: 'why' });
    assert.equal(receiver.points[0]?.name, 'third');
    await assertRecovers(receiver, 1);
  });

  test('a script sees the request and may answer later', async (t) => {
    const seen: unknown[] = [];
    const receiver = await started(t, {
      answer: async ({ index, path, headers, bytes, points }) => {
        seen.push([index, path, headers['content-type'], bytes, points.map(({ name }) => name)]);
        await new Promise((resolve) => setImmediate(resolve));
        return undefined;
      },
    });
    assert.equal((await post(receiver, mixedBody)).status, 200);
    const path = '/api/v2/otlp/v1/metrics';
    assert.deepEqual(seen, [[0, path, 'application/x-protobuf', mixedBody.length, ['waiting']]]);
  });
});

test('a port in use is an error that names it', async (t) => {
  const receiver = await started(t);
  const port = Number(new URL(receiver.endpoint).port);
  await assert.rejects(startReceiver({ port }), new RegExp(`cannot listen on 127.0.0.1:${port}: .*; choose`));
});
