/** The timer's function: what stands in SSM becomes one queue message per tick, or a line that says why not. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { readMessage } from '../../functions/core/work.ts';
import { type Build, PREFIX, buildBundles, scheduleEvent, startDeployment } from '../fakes/deployment.ts';
import { eventsOf, lineOf } from '../fakes/lambda.ts';

const closing: (() => Promise<void>)[] = [];
after(() => Promise.all(closing.map((close) => close())));
let build: Build;
before(async () => (build = await buildBundles((close) => closing.push(close))));

/** Nothing but target documents: dispatch needs neither token nor endpoint. */
async function start(
  context: Parameters<typeof startDeployment>[0],
  documents: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string | undefined>> = {},
) {
  const parameters = () =>
    Object.fromEntries(Object.entries(documents).map(([name, value]) => [`targets/${name}`, value]));
  const deployment = await startDeployment(context, { build, nims: 0, parameters, env });
  const queued = () =>
    deployment.sqs.messages.map(({ body, ...about }) => {
      const read = readMessage(JSON.parse(body));
      assert(read.code === 'message', 'a message that its worker cannot read');
      return { ...about, body: read.message };
    });
  return { ...deployment, queued };
}

const TICK_MS = Date.parse('2026-01-01T00:00:00Z');

describe('documents', () => {
  test('become targets in one message of the tick', async (context) => {
    const { schedule, queued } = await start(context, {
      nim: '10.0.1.17:8000, 10.0.1.18:8000',
      vllm: 'vllm',
    });
    const { dispatched } = await schedule(TICK_MS);
    const { level, service, tickMs, documents, invalid, targets } = lineOf(dispatched, 'dispatch_finished');
    assert.deepEqual([level, service], ['INFO', 'dispatch']);
    assert.deepEqual([tickMs, documents, invalid, targets], [TICK_MS, 2, 0, 3]);
    const [message, ...others] = queued();
    assert.deepEqual(others, []);
    assert.deepEqual([message?.groupId, message?.deduplicationId], ['shard-0', `${TICK_MS}-1-0`]);
    assert.ok(message);
    const { tickMs: bodyTickMs, shards, shard, targets: sent } = message.body;
    assert.deepEqual([bodyTickMs, shards, shard], [TICK_MS, 1, 0]);
    assert.deepEqual(
      sent.map(({ job, instance }) => `${job} ${instance}`),
      ['nim 10.0.1.17:8000', 'nim 10.0.1.18:8000', 'vllm vllm'],
    );
  });

  test('a fraction of a second in the scheduled time makes no other tick', async (context) => {
    const { dispatch, queued } = await start(context, { nim: 'nim' });
    await dispatch.invoke({ scheduledTime: '2026-01-01T00:00:00.999Z' });
    assert.equal(queued()[0]?.body.tickMs, TICK_MS);
  });

  test('a bad one is named, and stops no other', async (context) => {
    const { schedule, queued } = await start(context, {
      bad: 'nim:0 nim:65536',
      good: 'nim:8000',
      yaml: 'job_name: x\nscrape_intervall: 1m\n',
    });
    const { dispatched } = await schedule();
    assert.deepEqual(
      dispatched.logs
        .filter(({ message }) => message === 'document_invalid')
        .map(({ level, document, problem }) => [level, document, String(problem).split(';')[0]]),
      [
        ['WARN', `${PREFIX}/targets/bad`, 'cannot read the address "nim:0": it is no host and port'],
        ['WARN', `${PREFIX}/targets/bad`, 'cannot read the address "nim:65536": it is no host and port'],
        ['WARN', `${PREFIX}/targets/yaml`, 'cannot use scrape_intervall: it is no key of a scrape_config'],
      ],
    );
    assert.equal(lineOf(dispatched, 'dispatch_finished')['invalid'], 2);
    assert.equal(dispatched.metrics[0]?.['documents.invalid'], 2);
    assert.deepEqual(
      queued()[0]?.body.targets.map(({ job }) => job),
      ['good'],
    );
  });

  test('a SecureString is named, and nothing in it is taken for a host', async (context) => {
    const { schedule, queued, ssm } = await start(context, { good: 'nim:8000' });
    ssm.put(`${PREFIX}/targets/secure`, 'PLANTED', 'SecureString');
    const { dispatched } = await schedule();
    assert.match(
      String(lineOf(dispatched, 'document_invalid')['problem']),
      /it is a SecureString; store it as a String/,
    );
    assert.deepEqual(
      queued()[0]?.body.targets.map(({ job }) => job),
      ['good'],
    );
  });

  test('user information is not printed', async (context) => {
    const { schedule, queued } = await start(context, { nim: 'http://PLANTED:PLANTED@nim:8000' });
    const { dispatched } = await schedule();
    assert.match(
      String(lineOf(dispatched, 'document_invalid')['problem']),
      /it holds a user name or password/,
    );
    assert.deepEqual(queued(), []);
  });

  test('none, or none with a target: nothing is queued, and one line says so', async (context) => {
    const { schedule, queued, ssm, sqs } = await start(context, {});
    const { dispatched: none } = await schedule();
    ssm.put(`${PREFIX}/targets/nim`, ' \n,');
    const { dispatched: empty } = await schedule();
    for (const [invocation, documents] of [
      [none, 0],
      [empty, 1],
    ] as const) {
      assert.deepEqual(eventsOf(invocation), ['dispatch_finished']);
      const line = lineOf(invocation, 'dispatch_finished');
      assert.deepEqual([line['documents'], line['targets'], line['invalid']], [documents, 0, 0]);
    }
    assert.deepEqual(queued(), []);
    assert.equal(sqs.calls.length, 0);
  });

  test('150 targets on 15 pages are sent, of 151 the last one is named', async (context) => {
    const addresses = Array.from({ length: 150 }, (_, i) => [`job-${100 + i}`, 'nim:8000'] as const);
    const { schedule, queued, ssm } = await start(context, Object.fromEntries(addresses));
    const { dispatched } = await schedule();
    assert.deepEqual(eventsOf(dispatched), ['dispatch_finished']);
    assert.equal(queued()[0]?.body.targets.length, 150);
    assert.equal(ssm.calls.length, 15);
    ssm.put(`${PREFIX}/targets/last`, 'nim:8000');
    const { dispatched: over } = await schedule();
    assert.match(String(lineOf(over, 'targets_over_limit')['problem']), /^cannot scrape 1 of 151 targets: /);
    assert.equal(queued()[1]?.body.targets.length, 150);
    assert.ok(!queued()[1]?.body.targets.some(({ job }) => job === 'last'));
  });
});

describe('AWS fails', () => {
  test('SSM throttles once: nobody notices', async (context) => {
    const { schedule, queued, ssm } = await start(context, { nim: 'nim' });
    ssm.failNext('ThrottlingException');
    const { dispatched } = await schedule();
    assert.deepEqual(eventsOf(dispatched), ['dispatch_finished']);
    assert.equal(queued().length, 1);
  });

  for (const [fault, times, cause] of [
    [
      'ThrottlingException',
      3,
      'ThrottlingException, ThrottlingException on demand; the next tick tries again',
    ],
    [
      'AccessDeniedException',
      1,
      'AccessDeniedException, AccessDeniedException on demand; grant the role this action',
    ],
  ] as const) {
    test(`SSM answers ${fault} for good: nothing is queued, and one line says why`, async (context) => {
      const { schedule, queued, ssm } = await start(context, { nim: 'nim:8000' });
      for (let i = 0; i < times; i++) ssm.failNext(fault);
      const { dispatched } = await schedule();
      assert.deepEqual(eventsOf(dispatched), ['documents_unread']);
      const { level, problem } = lineOf(dispatched, 'documents_unread');
      assert.equal(level, 'ERROR');
      assert.equal(problem, `cannot read the parameters below ${PREFIX}/targets: ${cause}`);
      assert.deepEqual(queued(), []);
      assert.deepEqual(dispatched.metrics, []);
      const { dispatched: next } = await schedule();
      assert.deepEqual(eventsOf(next), ['dispatch_finished']);
      assert.equal(queued().length, 1);
    });
  }

  test('SQS refuses: the shard is named, the next tick is sent', async (context) => {
    const { schedule, queued, sqs } = await start(context, { nim: 'nim' });
    sqs.failEntries(() => ({ code: 'AccessDeniedException', senderFault: true }));
    const { dispatched } = await schedule();
    assert.deepEqual(eventsOf(dispatched).toSorted(), ['dispatch_finished', 'messages_unsent']);
    const { level, shard, code, problem } = lineOf(dispatched, 'messages_unsent');
    assert.deepEqual([level, shard, code], ['ERROR', 0, 'refused']);
    assert.equal(problem, 'cannot send shard 0: AccessDeniedException; grant the role this action');
    sqs.failEntries(() => undefined);
    await schedule();
    assert.equal(queued().length, 1);
  });

  test('SQS loses its answer: one message', async (context) => {
    const { schedule, queued, sqs } = await start(context, { nim: 'nim' });
    sqs.failNext('drop');
    const { dispatched } = await schedule();
    assert.deepEqual(eventsOf(dispatched), ['dispatch_finished']);
    assert.equal(queued().length, 1);
  });

  test('SSM hangs: given up in time to say so', async (context) => {
    const { dispatch, ssm } = await start(context, { nim: 'nim' });
    ssm.failNext('hang');
    const invocation = await dispatch.invoke(scheduleEvent(TICK_MS), { remainingMs: 2_300 });
    assert.equal(invocation.error, undefined);
    assert.equal(
      lineOf(invocation, 'documents_unread')['problem'],
      `cannot read the parameters below ${PREFIX}/targets: no answer before the deadline; the next tick tries again`,
    );
  });

  test('no time left from the start: nothing is asked', async (context) => {
    const { dispatch, ssm } = await start(context, { nim: 'nim' });
    const invocation = await dispatch.invoke(scheduleEvent(TICK_MS), { remainingMs: 2_000 });
    assert.deepEqual(eventsOf(invocation), ['documents_unread', 'tick_unrecorded']);
    assert.equal(ssm.calls.length, 0);
  });
});

describe('what only we can do wrong', () => {
  for (const event of [
    {},
    { scheduledTime: '' },
    { scheduledTime: '<aws.scheduler.scheduled-time>' },
    { scheduledTime: null },
  ]) {
    test(`the event ${JSON.stringify(event)} is no tick`, async (context) => {
      const { dispatch, ssm } = await start(context, { nim: 'nim' });
      const invocation = await dispatch.invoke(event);
      assert.deepEqual(eventsOf(invocation), ['message_invalid']);
      assert.match(
        String(lineOf(invocation, 'message_invalid')['problem']),
        /^cannot read the tick: scheduledTime is .+; restore the schedule's input$/,
      );
      assert.equal(ssm.calls.length, 0);
    });
  }

  test('a program error is one line and a failed invocation', async (context) => {
    const { dispatch } = await start(context, {});
    const invocation = await dispatch.invoke(null);
    assert.match(invocation.error ?? '', /^TypeError/);
    assert.deepEqual(eventsOf(invocation), ['bug']);
    const { level, problem, stack } = lineOf(invocation, 'bug');
    assert.equal(level, 'ERROR');
    assert.equal(problem, invocation.error);
    assert.match(String(stack), /\n\s+at /);
  });

  for (const name of ['PARAMETER_PREFIX', 'QUEUE_URL']) {
    for (const value of [undefined, '']) {
      test(`${name} ${value === undefined ? 'missing' : 'empty'}: it does not start, and says why`, async (context) => {
        const { dispatch } = await start(context, {}, { [name]: value });
        await assert.rejects(
          dispatch.invoke(scheduleEvent(TICK_MS)),
          new RegExp(`cannot start: the environment variable ${name} is not set; deploy the stack again`),
        );
      });
    }
  }
});
