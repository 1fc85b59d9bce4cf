/** Which alarms there are, on which windows, whom they tell; and what infra and functions must agree on. */
import { CfnParameter, Duration } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { ScheduleExpression } from 'aws-cdk-lib/aws-scheduler';
import * as sns from 'aws-cdk-lib/aws-sns';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { METRICS_NAMESPACE as PUBLISHED } from '../../functions/adapters/self-metrics.ts';
import { MAX_CONCURRENT_SCRAPES } from '../../functions/core/pipeline.ts';
import { VISIBILITY_TIMEOUT_MS } from '../../functions/scrape/work-off.ts';
import { METRICS_NAMESPACE } from '../../infra/cloudwatch-metrics.ts';
import { NimToDynatrace, THREADS } from '../../infra/nim-to-dynatrace.ts';
import { VISIBILITY_TIMEOUT } from '../../infra/stores.ts';
import type { NimToDynatraceProps } from '../../infra/props.ts';
import { VISIBILITY_TIMEOUT_S } from '../fakes/sqs.ts';
import { type AlarmOfTemplate, selectorsOf } from './alarm-rules.ts';
import { create, directory, newStack, templateOf } from './construct.ts';

function alarmOf(name: string, props: NimToDynatraceProps): AlarmOfTemplate | undefined {
  const alarms = Object.values(templateOf(props).findResources('AWS::CloudWatch::Alarm')).map(
    ({ Properties }) => Properties as AlarmOfTemplate,
  );
  return alarms.find(({ AlarmDescription }) => AlarmDescription.startsWith(`nim-to-dynatrace, ${name}: `));
}

/** Period, evaluation periods, threshold. */
function windowOf(name: string, props: NimToDynatraceProps): readonly unknown[] | undefined {
  const alarm = alarmOf(name, props);
  if (alarm === undefined) return undefined;
  const { Period, Metrics, EvaluationPeriods, Threshold } = alarm;
  return [Period ?? Metrics?.[1]?.MetricStat?.Period, EvaluationPeriods, Threshold];
}

const rate = (tick: Duration, maxStaleness = Duration.days(30)): NimToDynatraceProps => ({
  schedule: ScheduleExpression.rate(tick),
  maxStaleness,
});

describe('alarms', () => {
  test('are twelve on thirteen metrics, of which the README says the price, and public by name', () => {
    const nim = create();
    const names = Object.keys(nim.alarms).toSorted();
    assert.equal(names.length, 12);
    assert.ok(names.includes('nothingExported') && names.includes('scrapeThrottles'));
    const template = Template.fromStack(nim.node.scope as ReturnType<typeof newStack>);
    const alarms = Object.values(template.findResources('AWS::CloudWatch::Alarm'));
    const metrics = alarms.flatMap(({ Properties }) => selectorsOf(Properties as AlarmOfTemplate)).length;
    assert.equal(metrics, 13);
    assert.ok(readFileSync('README.md', 'utf8').includes(`${(metrics * 0.1).toFixed(2)} $ the alarms`));
  });

  test('none with alarms: false', () => {
    const nim = create({ alarms: false });
    assert.deepEqual(nim.alarms, {});
    templateOf({ alarms: false }).resourceCountIs('AWS::CloudWatch::Alarm', 0);
  });

  test('tell a topic when they go off and when it is over; without one nobody', () => {
    const stack = newStack();
    const topic = sns.Topic.fromTopicArn(stack, 'Topic', 'arn:aws:sns:eu-central-1:111122223333:ops');
    const actions = { AlarmActions: [topic.topicArn], OKActions: [topic.topicArn] };
    templateOf({ alarmTopic: topic }, stack).allResourcesProperties('AWS::CloudWatch::Alarm', actions);
    templateOf().allResourcesProperties('AWS::CloudWatch::Alarm', {
      AlarmActions: Match.absent(),
      OKActions: Match.absent(),
      InsufficientDataActions: Match.absent(),
    });
  });

  test('are made after the schedule', () => {
    const template = templateOf();
    const [schedule] = Object.keys(template.findResources('AWS::Scheduler::Schedule'));
    assert.ok(schedule !== undefined);
    template.allResources('AWS::CloudWatch::Alarm', { DependsOn: Match.arrayWith([schedule]) });
  });

  test('two deployments in one stack have alarms and metrics of their own', () => {
    const stack = newStack();
    create({}, stack);
    new NimToDynatrace(stack, 'Second', { codeDirectory: directory, parameterPrefix: '/second' });
    const template = Template.fromStack(stack);
    template.resourceCountIs('AWS::CloudWatch::Alarm', 24);
    const deployments = Object.values(template.findResources('AWS::CloudWatch::Alarm'))
      .flatMap(({ Properties }) => selectorsOf(Properties as AlarmOfTemplate))
      .flatMap(({ dimensions }) => dimensions['deployment'] ?? []);
    assert.deepEqual([...new Set(deployments)], ['/nim-to-dynatrace', '/second']);
    assert.equal(deployments.length, 16);
  });

  test('a prefix that is known at deployment only is their dimension', () => {
    const stack = newStack();
    const parameterPrefix = new CfnParameter(stack, 'Prefix', { default: '/nim' }).valueAsString;
    templateOf({ parameterPrefix, dashboard: true }, stack).hasResourceProperties('AWS::CloudWatch::Alarm', {
      MetricName: 'documents.invalid',
      Dimensions: [{ Name: 'deployment', Value: { Ref: 'Prefix' } }],
    });
  });
});

describe('the windows of alarms are ticks of the schedule', () => {
  for (const [tick, exported, down, pending] of [
    [Duration.minutes(1), [300, 1, 1], [60, 5, 1], [300, 1, 900]],
    [Duration.minutes(5), [1_500, 1, 1], [300, 5, 1], [1_500, 1, 4_500]],
    [Duration.hours(1), [18_000, 1, 1], [3_600, 5, 1], [18_000, 1, 54_000]],
    // CloudWatch's longest period is a day.
    [Duration.hours(12), [86_400, 3, 1], [43_200, 5, 1], [86_400, 1, 648_000]],
    [Duration.days(1), [86_400, 5, 1], [86_400, 5, 1], [86_400, 1, 1_296_000]],
  ] as const) {
    test(`rate of ${tick.toHumanString()}`, () => {
      const props = rate(tick);
      assert.deepEqual(windowOf('nothingExported', props), exported);
      assert.deepEqual(windowOf('targetsDown', props), down);
      assert.deepEqual(windowOf('pendingAge', props), pending);
    });
  }

  for (const [why, props] of [
    ['a cron expression', { schedule: ScheduleExpression.expression('cron(*/5 * * * ? *)') }],
    ['a rate of two days', rate(Duration.days(2))],
  ] as const) {
    test(`${why} has no tick to count in: two are left out with a warning, or the tick is given`, () => {
      const stack = newStack();
      const nim = create(props, stack);
      assert.equal(Object.keys(nim.alarms).length, 10);
      const warning = Match.stringLikeRegexp('nothingExported and targetsDown are left out');
      Annotations.fromStack(stack).hasWarning('*', warning);
      const silent = newStack();
      create({ ...props, alarms: false }, silent);
      Annotations.fromStack(silent).hasNoWarning('*', warning);
      const given = { ...props, alarms: { tick: Duration.minutes(10) } };
      assert.deepEqual(windowOf('nothingExported', given), [3_000, 1, 1]);
      assert.deepEqual(windowOf('targetsDown', given), [600, 5, 1]);
    });
  }

  test('a given tick is a whole number of minutes from one to a day', () => {
    for (const tick of [Duration.minutes(1), Duration.days(1)]) create({ alarms: { tick } });
    for (const tick of [
      Duration.seconds(59),
      Duration.seconds(90),
      Duration.minutes(1_441),
      Duration.millis(0),
    ]) {
      assert.throws(
        () => create({ alarms: { tick } }),
        /^Error: cannot use alarms\.tick: it is no whole number of minutes from 1 to 1,440; give the longest/,
      );
    }
  });
});

describe('the dashboard', () => {
  test('is there when asked for, with the state of all alarms first', () => {
    templateOf().resourceCountIs('AWS::CloudWatch::Dashboard', 0);
    assert.equal(create().dashboard, undefined);
    const template = templateOf({ dashboard: true });
    template.resourceCountIs('AWS::CloudWatch::Dashboard', 1);
    const body = JSON.stringify(template.findResources('AWS::CloudWatch::Dashboard'));
    assert.equal(body.match(/\\"type\\":\\"metric\\"/g)?.length, 6);
    assert.match(body, /\\"type\\":\\"alarm\\"/);
  });

  test('can do without alarms', () => {
    const body = JSON.stringify(templateOf({ dashboard: true, alarms: false }).toJSON());
    assert.doesNotMatch(body, /\\"type\\":\\"alarm\\"/);
  });
});

describe('infra and functions agree on', () => {
  test('the visibility timeout, after which another worker may have the message', () => {
    assert.equal(VISIBILITY_TIMEOUT.toMilliseconds(), VISIBILITY_TIMEOUT_MS);
    assert.equal(VISIBILITY_TIMEOUT_S * 1_000, VISIBILITY_TIMEOUT_MS, 'the queue of the tests as well');
  });

  test('threads for every name that is resolved at once, and for those of AWS and Dynatrace', () => {
    assert.ok(THREADS >= MAX_CONCURRENT_SCRAPES + 8);
  });

  test('the namespace of metrics', () => {
    assert.equal(METRICS_NAMESPACE, PUBLISHED);
  });
});
