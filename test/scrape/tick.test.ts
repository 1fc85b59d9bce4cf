/** Whole ticks: schedule -> dispatch -> queue -> scrape -> Dynatrace, counted on both ends. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { respond, startLoopback } from '../../functions/cli/world/loopback.ts';
import { assertDelivered } from '../fakes/delivered.ts';
import {
  type Build,
  type Deployment,
  type DeploymentOptions,
  PREFIX,
  SOURCE,
  TOKEN,
  addressOf,
  buildBundles,
  recordOf,
  startDeployment,
} from '../fakes/deployment.ts';
import { eventsOf, lineOf } from '../fakes/lambda.ts';

const build: Build = await buildBundles(after);

const start = (context: Parameters<typeof startDeployment>[0], options: Partial<DeploymentOptions> = {}) =>
  startDeployment(context, { build, ...options });

function advance({ nims }: Deployment): void {
  for (const nim of nims) nim.advance(60_000);
}

for (const from of ['source', 'bundle'] as const) {
  describe(`from ${from}`, () => {
    test('three ticks with growth and a restart: every count arrives once', async (context) => {
      const deployment = await start(context, { nims: 2, build: from === 'source' ? SOURCE : build });
      const { receiver, nims } = deployment;
      for (let i = 0; i < 3; i++) {
        const { tickMs, dispatched, worked } = await deployment.tick();
        assert.deepEqual(eventsOf(dispatched), ['dispatch_finished']);
        const { documents, invalid, targets } = lineOf(dispatched, 'dispatch_finished');
        assert.deepEqual([documents, invalid, targets], [1, 0, 2]);
        assert.equal(worked.length, 1);
        assert.deepEqual(worked.flatMap(eventsOf), ['run_finished']);
        const { pointsSent, up, pendingSeries } = lineOf(worked[0], 'run_finished');
        assert.deepEqual([up, pendingSeries], [2, 0]);
        const ofTick = receiver.points.filter((point) => point.timeMs === tickMs);
        assert.equal(pointsSent, ofTick.length);
        assertDelivered(receiver.points, ...nims.map((nim) => nim.served()));
        if (i === 1) nims[0]?.restart();
        advance(deployment);
      }
      assert.deepEqual(receiver.violations, []);
      for (const nim of nims)
        assert.ok((nim.served().get('prompt_tokens_total{model_name="llama"}') ?? 0) > 0);
    });
  });
}

describe('what the queue can do', () => {
  test('a doubled message: the second is skipped, nothing is posted twice', async (context) => {
    const deployment = await start(context);
    const { receiver, sqs, scrape, nims } = deployment;
    await deployment.schedule();
    const [message] = sqs.messages;
    await deployment.workOff();
    const posts = receiver.requests.length;
    advance(deployment);
    const second = await scrape.invoke({ Records: [recordOf({ Body: message?.body ?? '' })] });
    assert.deepEqual(
      second.logs.map(({ level, message: event, reason }) => [level, event, reason]),
      [['WARN', 'run_skipped', 'not_newer']],
    );
    assert.deepEqual(second.metrics, []);
    assert.equal(receiver.requests.length, posts);
    await deployment.tick();
    assertDelivered(receiver.points, ...nims.map((nim) => nim.served()));
    assert.deepEqual(receiver.violations, []);
  });

  test('a message of the tick before the last is skipped, whoever redelivers it', async (context) => {
    const deployment = await start(context);
    const { receiver, sqs, scrape, nims } = deployment;
    await deployment.schedule();
    const [early] = sqs.messages;
    await deployment.workOff();
    advance(deployment);
    await deployment.tick();
    advance(deployment);
    const late = await scrape.invoke({ Records: [recordOf({ Body: early?.body ?? '' })] });
    assert.equal(lineOf(late, 'run_skipped')['reason'], 'not_newer');
    assert.equal(receiver.requests.length, 2);
    assertDelivered(receiver.points, ...nims.map((nim) => nim.served()));
  });

  test('a doubled schedule event is one message', async (context) => {
    const deployment = await start(context);
    const { tickMs } = await deployment.schedule();
    const { dispatched } = await deployment.schedule(tickMs);
    assert.deepEqual(eventsOf(dispatched), ['dispatch_finished']);
    assert.equal(deployment.sqs.messages.length, 1);
    assert.equal((await deployment.workOff()).length, 1);
    await deployment.schedule(tickMs);
    assert.equal(deployment.sqs.messages.length, 0);
  });

  test('a message of two minutes is dropped without a claim; the next tick carries everything', async (context) => {
    const deployment = await start(context);
    await deployment.schedule(Math.floor(Date.now() / 1000) * 1000 - 121_000);
    const [worked] = await deployment.workOff();
    assert.deepEqual(eventsOf(worked), ['run_skipped']);
    assert.equal(lineOf(worked, 'run_skipped')['reason'], 'too_old');
    assert.deepEqual(deployment.dynamodb.operations, ['Query', 'UpdateItem'], 'dispatch alone has asked');
    await deployment.tick();
    assertDelivered(deployment.receiver.points, ...deployment.nims.map((nim) => nim.served()));
  });

  test('messages that no dispatch wrote are named and done with', async (context) => {
    const { scrape, receiver } = await start(context, { nims: 0 });
    for (const [body, cause] of [
      ['not JSON', 'its version is not 3'],
      ['', 'its version is not 3'],
      ['null', 'its version is not 3'],
      ['{"version":2}', 'its version is not 3'],
      ['{"version":3,"tickMs":"now","shards":1,"shard":0,"targets":[]}', 'tick or shard is no whole number'],
      [
        '{"version":3,"tickMs":1,"shards":1,"shard":0,"targets":[{}]}',
        'its targets are not as dispatch writes them',
      ],
    ] as const) {
      const invocation = await scrape.invoke({ Records: [recordOf({ Body: body })] });
      assert.equal(invocation.error, undefined);
      assert.deepEqual(eventsOf(invocation), ['message_invalid']);
      assert.equal(
        lineOf(invocation, 'message_invalid')['problem'],
        `cannot read the queue message: ${cause}; the next tick sends a new one`,
      );
    }
    assert.equal(receiver.requests.length, 0);
  });

  test('too little time left: nothing is claimed, and another worker may take the message', async (context) => {
    const deployment = await start(context);
    const { scrape, sqs, receiver, dynamodb, nims } = deployment;
    await deployment.schedule();
    const record = recordOf({ Body: sqs.messages[0]?.body ?? '' });
    const hurried = await scrape.invoke({ Records: [record] }, { remainingMs: 5_000 });
    assert.equal(lineOf(hurried, 'run_skipped')['reason'], 'no_time_left');
    assert.deepEqual(dynamodb.operations, ['Query', 'UpdateItem'], 'dispatch alone has asked');
    await deployment.workOff();
    assertDelivered(receiver.points, ...nims.map((nim) => nim.served()));
  });

  test('past the visibility timeout of its first receive a message is left alone', async (context) => {
    const deployment = await start(context);
    await deployment.schedule();
    const record = recordOf({ Body: deployment.sqs.messages[0]?.body ?? '' }, Date.now() - 86_000);
    const late = await deployment.scrape.invoke({ Records: [record] });
    assert.equal(lineOf(late, 'run_skipped')['reason'], 'no_time_left');
    assert.equal(deployment.receiver.requests.length, 0);
  });
});

describe('an invocation with four seconds to work', { concurrency: true }, () => {
  test('a target that hangs is given up in time to say that it is down', async (context) => {
    const silent = await startLoopback(() => Promise.resolve(), 0);
    context.after(silent.close);
    const deployment = await start(context, {
      parameters: ([nim], endpoint) => ({
        endpoint,
        'secrets/dt-api-token': TOKEN,
        'targets/nim': `127.0.0.1:${silent.port} ${nim === undefined ? '' : addressOf(nim)}`,
      }),
    });
    await deployment.schedule();
    const [worked] = await deployment.workOff({ remainingMs: 9_003 });
    assert.equal(worked?.error, undefined);
    assert.match(String(lineOf(worked, 'target_failed')['problem']), /^timeout: /);
    const { up, targets, pendingSeries } = lineOf(worked, 'run_finished');
    assert.deepEqual([up, targets, pendingSeries], [1, 2, 0]);
    assertDelivered(deployment.receiver.points, ...deployment.nims.map((nim) => nim.served()));
  });

  test('Dynatrace hangs: given up in time to commit, and the next tick delivers', async (context) => {
    const deployment = await start(context, {
      receiver: { token: TOKEN, answer: ({ index }) => (index === 0 ? { hang: true } : undefined) },
    });
    await deployment.schedule();
    const [worked] = await deployment.workOff({ remainingMs: 9_003 });
    assert.equal(worked?.error, undefined);
    assert.equal(lineOf(worked, 'export_failed')['code'], 'unknown');
    assert.equal(lineOf(worked, 'run_finished')['commitsFailed'], 0);
    advance(deployment);
    await deployment.tick();
    assertDelivered(deployment.receiver.points, ...deployment.nims.map((nim) => nim.served()));
    assert.deepEqual(deployment.receiver.violations, []);
  });
});

describe('targets', () => {
  test('lines that cannot be read are named with the first of them; the others are taken', async (context) => {
    const page = await startLoopback((_, response) => {
      respond(response, { status: 200, body: 'good 1\nbad{ 2\nworse{ 3\n' });
      return Promise.resolve();
    }, 0);
    context.after(page.close);
    const deployment = await start(context, { nims: 0 });
    deployment.ssm.put('/nim-to-dynatrace/targets/nim', `127.0.0.1:${page.port}`);
    const { worked } = await deployment.tick();
    const { count, problem } = lineOf(worked[0], 'lines_refused');
    assert.equal(count, 2);
    assert.match(String(problem), /^line 2: /);
    assert.equal(lineOf(worked[0], 'run_finished')['up'], 1);
  });

  test('one with more points than its budget is named, and all of them are sent', async (context) => {
    const page = await startLoopback((_, response) => {
      respond(response, { status: 200, body: 'good 1\nbetter 2\n' });
      return Promise.resolve();
    }, 0);
    context.after(page.close);
    const deployment = await start(context, { nims: 0 });
    const address = `127.0.0.1:${page.port}`;
    for (const [budget, isOver] of [
      [6, true],
      [7, false],
    ] as const) {
      deployment.ssm.put(
        '/nim-to-dynatrace/targets/nim',
        `dynatrace: {points_budget: ${budget}}\nstatic_configs: [{targets: ["${address}"]}]`,
      );
      advance(deployment);
      const { worked } = await deployment.tick();
      assert.equal(eventsOf(worked[0]).includes('points_over_budget'), isOver);
      if (isOver) {
        const { instance, points } = lineOf(worked[0], 'points_over_budget');
        assert.deepEqual([instance, points], [address, 7]);
      }
      const sent = deployment.receiver.points.filter(
        ({ attributes }) => attributes['service.instance.id'] === address,
      );
      assert.equal(sent.length, isOver ? 7 : 14, 'all of this tick and of the one before');
    }
  });

  test('one that is down is named; the one beside it is not held up', async (context) => {
    const deployment = await start(context, { nims: 2 });
    const [down, up] = deployment.nims;
    assert.ok(down && up);
    await down.close();
    const { worked, tickMs } = await deployment.tick();
    assert.deepEqual(worked.flatMap(eventsOf).toSorted(), ['run_finished', 'target_failed']);
    const { instance, job, problem } = lineOf(worked[0], 'target_failed');
    assert.deepEqual([job, instance], ['nim', addressOf(down)]);
    assert.match(String(problem), /^connect: cannot scrape .+: .+; .+/);
    assertDelivered(deployment.receiver.points, up.served());
    const ups = deployment.receiver.points
      .filter(({ name }) => name === 'up')
      .map((point) => [
        point.attributes['service.instance.id'],
        point.kind === 'gauge' && point.value,
        point.timeMs,
      ]);
    assert.deepEqual(
      new Map(ups.map(([name, value]) => [name, value])),
      new Map([
        [addressOf(down), 0],
        [addressOf(up), 1],
      ]),
    );
    assert.ok(ups.every(([, , timeMs]) => timeMs === tickMs));
  });
});

test('self-metrics are EMF of the namespace NimToDynatrace, without a target in any dimension', async (context) => {
  const deployment = await start(context);
  const { dispatched, worked } = await deployment.tick();
  for (const [invocation, names] of [
    [dispatched, ['documents.invalid', 'points.sent', 'targets.due']],
    [
      worked[0],
      [
        'catch_up',
        'export.duration',
        'export.size',
        'exports.unknown',
        'pending.age',
        'pending.given_up',
        'pending.points',
        'points.dropped',
        'points.rejected',
        'points.sent',
        'series.tracked',
        'targets.down',
        'targets.flipped',
      ],
    ],
  ] as const) {
    assert.equal(invocation?.metrics.length, 1);
    const [line] = invocation.metrics;
    assert.ok(line);
    const { CloudWatchMetrics, Timestamp } = line['_aws'] as EmfMetadata;
    assert.ok(Math.abs(Timestamp - Date.now()) < 60_000);
    assert.equal(CloudWatchMetrics.length, 1);
    const [{ Namespace, Dimensions, Metrics }] = CloudWatchMetrics;
    assert.equal(Namespace, 'NimToDynatrace');
    assert.deepEqual(Dimensions, [['deployment']]);
    assert.equal(line['deployment'], PREFIX);
    assert.deepEqual(Metrics.map(({ Name }) => Name).toSorted(), names);
    for (const name of names) assert.equal(typeof line[name], 'number');
    assert.deepEqual(
      Object.keys(line).toSorted(),
      ['_aws', 'deployment', ...names].toSorted(),
      'no target, instance or series',
    );
  }
  assert.deepEqual([dispatched.metrics[0]?.['targets.due'], dispatched.metrics[0]?.['points.sent']], [1, 0]);
  const [line] = worked[0]?.metrics ?? [];
  assert.equal(line?.['points.sent'], deployment.receiver.points.length);
  assert.equal(line?.['targets.down'], 0);
});

interface EmfMetadata {
  readonly Timestamp: number;
  readonly CloudWatchMetrics: readonly [
    {
      readonly Namespace: string;
      readonly Dimensions: readonly (readonly string[])[];
      readonly Metrics: readonly { readonly Name: string; readonly Unit: string }[];
    },
  ];
}
