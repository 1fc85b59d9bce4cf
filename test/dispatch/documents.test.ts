/** Target documents in SSM as people edit them, through the bundled dispatch function: an edit works at the next tick. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { readMessage } from '../../functions/core/work.ts';
import { type Build, PREFIX, buildBundles, startDeployment } from '../fakes/deployment.ts';
import { type Invocation, eventsOf, lineOf } from '../fakes/lambda.ts';

const closing: (() => Promise<void>)[] = [];
after(() => Promise.all(closing.map((close) => close())));
let build: Build;
before(async () => (build = await buildBundles((close) => closing.push(close))));

const NIM = `${PREFIX}/targets/nim`;

async function start(
  context: Parameters<typeof startDeployment>[0],
  documents: Readonly<Record<string, string>>,
) {
  const parameters = () =>
    Object.fromEntries(Object.entries(documents).map(([name, value]) => [`targets/${name}`, value]));
  const deployment = await startDeployment(context, { build, nims: 0, parameters });
  /** The targets of the newest message; none where nothing was sent. */
  const targetsOf = async () => {
    const sent = deployment.sqs.messages.length;
    const { dispatched } = await deployment.schedule();
    const body = deployment.sqs.messages.slice(sent)[0]?.body;
    if (body === undefined) return { dispatched, targets: [] };
    const read = readMessage(JSON.parse(body));
    assert(read.code === 'message', 'the worker cannot read it');
    return { dispatched, targets: read.message.targets };
  };
  return { ...deployment, targetsOf };
}

const instances = (targets: readonly { readonly instance: string }[]): readonly string[] =>
  targets.map(({ instance }) => instance);

function problems({ logs }: Invocation): readonly unknown[] {
  return logs.filter(({ message }) => message === 'document_invalid').map(({ problem }) => problem);
}

describe('scrape_configs', () => {
  test('relabelled, with the settings of their job', async (context) => {
    const { targetsOf } = await start(context, {
      nim: `
global:
  scrape_timeout: 5s
scrape_configs:
  - job_name: llm
    honor_labels: true
    authorization: { credentials: "ssm:${PREFIX}/secrets/llm" }
    static_configs:
      - targets: [10.0.1.17:8000, 10.0.1.18:8000]
        labels: { env: prod }
    relabel_configs:
      - source_labels: [__address__]
        regex: (.*):8000
        target_label: instance
        replacement: nim-$1
      - source_labels: [__address__]
        regex: .*18:.*
        action: drop
    metric_relabel_configs:
      - { source_labels: [__name__], regex: python_.*, action: drop }
`,
    });
    const { dispatched, targets } = await targetsOf();
    assert.deepEqual(eventsOf(dispatched), ['dispatch_finished']);
    const [target, ...others] = targets;
    assert(target !== undefined && others.length === 0);
    const { job, instance, address, path, labels, timeoutMs, honorLabels, authorization } = target;
    assert.deepEqual(
      { job, instance, address, path, labels, timeoutMs, honorLabels, authorization },
      {
        job: 'llm',
        instance: 'nim-10.0.1.17',
        address: '10.0.1.17:8000',
        path: '',
        labels: ['env', 'prod'],
        timeoutMs: 5_000,
        honorLabels: true,
        authorization: { type: 'Bearer', credentials: `ssm:${PREFIX}/secrets/llm` },
      },
    );
    assert.deepEqual(
      target.metricRelabelConfigs.map(({ action, regex }) => `${action} ${regex}`),
      ['drop python_.*'],
    );
  });

  test('a mistake is named with its place, a misspelt key with the right one', async (context) => {
    const { targetsOf } = await start(context, {
      nim: 'job_name: nim\nstatic_configs:\n  - targets: [nim:8000]\nscrape_intervall: 30s\n',
    });
    const { dispatched, targets } = await targetsOf();
    assert.deepEqual(targets, []);
    const { document, line, column, problem } = lineOf(dispatched, 'document_invalid');
    assert.deepEqual([document, line, column], [NIM, 4, 1]);
    assert.match(String(problem), /scrape_interval\b/);
  });

  test('two targets that Dynatrace could not tell apart: the first is scraped, the other named', async (context) => {
    const { targetsOf } = await start(context, {
      a: 'job_name: nim\nstatic_configs: [{targets: ["a:8000"], labels: {instance: same}}]\n',
      b: 'job_name: nim\nstatic_configs: [{targets: ["b:8000"], labels: {instance: same}}]\n',
    });
    const { dispatched, targets } = await targetsOf();
    assert.deepEqual(
      targets.map(({ address }) => address),
      ['a:8000'],
    );
    assert.match(
      String(lineOf(dispatched, 'targets_unread')['problem']),
      /^cannot scrape same twice in the job nim: /,
    );
  });
});

describe('the last good version', () => {
  const BROKEN = 'job_name: nim\nstatic_configs: nim:8000\n';

  test('stays in force when an edit breaks a document, and gives way to the next good one', async (context) => {
    const { targetsOf, ssm } = await start(context, { nim: 'a:8000', other: 'c:8000' });
    assert.deepEqual(instances((await targetsOf()).targets), ['a:8000', 'c:8000']);
    ssm.put(NIM, BROKEN);
    const broken = await targetsOf();
    assert.deepEqual(instances(broken.targets), ['a:8000', 'c:8000']);
    const { version, versionInForce } = lineOf(broken.dispatched, 'document_invalid');
    assert.deepEqual([version, versionInForce], [2, 1]);
    assert.equal(lineOf(broken.dispatched, 'dispatch_finished')['invalid'], 1);
    assert.equal(broken.dispatched.metrics[0]?.['documents.invalid'], 1);
    ssm.put(NIM, 'b:8000');
    const good = await targetsOf();
    assert.deepEqual(problems(good.dispatched), []);
    assert.deepEqual(instances(good.targets), ['b:8000', 'c:8000']);
  });

  test('also after a cold start, however often it was broken since; its history is asked for once', async (context) => {
    const { targetsOf, ssm } = await start(context, { nim: 'a:8000' });
    ssm.put(NIM, 'b:8000');
    for (let i = 0; i < 60; i++) ssm.put(NIM, `${BROKEN}# ${i}`);
    // The function starts with this tick.
    for (let tick = 0; tick < 2; tick++) assert.deepEqual(instances((await targetsOf()).targets), ['b:8000']);
    const histories = ssm.calls.filter(({ operation }) => operation === 'GetParameterHistory');
    assert.equal(histories.length, 2, 'two pages of 50, once');
  });

  test('there is none: nothing is scraped, the others go on', async (context) => {
    const { targetsOf, ssm } = await start(context, { nim: BROKEN, other: 'c:8000' });
    assert.deepEqual(instances((await targetsOf()).targets), ['c:8000']);
    ssm.remove(NIM);
    assert.deepEqual(problems((await targetsOf()).dispatched), []);
  });

  test('its history cannot be read: nobody counts as vanished, and the next tick asks again', async (context) => {
    const { targetsOf, ssm, dynamodb } = await start(context, { nim: 'a:8000', other: 'c:8000' });
    await targetsOf();
    ssm.put(NIM, BROKEN);
    const asked = () => dynamodb.operations.filter((operation) => operation === 'Query').length;
    const before = asked();
    ssm.failNext('AccessDeniedException', 'GetParameterHistory');
    const unknown = await targetsOf();
    assert.deepEqual(instances(unknown.targets), ['c:8000']);
    assert.equal(asked(), before, 'who still owes is not asked');
    assert.deepEqual(instances((await targetsOf()).targets), ['a:8000', 'c:8000']);
  });
});
