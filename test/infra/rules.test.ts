/** Each way to deploy passes cdk-nag's AwsSolutions rules, and asks the network no more than it must. */
import { App, Stack, Validations } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import { AwsSolutionsChecks } from 'cdk-nag';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { NimToDynatrace } from '../../infra/nim-to-dynatrace.ts';
import type { NimToDynatraceProps } from '../../infra/props.ts';
import { directory, everything, importedVpc, ownVpc } from './construct.ts';

const { context } = JSON.parse(readFileSync('cdk.json', 'utf8')) as { context: Record<string, unknown> };
const ENV = { account: '111122223333', region: 'eu-central-1' };

function lookedUpVpc(stack: Stack): ec2.IVpc {
  return ec2.Vpc.fromLookup(stack, 'Vpc', { vpcId: 'vpc-0123456789abcdef0' });
}

/** A VPC of the app; its flow logs are its owner's business. */
function ownedVpc(stack: Stack): ec2.IVpc {
  const vpc = ownVpc(stack);
  Validations.of(vpc).acknowledge({ id: 'AwsSolutions-VPC7', reason: 'The VPC is not what is tested.' });
  return vpc;
}

interface Synthesis {
  readonly env?: typeof ENV;
  /** Beside that of cdk.json. */
  readonly more?: Record<string, unknown>;
}

/** The app with one construct for each of `props`, after synthesis, which throws when a rule is broken. */
function synthesise(
  props: readonly ((stack: Stack) => NimToDynatraceProps)[],
  { env, more }: Synthesis = {},
) {
  const app = new App({ context: { ...context, ...more }, outdir: join(directory, 'rules') });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  const stack = new Stack(app, 'Stack', env === undefined ? {} : { env });
  props.forEach((propsOf, nth) => {
    const parameterPrefix = nth === 0 ? '/nim-to-dynatrace' : `/nim-${nth}`;
    new NimToDynatrace(stack, `Nim${nth}`, { codeDirectory: directory, parameterPrefix, ...propsOf(stack) });
  });
  return { missing: app.synth().manifest.missing ?? [], template: Template.fromStack(stack) };
}

describe('AwsSolutions', () => {
  const variants: readonly (readonly [string, ...((stack: Stack) => NimToDynatraceProps)[]])[] = [
    ['plain', () => ({})],
    ['an imported VPC', (stack) => ({ vpc: importedVpc(stack) })],
    ['a VPC of the app', (stack) => ({ vpc: ownedVpc(stack) })],
    ['everything', (stack) => everything(stack, ownedVpc(stack))],
    ['two in one stack', () => ({}), () => ({})],
  ];
  for (const [what, ...props] of variants) {
    test(what, () => assert.deepEqual(synthesise(props).missing, []));
  }

  test('a VPC that is looked up: CDK asks for it and for nothing else, and its private subnets are used', (t) => {
    t.mock.method(process.stderr, 'write', () => true);
    t.mock.method(console, 'error', () => undefined);
    const props = [(stack: Stack) => ({ vpc: lookedUpVpc(stack) })];
    // Of the placeholders that stand for the VPC before the look-up no rule would be happy.
    const before = synthesise(props, {
      env: ENV,
      more: { '@aws-cdk/core:validateAgainstDefaultRules': false },
    });
    assert.deepEqual(
      before.missing.map(({ provider }) => provider),
      ['vpc-provider'],
    );
    const found = { [before.missing[0]?.key ?? '']: FOUND_VPC };
    const { missing, template } = synthesise(props, { env: ENV, more: found });
    assert.deepEqual(missing, []);
    template.allResourcesProperties('AWS::Lambda::Function', { VpcConfig: { SubnetIds: ['subnet-0a'] } });
    template.hasResourceProperties('AWS::Lambda::Function', {
      Environment: { Variables: { IN_VPC: 'true' } },
    });
    template.resourceCountIs('AWS::EC2::VPCEndpoint', 0);
    template.resourceCountIs('AWS::EC2::SecurityGroup', 1);
  });
});

/** As the CDK command line answers, and keeps in cdk.context.json. */
const FOUND_VPC = {
  vpcId: 'vpc-0123456789abcdef0',
  vpcCidrBlock: '10.0.0.0/16',
  ownerAccountId: ENV.account,
  availabilityZones: [],
  subnetGroups: ['Public', 'Private'].map((type) => ({
    name: type,
    type,
    subnets: [
      {
        subnetId: type === 'Public' ? 'subnet-0b' : 'subnet-0a',
        cidr: '10.0.1.0/24',
        availabilityZone: 'eu-central-1a',
        routeTableId: 'rtb-0a',
      },
    ],
  })),
};
