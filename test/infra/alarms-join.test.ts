/**
 * Template and functions held together: what the alarms read is what the deployed handlers print, and each alarm goes
 * off in the trouble that it is for, at the minute that docs/alarms.md says, and in no other.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import type { ScriptedAnswer } from '../../functions/cli/world/receiver.ts';
import { type Build, PREFIX, TOKEN, addressOf, buildBundles } from '../fakes/deployment.ts';
import type { DeploymentOptions } from '../fakes/deployment.ts';
import { lineOf } from '../fakes/lambda.ts';
import { isMeant, selectorsOf } from './alarm-rules.ts';
import { alarms, idOf, template, watch } from './watched.ts';

const closing: (() => Promise<void>)[] = [];
after(() => Promise.all(closing.map((close) => close())));
let build: Build;
before(async () => (build = await buildBundles((close) => closing.push(close))));

const start = (context: Parameters<typeof watch>[0], options: Omit<DeploymentOptions, 'build'> = {}) =>
  watch(context, { build, ...options });

/** As long as `fault` is something, Dynatrace answers so. */
function dynatrace() {
  let fault: ScriptedAnswer | undefined;
  return {
    receiver: { answer: () => fault },
    answers: (answer: ScriptedAnswer | undefined) => (fault = answer),
  };
}

const TARGETS = `${PREFIX}/targets/nim`;

describe('what is read is what is published', { concurrency: true }, () => {
  test('name, namespace, dimensions and unit of every alarm and graph', async (context) => {
    const { run, data } = await start(context);
    await run(1);
    const ours = [...alarms.values()]
      .flatMap(selectorsOf)
      .filter(({ namespace }) => !namespace.startsWith('AWS/'));
    assert.equal(ours.length, 8);
    for (const wanted of ours) {
      assert.ok(wanted.unit !== undefined);
      assert.ok(
        data.some((datum) => isMeant(wanted, datum)),
        `nobody publishes ${JSON.stringify(wanted)}`,
      );
    }
    const graphed = JSON.stringify(template.findResources('AWS::CloudWatch::Dashboard')).matchAll(
      /NimToDynatrace\\",\\"([\w.]+)\\",\\"(\w+)\\",\\"([^"\\]+)\\"/g,
    );
    const names = [...graphed].map(([, name, dimension, value]) => [name, dimension, value]);
    assert.ok(names.length > 8);
    for (const [name = '', dimension = '', value = ''] of names) {
      const wanted = {
        namespace: 'NimToDynatrace',
        name,
        dimensions: { [dimension]: value },
        unit: undefined,
      };
      assert.ok(
        data.some((datum) => isMeant(wanted, datum)),
        `nobody publishes ${name} of the dashboard`,
      );
    }
  });

  test('another deployment is another metric', async (context) => {
    const { run, data } = await start(context, { env: { PARAMETER_PREFIX: '/other' }, nims: 0 });
    await run(1);
    assert.ok(data.length > 0);
    for (const wanted of [...alarms.values()].flatMap(selectorsOf))
      assert.ok(!data.some((datum) => isMeant(wanted, datum)));
  });

  test('every alarm stands in docs/alarms.md, and every event that it names in docs/words.md', () => {
    const [docs, words] = ['docs/alarms.md', 'docs/words.md'].map((file) => readFileSync(file, 'utf8'));
    assert.equal(alarms.size, 12);
    for (const [name, { AlarmDescription }] of alarms) {
      assert.ok(docs?.includes(`\`${name}\``), name);
      assert.ok(AlarmDescription.length <= 1_024);
      for (const [event] of AlarmDescription.matchAll(/\b[a-z]+(?:_[a-z]+)+\b/g)) {
        const isOption = ['max_staleness', 'metric_relabel_configs'].includes(event);
        assert.ok(isOption || words?.includes(`| \`${event}\` |`), event);
      }
    }
  });
});

describe('all is well', { concurrency: true }, () => {
  test('a healthy deployment: none goes off', async (context) => {
    const { run, ringing, state } = await start(context, { nims: 2 });
    await run(8);
    assert.deepEqual(ringing(), []);
    for (const name of ['nothingExported', 'pendingAge', 'targetsDown', 'documentsInvalid'])
      assert.equal(state(name), 'OK');
  });

  test('no target yet: none goes off, though nothing is ever exported', async (context) => {
    const parameters = (_: unknown, endpoint: string) => ({ endpoint, 'secrets/dt-api-token': TOKEN });
    const { run, ringing, data } = await start(context, { nims: 0, parameters });
    await run(8);
    assert.deepEqual(ringing(), []);
    assert.ok(!data.some(({ name }) => name === 'targets.down'), 'the worker never ran');
  });

  test('a job that is scraped every ten minutes: the silence between is none', async (context) => {
    const { run, ssm, nims, ringing } = await start(context);
    const address = nims.map(addressOf).join();
    ssm.put(TARGETS, `scrape_interval: 10m\nstatic_configs: [{targets: ["${address}"]}]`);
    for (let i = 0; i < 21; i++) {
      await run(1);
      assert.deepEqual(ringing(), [], `minute ${i}`);
    }
  });

  test('one lost answer is made good, and no alarm', async (context) => {
    const { receiver, answers } = dynatrace();
    const { run, ringing } = await start(context, { receiver });
    await run(2);
    answers({ acceptAnd: { status: 502 } });
    await run(1);
    answers(undefined);
    await run(6);
    assert.deepEqual(ringing(), []);
  });
});

describe('nothingExported', { concurrency: true }, () => {
  test('Dynatrace refuses the token: after five minutes, and over with the first acceptance', async (context) => {
    const { receiver, answers } = dynatrace();
    const { run, state, ringing } = await start(context, { receiver });
    await run(2);
    answers({ status: 401 });
    await run(4);
    assert.deepEqual(ringing(), []);
    const { worked } = await run(1);
    assert.deepEqual(ringing(), ['nothingExported']);
    assert.equal(lineOf(worked[0], 'export_failed')['code'], 'refused');
    answers(undefined);
    await run(1);
    assert.equal(state('nothingExported'), 'OK');
  });

  test('the schedule is dead: after five minutes', async (context) => {
    const { run, pass, ringing } = await start(context);
    await run(2);
    pass(4);
    assert.deepEqual(ringing(), []);
    pass(1);
    assert.deepEqual(ringing(), ['nothingExported']);
    pass(60);
    assert.deepEqual(ringing(), ['nothingExported'], 'also when there is no value at all any more');
  });

  test('SSM does not say what the targets are: after five minutes', async (context) => {
    const { run, ssm, ringing } = await start(context);
    await run(2);
    for (let i = 0; i < 5; i++) ssm.failNext('AccessDeniedException', 'GetParametersByPath');
    await run(4);
    assert.deepEqual(ringing(), []);
    const { dispatched } = await run(1);
    assert.deepEqual(ringing(), ['nothingExported']);
    lineOf(dispatched, 'documents_unread');
  });

  test('no token yet: with the first targets', async (context) => {
    const parameters = (nims: readonly { readonly url: string }[], endpoint: string) => ({
      endpoint,
      'targets/nim': nims.map(({ url }) => new URL(url).host).join(),
    });
    const { run, ringing } = await start(context, { parameters });
    const { worked } = await run(5);
    assert.deepEqual(ringing(), ['nothingExported']);
    lineOf(worked[0], 'waiting_for_token');
  });
});

describe('pendingAge', { concurrency: true }, () => {
  test('an outage of a quarter of an hour, and over once all has arrived', async (context) => {
    const { receiver, answers } = dynatrace();
    const { run, state } = await start(context, { receiver });
    await run(2);
    answers({ status: 503, headers: { 'retry-after': '600' } });
    await run(14);
    assert.equal(state('pendingAge'), 'OK');
    await run(2);
    assert.equal(state('pendingAge'), 'ALARM');
    answers(undefined);
    await run(6);
    assert.equal(state('pendingAge'), 'OK');
  });

  test('what is pending stays so while nothing runs', async (context) => {
    const { receiver, answers } = dynatrace();
    const { run, pass, state } = await start(context, { receiver });
    await run(2);
    answers({ status: 401 });
    await run(16);
    pass(30);
    assert.equal(state('pendingAge'), 'ALARM');
  });
});

describe('targetsDown', { concurrency: true }, () => {
  test('a target is down for five minutes; once no document names it, nothing is down', async (context) => {
    const { run, nims, ssm, ringing } = await start(context, { nims: 2 });
    const [down, up] = nims;
    assert.ok(down && up);
    await run(2);
    await down.close();
    await run(4);
    assert.deepEqual(ringing(), []);
    const { worked } = await run(1);
    assert.deepEqual(ringing(), ['targetsDown']);
    assert.equal(lineOf(worked[0], 'target_failed')['instance'], addressOf(down));
    ssm.put(TARGETS, addressOf(up));
    await run(1);
    assert.deepEqual(ringing(), []);
  });

  test('the last target vanishes while it is down: over as well', async (context) => {
    const { run, nims, ssm, ringing } = await start(context);
    await run(1);
    await nims[0]?.close();
    await run(5);
    assert.deepEqual(ringing(), ['targetsDown']);
    ssm.remove(TARGETS);
    await run(5);
    assert.deepEqual(ringing(), []);
  });

  test('one that vanished and still owes is not down', async (context) => {
    const { receiver, answers } = dynatrace();
    const { run, ssm, ringing, data } = await start(context, { receiver });
    await run(2);
    answers({ status: 401 });
    await run(1);
    ssm.remove(TARGETS);
    await run(8);
    assert.deepEqual(ringing(), []);
    assert.ok(data.some(({ name, value }) => name === 'pending.points' && value > 0));
  });
});

test('documentsInvalid: within three minutes of the edit, until the next good one', async (context) => {
  const { run, pass, ssm, ringing } = await start(context);
  await run(2);
  ssm.put(TARGETS, 'scrape_configs: [');
  const { dispatched } = await run(1);
  assert.deepEqual(ringing(), ['documentsInvalid']);
  assert.equal(lineOf(dispatched, 'document_invalid')['document'], TARGETS);
  pass(4);
  assert.deepEqual(ringing(), ['documentsInvalid'], 'wrong while nothing runs as well');
  ssm.put(TARGETS, '');
  await run(1);
  assert.deepEqual(ringing(), []);
});

test('answersLost: with the second one in a quarter of an hour', async (context) => {
  const { receiver, answers } = dynatrace();
  const { run, state } = await start(context, { receiver });
  await run(2);
  answers({ acceptAnd: { status: 502 } });
  await run(1);
  assert.equal(state('answersLost'), 'OK');
  const { worked } = await run(1);
  assert.equal(state('answersLost'), 'ALARM');
  assert.equal(lineOf(worked[0], 'export_failed')['code'], 'unknown');
  answers(undefined);
  await run(15);
  assert.equal(state('answersLost'), 'OK');
});

test('pointsRejected: with the first one, for five minutes', async (context) => {
  const { receiver, answers } = dynatrace();
  const { run, ringing } = await start(context, { receiver });
  await run(2);
  answers({ rejectPoints: 1, message: 'up: METRIC_KEY_INVALID' });
  await run(1);
  assert.deepEqual(ringing(), ['pointsRejected']);
  answers(undefined);
  await run(4);
  assert.deepEqual(ringing(), ['pointsRejected']);
  await run(1);
  assert.deepEqual(ringing(), []);
});

test('pendingGivenUp: what a vanished target owed for longer than max_staleness', async (context) => {
  const { receiver, answers } = dynatrace();
  const { run, ssm, ringing } = await start(context, { receiver, env: { MAX_STALENESS_MS: '120000' } });
  await run(2);
  answers({ status: 503, headers: { 'retry-after': '600' } });
  await run(1);
  ssm.remove(TARGETS);
  await run(2);
  assert.deepEqual(ringing(), []);
  const { worked } = await run(1);
  lineOf(worked[0], 'pending_given_up');
  assert.deepEqual(ringing(), ['pendingGivenUp']);
});

describe('of AWS itself', { concurrency: true }, () => {
  for (const [name, namespace, metric, dimension, type, id] of [
    ['dispatchErrors', 'AWS/Lambda', 'Errors', 'FunctionName', 'AWS::Lambda::Function', 'NimDispatch'],
    ['dispatchThrottles', 'AWS/Lambda', 'Throttles', 'FunctionName', 'AWS::Lambda::Function', 'NimDispatch'],
    ['scrapeErrors', 'AWS/Lambda', 'Errors', 'FunctionName', 'AWS::Lambda::Function', 'NimScrape'],
    ['scrapeThrottles', 'AWS/Lambda', 'Throttles', 'FunctionName', 'AWS::Lambda::Function', 'NimScrape'],
    [
      'deadLetters',
      'AWS/SQS',
      'ApproximateNumberOfMessagesVisible',
      'QueueName',
      'AWS::SQS::Queue',
      'NimDeadLetterQueue',
    ],
  ] as const) {
    test(`${name}: ${metric} of ${id}`, async (context) => {
      const { run, publish, ringing } = await start(context, { nims: 0 });
      const value = type === 'AWS::SQS::Queue' ? `<${idOf(type, id)}.QueueName>` : `<${idOf(type, id)}>`;
      const about = { namespace, name: metric, dimensions: { [dimension]: value }, unit: 'Count' };
      publish({ ...about, value: 0 });
      await run(1);
      assert.deepEqual(ringing(), []);
      publish({ ...about, value: 1 });
      await run(1);
      assert.deepEqual(ringing(), [name]);
      for (let i = 0; i < 5; i++) {
        publish({ ...about, value: 0 });
        await run(1);
      }
      assert.deepEqual(ringing(), []);
    });
  }
});
