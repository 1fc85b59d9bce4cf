import { App, Duration, Stack } from 'aws-cdk-lib';
import { ScheduleExpression } from 'aws-cdk-lib/aws-scheduler';
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { settingsOf } from '../../infra/props.ts';
import type { NimToDynatraceProps } from '../../infra/props.ts';

function newStack(): Stack {
  return new Stack(new App(), 'Stack');
}

/** The warnings that CDK prints at synthesis. */
function warningsOf(stack: Stack): string[] {
  return stack.node.metadata.filter(({ type }) => type === 'aws:cdk:warning').map(({ data }) => String(data));
}

const MINUTE = Duration.minutes(1);
const longPrefix = `/${'p'.repeat(499)}`;
const deepPrefix = '/p'.repeat(13);

const REFUSED: readonly (readonly [NimToDynatraceProps, RegExp])[] = [
  [{ parameterPrefix: 'nim' }, /cannot use parameterPrefix "nim": it is not a path/],
  [{ parameterPrefix: '' }, /it is not a path/],
  [{ parameterPrefix: '/' }, /it is not a path/],
  [{ parameterPrefix: '/nim/' }, /without a slash at the end/],
  [{ parameterPrefix: '/nim*' }, /it is not a path/],
  [{ parameterPrefix: '/AWS-nim' }, /SSM reserves/],
  [{ parameterPrefix: '/ssm/nim' }, /SSM reserves/],
  [{ parameterPrefix: `${deepPrefix}/p` }, /more than 13 levels/],
  [{ parameterPrefix: `${longPrefix}p` }, /more than 500 characters/],
  [{ endpoint: 'abc12345.live.dynatrace.com' }, /cannot use endpoint: it is not an https URL/],
  [{ endpoint: 'http://abc12345.live.dynatrace.com' }, /cannot use endpoint/],
  [{ endpoint: 'https://user@abc12345.live.dynatrace.com' }, /cannot use endpoint/],
  [{ endpoint: 'https://abc12345.live.dynatrace.com?api-token=a' }, /cannot use endpoint/],
  [{ maxStaleness: Duration.millis(119_999) }, /119999 ms: it is below twice the tick of 60000 ms/],
  [
    { maxStaleness: Duration.minutes(9), schedule: ScheduleExpression.rate(Duration.minutes(5)) },
    /300000 ms/,
  ],
  [{ maxStaleness: Duration.hours(1), schedule: ScheduleExpression.rate(Duration.hours(1)) }, /3600000 ms/],
  [{ maxStaleness: Duration.millis(120_000.5) }, /no whole number/],
  [{ memorySize: 127 }, /cannot use memorySize of 127 MB: it is not a whole number of 128 to 10240/],
  [{ memorySize: 10_241 }, /memorySize/],
  [{ memorySize: 512.5 }, /memorySize/],
  [{ vpcSubnets: {} }, /cannot use vpcSubnets or securityGroups: there is no vpc/],
  [{ securityGroups: [] }, /there is no vpc/],
];

const ACCEPTED: readonly NimToDynatraceProps[] = [
  { parameterPrefix: deepPrefix },
  { parameterPrefix: longPrefix },
  { parameterPrefix: '/Team_1/nim.prod-2' },
  { endpoint: 'https://ag.example.com:9999/e/abc12345/api/v2/otlp/v1/metrics' },
  { maxStaleness: Duration.minutes(10) },
  { maxStaleness: Duration.hours(10), schedule: ScheduleExpression.rate(Duration.hours(1)) },
  { maxStaleness: Duration.minutes(10), schedule: ScheduleExpression.cron({ minute: '*' }) },
  { memorySize: 128 },
  { memorySize: 10_240 },
];

describe('bounds of the properties', () => {
  test('an undefined property is one that is not given', () => {
    const { memorySize } = settingsOf(newStack(), {});
    const props = { memorySize: undefined } as unknown as NimToDynatraceProps;
    assert.equal(settingsOf(newStack(), props).memorySize, memorySize);
  });

  for (const [props, message] of REFUSED) {
    test(`${JSON.stringify(props).slice(0, 80)} is refused`, () => {
      assert.throws(() => settingsOf(newStack(), props), message);
    });
  }

  for (const props of ACCEPTED) {
    test(`${JSON.stringify(props).slice(0, 80)} is accepted without a warning`, () => {
      const stack = newStack();
      settingsOf(stack, props);
      assert.deepEqual(warningsOf(stack), []);
    });
  }

  test('the message about a bad endpoint does not repeat it', () => {
    assert.throws(
      () => settingsOf(newStack(), { endpoint: 'dt0c01.secret' }),
      (error: Error) => !error.message.includes('dt0c01'),
    );
  });

  test('a maxStaleness of two to ten ticks is a warning', () => {
    for (const maxStaleness of [MINUTE.plus(MINUTE), Duration.millis(599_999)]) {
      const stack = newStack();
      settingsOf(stack, { maxStaleness });
      assert.match(warningsOf(stack).join('\n'), /^maxStaleness of \d+ ms is below ten ticks of 60000 ms/);
    }
  });
});
