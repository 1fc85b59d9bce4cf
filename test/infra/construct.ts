/** The construct in a stack of its own, and what its template permits. */
import { Annotations, App, Stack } from 'aws-cdk-lib';
import type { StackProps } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { NimToDynatrace } from '../../infra/nim-to-dynatrace.ts';
import type { NimToDynatraceProps } from '../../infra/props.ts';

/** With a bundle for each function. */
export const directory = mkdtempSync(join(tmpdir(), 'construct-test-'));
for (const name of ['dispatch', 'scrape']) {
  mkdirSync(join(directory, name));
  writeFileSync(join(directory, name, 'index.mjs'), `export const handler = async () => '${name}';`);
}
after(() => rmSync(directory, { recursive: true }));

const { context } = JSON.parse(readFileSync('cdk.json', 'utf8')) as { context: Record<string, unknown> };

export function newStack(props: StackProps = {}): Stack {
  return new Stack(new App({ context, outdir: join(directory, 'out') }), 'Stack', props);
}

export function create(props: NimToDynatraceProps = {}, stack = newStack()): NimToDynatrace {
  return new NimToDynatrace(stack, 'Nim', { codeDirectory: directory, ...props });
}

export function templateOf(props: NimToDynatraceProps = {}, stack = newStack()): Template {
  create(props, stack);
  return Template.fromStack(stack);
}

export function importedVpc(stack: Stack): ec2.IVpc {
  const vpc = ec2.Vpc.fromVpcAttributes(stack, 'Vpc', {
    vpcId: 'vpc-0123456789abcdef0',
    availabilityZones: ['a', 'b'],
    privateSubnetIds: ['subnet-a', 'subnet-b'],
  });
  Annotations.of(vpc).acknowledgeWarning('@aws-cdk/aws-ec2:noSubnetRouteTableId');
  return vpc;
}

/**
 * A VPC of the app; the cast is for exactOptionalPropertyTypes, which aws-cdk-lib's own types do not heed.
 */
export function ownVpc(
  stack: Stack,
  gatewayEndpoints: Record<string, ec2.GatewayVpcEndpointOptions> = {},
): ec2.IVpc {
  return new ec2.Vpc(stack, 'Vpc', { maxAzs: 1, gatewayEndpoints }) as ec2.IVpc;
}

interface Statement {
  readonly Effect: string;
  readonly Action: string | string[];
  readonly Resource: unknown;
}

/**
 * Every `role: effect action on resource` of a template; resources by their kind or their parameter's name.
 */
export function permissionsOf(stack: Template): string[] {
  const { Resources } = stack.toJSON() as {
    Resources: Record<string, { Type: string; Properties: Record<string, unknown> }>;
  };
  const namesOf = (resource: unknown) => [resource].flat().map((one) => nameOf(flat(one)));
  return Object.entries(Resources)
    .filter(([, { Type }]) => Type === 'AWS::IAM::Role' || Type === 'AWS::IAM::Policy')
    .flatMap(([id, { Type, Properties }]) => {
      assert.equal(Type, 'AWS::IAM::Role', 'no policy outside the roles');
      assert.equal(Properties['ManagedPolicyArns'], undefined);
      const policies = Properties['Policies'] as { PolicyDocument: { Statement: Statement[] } }[];
      return policies
        .flatMap(({ PolicyDocument }) => PolicyDocument.Statement)
        .flatMap(({ Effect, Action, Resource }) =>
          [Action].flat().flatMap((action) => namesOf(Resource).map((name) => ({ Effect, action, name }))),
        )
        .map(({ Effect, action, name }) => {
          const role = id.replace(/^Nim|[0-9A-F]{8}$/g, '');
          return `${role}: ${Effect} ${action} on ${name}`;
        });
    });
}

/** `<id>` and `<id.attribute>` stand for what is known at deployment only. */
export function flat(value: unknown): string {
  if (typeof value === 'string') return value;
  const { 'Fn::Join': join, ...reference } = value as { readonly 'Fn::Join'?: readonly [string, unknown[]] };
  if (join !== undefined) return join[1].map(flat).join(join[0]);
  return `<${Object.values(reference).flat().join('.')}>`;
}

function nameOf(resource: string): string {
  return resource
    .replace(/^arn:<AWS::Partition>:\w+:<AWS::Region>:<AWS::AccountId>:/, '')
    .replace(/^<(?:Nim)?(\w+?)(?:[0-9A-F]{8})?(?:\.Arn)?>/, '$1');
}
