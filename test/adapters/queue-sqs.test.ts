import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { DeleteMessageCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { systemClock } from '../../functions/adapters/clock.ts';
import { createQueue, MAX_BATCH_BYTES } from '../../functions/adapters/queue-sqs.ts';
import { FAKE_AWS } from '../fakes/aws-json.ts';
import { startSqs } from '../fakes/sqs.ts';

const closing: (() => unknown)[] = [];
after(() => Promise.all(closing.map((close) => close())));

async function setUp(options: { readonly wallMs?: () => number; readonly maxAttempts?: number } = {}) {
  const sqs = await startSqs(options);
  const client = new SQSClient({
    ...FAKE_AWS,
    endpoint: sqs.endpoint,
    maxAttempts: options.maxAttempts ?? 3,
  });
  closing.push(sqs.close, () => client.destroy());
  const queue = createQueue({ client, queueUrl: sqs.queueUrl, clock: systemClock });
  return { sqs, client, queue };
}

const soon = () => systemClock.monotonicMs() + 30_000;

function messages(n: number, body = '{}') {
  return Array.from({ length: n }, (_, shard) => ({ shard, body, deduplicationId: `tick-${n}-${shard}` }));
}

describe('send', () => {
  for (const [n, requests] of [
    [0, 0],
    [1, 1],
    [10, 1],
    [11, 2],
    [128, 13],
  ] as const) {
    test(`${n} messages in ${requests} requests`, async () => {
      const { sqs, queue } = await setUp();
      assert.deepEqual(await queue.send(messages(n), soon()), []);
      assert.equal(sqs.calls.length, requests);
      assert.equal(sqs.messages.length, n);
      assert.equal(new Set(sqs.messages.map((message) => message.groupId)).size, n);
    });
  }

  test('group, body and deduplication id', async () => {
    const { sqs, queue } = await setUp();
    await queue.send([{ shard: 7, body: '{"ä":1}', deduplicationId: '60000-8-7' }], soon());
    const [message] = sqs.messages;
    assert.equal(message?.groupId, 'shard-7');
    assert.equal(message?.body, '{"ä":1}');
    assert.equal(message?.deduplicationId, '60000-8-7');
  });

  test('a batch is full at 1 MiB, counted in bytes', async () => {
    const { sqs, queue } = await setUp();
    const half = 'ä'.repeat(MAX_BATCH_BYTES / 4);
    assert.deepEqual(await queue.send(messages(2, half), soon()), []);
    assert.equal(sqs.calls.length, 1);
    assert.deepEqual(await queue.send(messages(3, half), soon()), []);
    assert.equal(sqs.calls.length, 3);
  });

  test('a message at 1 MiB is sent, one byte more is too large and stops no other', async () => {
    const { sqs, queue } = await setUp();
    const [first, second, third] = [1, 2, 3].map((shard) => ({ shard, deduplicationId: `${shard}` }));
    assert.ok(first && second && third);
    const failures = await queue.send(
      [
        { ...first, body: 'x'.repeat(MAX_BATCH_BYTES) },
        { ...second, body: 'x'.repeat(MAX_BATCH_BYTES + 1) },
        { ...third, body: '{}' },
      ],
      soon(),
    );
    assert.deepEqual(
      failures.map(({ shard, code }) => [shard, code]),
      [[2, 'too_large']],
    );
    assert.equal(sqs.messages.length, 2);
  });

  test('the same deduplication id twice is one message, until five minutes have passed', async () => {
    let nowMs = 0;
    const { sqs, queue } = await setUp({ wallMs: () => nowMs });
    await queue.send(messages(1), soon());
    nowMs = 299_999;
    await queue.send(messages(1), soon());
    assert.equal(sqs.messages.length, 1);
    nowMs = 300_000;
    await queue.send(messages(1), soon());
    assert.equal(sqs.messages.length, 2);
  });

  test('a lost answer queues nothing twice', async () => {
    const { sqs, queue } = await setUp();
    sqs.failNext('drop');
    assert.deepEqual(await queue.send(messages(3), soon()), []);
    assert.equal(sqs.messages.length, 3);
    assert.equal(sqs.calls.length, 2);
  });
});

describe('failures', () => {
  test('an entry that SQS refuses is named, the others are queued', async () => {
    const { sqs, queue } = await setUp();
    sqs.failEntries((entry) =>
      entry.Id === '1' ? { code: 'InvalidMessageContents', senderFault: true } : undefined,
    );
    const message = 'cannot send shard 1: InvalidMessageContents; the next tick tries again';
    assert.deepEqual(await queue.send(messages(3), soon()), [{ shard: 1, code: 'refused', message }]);
    assert.equal(sqs.messages.length, 2);
    assert.equal(sqs.calls.length, 1);
  });

  test("an entry that failed by SQS's own fault is sent again, three times in all", async () => {
    const { sqs, queue } = await setUp();
    let left = 2;
    sqs.failEntries((entry) =>
      entry.MessageGroupId === 'shard-1' && left-- > 0
        ? { code: 'InternalError', senderFault: false }
        : undefined,
    );
    assert.deepEqual(await queue.send(messages(3), soon()), []);
    assert.equal(sqs.messages.length, 3);
    assert.equal(sqs.calls.length, 3);
    sqs.failEntries(() => ({ code: 'InternalError', senderFault: false }));
    const failures = await queue.send(messages(2), soon());
    assert.deepEqual(
      failures.map(({ code }) => code),
      ['refused', 'refused'],
    );
    assert.equal(sqs.calls.length, 6);
  });

  test('a request that fails names its ten shards, the other requests go through', async () => {
    const { sqs, queue } = await setUp({ maxAttempts: 1 });
    sqs.failNext('QueueDoesNotExist');
    const failures = await queue.send(messages(11), soon());
    assert.equal(sqs.messages.length + failures.length, 11);
    assert.ok(failures.length === 1 || failures.length === 10);
    assert.ok(failures.every(({ code }) => code === 'failed'));
    assert.match(failures[0]?.message ?? '', /; check the URL of the queue and the region$/);
  });

  test('no answer before the deadline, and nothing sent after it', async () => {
    const { sqs, queue } = await setUp();
    sqs.failNext('hang');
    const [late] = await queue.send(messages(1), systemClock.monotonicMs() + 50);
    assert.equal(late?.code, 'failed');
    assert.match(late?.message ?? '', /no answer before the deadline/);
    const [tooLate] = await queue.send(messages(1), systemClock.monotonicMs());
    assert.equal(tooLate?.code, 'failed');
    assert.equal(sqs.calls.length, 1);
  });
});

test('the fake keeps a group locked while one of its messages is in flight', async () => {
  let nowMs = 0;
  const { sqs, client, queue } = await setUp({ wallMs: () => nowMs });
  const send = (deduplicationId: string) => queue.send([{ shard: 1, body: '{}', deduplicationId }], soon());
  await send('a');
  await send('b');
  const receive = async () => {
    const command = new ReceiveMessageCommand({ QueueUrl: sqs.queueUrl, VisibilityTimeout: 90 });
    return (await client.send(command)).Messages?.[0];
  };
  const first = await receive();
  assert.equal(first?.Attributes?.MessageDeduplicationId, 'a');
  assert.equal(await receive(), undefined);
  nowMs = 90_000;
  const again = await receive();
  assert.equal(again?.MessageId, first?.MessageId);
  assert.equal(again?.Attributes?.ApproximateReceiveCount, '2');
  await client.send(
    new DeleteMessageCommand({ QueueUrl: sqs.queueUrl, ReceiptHandle: again?.ReceiptHandle }),
  );
  assert.equal((await receive())?.Attributes?.MessageDeduplicationId, 'b');
});
