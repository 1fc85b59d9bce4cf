/** The construct in a stack of its own, and what its template permits. */
import { Annotations, App, Stack, Validations } from 'aws-cdk-lib';
import type { StackProps } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as kms from 'aws-cdk-lib/aws-kms';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { ApiToken } from '../../infra/api-token.ts';
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

/** The warnings that CDK prints at synthesis. */
export function warningsOf(stack: Stack): string[] {
  return stack.node
    .findAll()
    .flatMap(({ node }) => node.metadata)
    .filter(({ type }) => type === 'aws:cdk:warning')
    .map(({ data }) => String(data));
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

/** The text of an authority that signed nothing else. */
export const CA = readFileSync('test/adapters/certificates/test-only-ca.pem', 'utf8');

export const SECRET_ARN = 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:nim/prod-AbCdEf';
export const TOKEN_ARN = 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:dynatrace-AbCdEf';

/** Every property that adds something, with a key of the app. */
export function everything(stack: Stack, vpc = importedVpc(stack)): NimToDynatraceProps {
  const encryptionKey = new kms.Key(stack, 'Key', { enableKeyRotation: true }) as kms.IKey;
  return {
    endpoint: 'https://ag.example.com:9999/e/abc12345/api/v2/otlp',
    apiToken: ApiToken.fromSecret(
      Secret.fromSecretAttributes(stack, 'Token', { secretCompleteArn: TOKEN_ARN, encryptionKey }),
      { field: 'apiToken' },
    ),
    targets: { nim: '10.0.1.17:8000', jobs: { scrape_configs: [{ job_name: 'a' }] } },
    vpc,
    secrets: [
      StringParameter.fromSecureStringParameterAttributes(stack, 'Parameter', {
        parameterName: '/team/nim-token',
      }),
      Secret.fromSecretCompleteArn(stack, 'Secret', SECRET_ARN),
    ],
    secretsKey: kms.Key.fromKeyArn(
      stack,
      'SecretsKey',
      'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab',
    ),
    proxy: 'http://proxy.example.com:3128',
    caBundle: CA,
    billing: dynamodb.Billing.provisioned({
      readCapacity: dynamodb.Capacity.autoscaled({ maxCapacity: 20 }),
      writeCapacity: dynamodb.Capacity.autoscaled({ maxCapacity: 20 }),
    }),
    encryptionKey,
    selfMetrics: false,
  };
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

/** What cdk-nag is told about wildcards: `role resource`, and the reason. */
export function reasonsOf(construct: NimToDynatrace): Map<string, string> {
  const reasons = new Map<string, string>();
  for (const { node } of construct.node.findAll()) {
    for (const { type, data } of node.metadata) {
      if (type !== Validations.ACKNOWLEDGED_RULES_METADATA_KEY) continue;
      for (const [rule, reason] of Object.entries(data as Record<string, string>)) {
        const resource = /AwsSolutions-IAM5\[Resource::(.*)\]$/.exec(rule)?.[1] ?? rule;
        reasons.set(`${node.id} ${nameOf(resource)}`, reason);
      }
    }
  }
  return reasons;
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
