/** Several deployments in one stack, one app, one account; and what the construct shows of itself. */
import { App, Stack } from 'aws-cdk-lib';
import type { StackProps } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MAX_ENVIRONMENT_BYTES, NimToDynatrace, validateEnvironment } from '../../infra/nim-to-dynatrace.ts';
import { MAX_SECRETS } from '../../infra/secrets.ts';
import { directory, newStack, permissionsOf, templateOf, warningsOf } from './construct.ts';

const ENV = { account: '111122223333', region: 'eu-central-1' };

function addTo(stack: Stack, id: string, parameterPrefix: string): NimToDynatrace {
  return new NimToDynatrace(stack, id, {
    codeDirectory: directory,
    parameterPrefix,
    targets: { nim: 'a:1' },
  });
}

/** Two stacks of one app, each with the same prefix. */
function sharedBy(one: StackProps, other: StackProps): string[] {
  const app = new App();
  addTo(new Stack(app, 'One', one), 'Nim', '/shared');
  const second = new Stack(app, 'Other', other);
  addTo(second, 'Nim', '/shared');
  return warningsOf(second);
}

describe('several', () => {
  test('in one stack, with two prefixes: nothing is shared, nothing has a name that could be taken', () => {
    const stack = newStack();
    const [red, blue] = [addTo(stack, 'Red', '/red'), addTo(stack, 'Blue', '/blue')];
    assert.deepEqual([red.parameterPrefix, blue.parameterPrefix], ['/red', '/blue']);
    const template = Template.fromStack(stack);
    const resources = Object.entries(
      template.toJSON()['Resources'] as Record<string, Record<string, unknown>>,
    );
    assert.equal(resources.length, 2 * Object.keys(Template.fromStack(alone()).toJSON()['Resources']).length);
    const names = resources.flatMap(([, { Properties }]) =>
      Object.keys(Properties as object).filter((key) => key.endsWith('Name')),
    );
    // The parameters of targets, what refers to a function, and what an alarm looks at.
    assert.deepEqual([...new Set(names)].sort(), ['FunctionName', 'MetricName', 'Name']);
    for (const permission of permissionsOf(template)) {
      const [, owner = ''] = /^(Red|Blue)/.exec(permission) ?? [];
      assert.ok(owner !== '', permission);
      assert.doesNotMatch(permission.slice(owner.length), owner === 'Red' ? /blue/i : /red(?!rive)/i);
    }
  });

  test('one prefix twice in one stack, or in one account and region, would send every number twice: an error', () => {
    const stack = newStack();
    addTo(stack, 'Red', '/nim');
    const message =
      /^Error: cannot use parameterPrefix \/nim: Stack\/Red has it too, .* twice; choose another path$/;
    assert.throws(() => addTo(stack, 'Blue', '/nim'), message);
    assert.throws(
      () => sharedBy({ env: ENV }, { env: ENV }),
      /parameterPrefix \/shared: One\/Nim has it too/,
    );
  });

  test('in two regions or accounts it is none, and where they are not known a warning', () => {
    assert.deepEqual(sharedBy({ env: ENV }, { env: { ...ENV, region: 'us-east-1' } }), []);
    assert.deepEqual(sharedBy({ env: ENV }, { env: { ...ENV, account: '444455556666' } }), []);
    assert.match(sharedBy({}, {}).join('\n'), /cannot use parameterPrefix \/shared: One\/Nim has it too/);
  });
});

function alone(): Stack {
  const stack = newStack();
  addTo(stack, 'Red', '/red');
  return stack;
}

test('selfMetrics: told to the scrape function where they are off', () => {
  const tell = (selfMetrics: boolean) =>
    Object.values(templateOf({ selfMetrics }).findResources('AWS::Lambda::Function')).map(
      ({ Properties }) => Properties.Environment.Variables.SELF_METRICS as unknown,
    );
  assert.deepEqual(tell(true), [undefined, undefined]);
  assert.deepEqual(tell(false), [undefined, 'off']);
});

test('billing: provisioned capacity, for the index too', () => {
  const capacity = dynamodb.Capacity.autoscaled({ minCapacity: 2, maxCapacity: 50 });
  const billing = dynamodb.Billing.provisioned({ readCapacity: capacity, writeCapacity: capacity });
  const [table] = Object.values(templateOf({ billing }).findResources('AWS::DynamoDB::GlobalTable'));
  assert.equal(table?.['Properties'].BillingMode, 'PROVISIONED');
  const settings = JSON.stringify(table).match(/"MaxCapacity":50/g);
  assert.equal(settings?.length, 4, 'read and write, table and index');
});

test('an environment that Lambda would refuse is refused before', () => {
  const message =
    /^Error: cannot deploy: the functions' environment would have \d{4} bytes, 4096 are the most; put secrets/;
  const ofBytes = (bytes: number) => ({ A: 'a'.repeat(bytes - JSON.stringify({ A: '' }).length) });
  validateEnvironment(ofBytes(MAX_ENVIRONMENT_BYTES));
  assert.throws(() => validateEnvironment(ofBytes(MAX_ENVIRONMENT_BYTES + 1)), message);
  const stack = newStack();
  const secrets = Array.from({ length: MAX_SECRETS }, (_, nth) =>
    StringParameter.fromSecureStringParameterAttributes(stack, `Secret${nth}`, {
      parameterName: `/${nth}/${'s'.repeat(150)}`,
    }),
  );
  assert.throws(() => templateOf({ secrets }, stack), message);
});
