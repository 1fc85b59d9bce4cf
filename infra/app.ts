/**
 * The app of `cdk synth` and `cdk deploy`: one stack with the construct in it. Its context options: `-c
 * vpcId=vpc-0abc -c subnetIds=subnet-0a,subnet-0b -c securityGroupIds=sg-0abc -c
 * parameterPrefix=/nim-to-dynatrace -c maxStaleness=25h -c secrets=/team/nim-token,arn:aws:secretsmanager:... -c
 * secretsKey=arn:aws:kms:... -c apiToken=arn:aws:secretsmanager:...#apiToken -c proxy=http://proxy.example.com:3128 -c
 * caBundle=ca.pem -c encryptionKey=arn:aws:kms:... -c selfMetrics=off -c alarmTopic=arn:aws:sns:... -c
 * eksClusters=prod,stage`.
 */
import { Annotations, App, CfnOutput, Duration, Stack, Validations } from 'aws-cdk-lib';
import type { AppProps } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as kms from 'aws-cdk-lib/aws-kms';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import { AwsSolutionsChecks } from 'cdk-nag';
import { readFileSync } from 'node:fs';
import { ApiToken } from './api-token.ts';
import { bundle } from './bundle.ts';
import { NimToDynatrace } from './nim-to-dynatrace.ts';
import type { NimToDynatraceProps } from './props.ts';
import type { TargetSecret } from './secrets.ts';

/**
 * The app with its one stack, for any account and region, checked by cdk-nag's AwsSolutions rules at
 * synthesis.
 * @throws Error when a context option is malformed or comes without the one that it belongs to.
 */
export function createApp(appProps: AppProps = {}, props: NimToDynatraceProps = {}): App {
  const app = new App(appProps);
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  const stack = new Stack(app, 'NimToDynatrace', {
    description: 'nim-to-dynatrace: NVIDIA NIM metrics in Dynatrace without a Collector',
  });
  const {
    vpcId,
    subnetIds,
    securityGroupIds,
    secrets,
    secretsKeys,
    eksClusters,
    apiToken,
    encryptionKey,
    alarmTopicArn,
    ...plain
  } = contextOptions(app);
  for (const id of ['CloudFormation-Validate::E1150', 'CloudFormation-Validate::E1151']) {
    Validations.of(stack).acknowledge({
      id,
      reason: 'These ids come from the context, where their form is checked; AWS knows the rest.',
    });
  }
  const pipeline = new NimToDynatrace(stack, 'Pipeline', {
    ...props,
    ...plain,
    ...(apiToken === undefined ? {} : { apiToken: importApiToken(stack, apiToken) }),
    ...(encryptionKey === undefined
      ? {}
      : { encryptionKey: kms.Key.fromKeyArn(stack, 'EncryptionKey', encryptionKey) }),
    ...(alarmTopicArn === undefined
      ? {}
      : { alarmTopic: Topic.fromTopicArn(stack, 'AlarmTopic', alarmTopicArn) }),
    ...(secrets.length === 0 ? {} : { secrets: importSecrets(stack, secrets) }),
    ...(secretsKeys.length === 0 ? {} : { secretsKey: importKeys(stack, secretsKeys) }),
    ...(eksClusters.length === 0 ? {} : { discovery: { eks: eksClusters.map((cluster) => ({ cluster })) } }),
    ...(vpcId === undefined
      ? {}
      : {
          vpc: importVpc(stack, vpcId, subnetIds),
          ...(securityGroupIds.length === 0
            ? {}
            : { securityGroups: importSecurityGroups(stack, securityGroupIds) }),
        }),
  });
  new CfnOutput(stack, 'TableName', {
    value: pipeline.table.tableName,
    description: 'State, one item per target',
  });
  new CfnOutput(stack, 'DispatchFunctionName', {
    value: pipeline.dispatchFunction.functionName,
    description: 'Finds the targets; also for the doctor',
  });
  new CfnOutput(stack, 'ScrapeFunctionName', {
    value: pipeline.scrapeFunction.functionName,
    description: 'Scrapes and exports; also for the doctor',
  });
  if (vpcId !== undefined && securityGroupIds.length === 0) {
    new CfnOutput(stack, 'SecurityGroupId', {
      value: pipeline.connections.securityGroups[0]!.securityGroupId,
      description: 'Admit this group in the security groups of the NIM replicas',
    });
  }
  return app;
}

interface ContextOptions extends Pick<
  NimToDynatraceProps,
  'parameterPrefix' | 'maxStaleness' | 'proxy' | 'caBundle' | 'selfMetrics'
> {
  readonly vpcId?: string;
  readonly subnetIds: readonly string[];
  readonly securityGroupIds: readonly string[];
  readonly secrets: readonly string[];
  readonly secretsKeys: readonly string[];
  readonly eksClusters: readonly string[];
  readonly alarmTopicArn?: string;
  readonly apiToken?: string;
  readonly encryptionKey?: string;
}

/** Such as `/team/nim-token`, or `ssm:` and the name as in a document; else the whole ARN of a secret. */
const SECRET =
  /^(?:\/[\w.-]+(?:\/[\w.-]+)*|ssm:\/?[\w.-]+(?:\/[\w.-]+)*|arn:aws[\w-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[\w/+=.@!-]+-[A-Za-z0-9]{6})$/;
const SECRETS_EXAMPLE = '/team/nim-token,arn:aws:secretsmanager:eu-central-1:111122223333:secret:nim-AbCdEf';

const TOPIC = /^arn:aws[\w-]*:sns:[a-z0-9-]+:\d{12}:[\w-]{1,256}$/;
/** One of those, with the field of a secret that is a JSON object. */
const TOKEN = new RegExp(`${SECRET.source.slice(0, -1)}(?:#[^\\s#,]{1,256})?$`);
const TOKEN_EXAMPLE = '/team/dynatrace-token, or the ARN of a secret with #field behind it';

const KEY = /^arn:aws[\w-]*:kms:[a-z0-9-]+:\d{12}:key\/[\w-]+$/;
const KEY_EXAMPLE = 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';

/** Each has a line in docs/deploy.md. */
export const CONTEXT_OPTIONS: readonly string[] = [
  'vpcId',
  'subnetIds',
  'securityGroupIds',
  'parameterPrefix',
  'maxStaleness',
  'secrets',
  'secretsKey',
  'apiToken',
  'proxy',
  'caBundle',
  'encryptionKey',
  'selfMetrics',
  'alarmTopic',
  'eksClusters',
];

/** An option as it is meant, however it is spelt: `vpcID`, `subnet-ids`, `securityGroupId`. */
function spelling(option: string): string {
  return option
    .replace(/s(?=[A-Z_-]|$)/g, '')
    .replace(/[_-]/g, '')
    .toLowerCase();
}

/** CDK takes any key for context: `-c vpcID=...` would be a deployment without its VPC, and nobody would be told. */
function refuseMisspelt(app: App): void {
  const bySpelling = new Map(CONTEXT_OPTIONS.map((option) => [spelling(option), option]));
  for (const key of Object.keys(app.node.getAllContext() as Readonly<Record<string, unknown>>)) {
    const option = bySpelling.get(spelling(key));
    if (option !== undefined && option !== key) {
      throw new Error(`cannot use -c ${key}: there is no such option; write -c ${option}=...`);
    }
  }
}

function contextOptions(app: App): ContextOptions {
  refuseMisspelt(app);
  const [vpcId, ...otherVpcIds] = idsOf(app, 'vpcId', /^vpc-[0-9a-z]+$/, 'vpc-0abc');
  const subnetIds = idsOf(app, 'subnetIds', /^subnet-[0-9a-z]+$/, 'subnet-0a,subnet-0b');
  const securityGroupIds = idsOf(app, 'securityGroupIds', /^sg-[0-9a-z]+$/, 'sg-0abc');
  const parameterPrefix = contextText(app, 'parameterPrefix');
  const maxStaleness = durationOf(app, 'maxStaleness');
  const secrets = idsOf(app, 'secrets', SECRET, SECRETS_EXAMPLE, 'hidden');
  const secretsKeys = idsOf(app, 'secretsKey', KEY, KEY_EXAMPLE, 'hidden');
  const eksClusters = idsOf(app, 'eksClusters', /^[0-9A-Za-z][\w-]{0,99}$/, 'prod,stage');
  const [alarmTopicArn, ...otherTopics] = idsOf(
    app,
    'alarmTopic',
    TOPIC,
    'arn:aws:sns:eu-central-1:111122223333:ops',
  );
  if (otherTopics.length > 0) {
    throw new Error('cannot use -c alarmTopic: it names several topics; subscribe the others to one');
  }
  const apiToken = oneOf(idsOf(app, 'apiToken', TOKEN, TOKEN_EXAMPLE, 'hidden'), 'apiToken');
  const encryptionKey = oneOf(idsOf(app, 'encryptionKey', KEY, KEY_EXAMPLE, 'hidden'), 'encryptionKey');
  const proxy = contextText(app, 'proxy');
  const caBundle = fileOf(app, 'caBundle');
  const selfMetrics = switchOf(app, 'selfMetrics');
  if (otherVpcIds.length > 0) {
    throw new Error(
      'cannot use -c vpcId: it names several VPCs; deploy once per VPC, each with its own prefix',
    );
  }
  if (vpcId !== undefined && subnetIds.length === 0) {
    throw new Error(
      `cannot use -c vpcId=${vpcId}: its subnets are not given; add -c subnetIds=subnet-0a,subnet-0b`,
    );
  }
  if (vpcId === undefined && subnetIds.length + securityGroupIds.length > 0) {
    throw new Error(
      'cannot use -c subnetIds or -c securityGroupIds: the VPC is not given; add -c vpcId=vpc-0abc',
    );
  }
  return {
    ...(vpcId === undefined ? {} : { vpcId }),
    subnetIds,
    securityGroupIds,
    ...(parameterPrefix === undefined ? {} : { parameterPrefix }),
    ...(maxStaleness === undefined ? {} : { maxStaleness }),
    secrets,
    secretsKeys,
    eksClusters,
    ...(alarmTopicArn === undefined ? {} : { alarmTopicArn }),
    ...(apiToken === undefined ? {} : { apiToken }),
    ...(encryptionKey === undefined ? {} : { encryptionKey }),
    ...(proxy === undefined ? {} : { proxy }),
    ...(caBundle === undefined ? {} : { caBundle }),
    ...(selfMetrics === undefined ? {} : { selfMetrics }),
  };
}

/**
 * Identifiers of one context option, separated by commas; empty where the option is not given. `hidden`: a malformed
 * one may be a secret that somebody pasted, so it is not repeated.
 */
function idsOf(
  app: App,
  option: string,
  form: RegExp,
  example: string,
  hidden?: 'hidden',
): readonly string[] {
  const text = contextText(app, option);
  if (text === undefined) return [];
  const ids = text.split(',').map((id) => id.trim());
  if (!ids.every((id) => form.test(id)) || new Set(ids).size < ids.length) {
    throw new Error(
      `cannot use -c ${option}=${hidden === undefined ? text : '...'}: an id is malformed or doubled; write ${option}=${example}`,
    );
  }
  return ids;
}

function oneOf([id, ...others]: readonly string[], option: string): string | undefined {
  if (others.length > 0) throw new Error(`cannot use -c ${option}: it names several; give one`);
  return id;
}

/** The text of the file that the option names. */
function fileOf(app: App, option: string): string | undefined {
  const path = contextText(app, option);
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch {
    throw new Error(`cannot use -c ${option}=${path}: the file cannot be read; check its path`);
  }
}

function switchOf(app: App, option: string): boolean | undefined {
  const text = contextText(app, option);
  if (text === undefined) return undefined;
  if (text === 'on' || text === 'off') return text === 'on';
  throw new Error(`cannot use -c ${option}=${text}: it is no switch; write ${option}=off or ${option}=on`);
}

function contextText(app: App, option: string): string | undefined {
  const value: unknown = app.node.tryGetContext(option);
  if (value === undefined || typeof value === 'string') return value;
  throw new Error(`cannot use -c ${option}: it is no text; write ${option}=<value>`);
}

/** Such as `25h`, `30m` or `2d`; 0: never. */
function durationOf(app: App, option: string): Duration | undefined {
  const text = contextText(app, option);
  if (text === undefined) return undefined;
  const [, amount, unit] = /^(\d{1,6})([mhd])$/.exec(text === '0' ? '0m' : text) ?? [];
  if (unit === undefined) {
    throw new Error(`cannot use -c ${option}=${text}: it is no duration; write ${option}=25h, 30m or 2d`);
  }
  const minutes = Number(amount) * ({ m: 1, h: 60, d: 1_440 }[unit] ?? 1);
  return Duration.minutes(minutes);
}

/** By attributes, so that synthesis looks nothing up in AWS. */
function importVpc(stack: Stack, vpcId: string, subnetIds: readonly string[]): ec2.IVpc {
  const vpc = ec2.Vpc.fromVpcAttributes(stack, 'Vpc', {
    vpcId,
    // A function's subnets are known to AWS by their ids: the zones only have to be as many as the subnets.
    availabilityZones: subnetIds.map((_, index) => `zone-${index + 1}`),
    privateSubnetIds: [...subnetIds],
  });
  Annotations.of(vpc).acknowledgeWarning(
    '@aws-cdk/aws-ec2:noSubnetRouteTableId',
    'nothing here adds a route to an imported subnet',
  );
  return vpc;
}

function importSecurityGroups(stack: Stack, ids: readonly string[]): ec2.ISecurityGroup[] {
  return ids.map((id, index) =>
    ec2.SecurityGroup.fromSecurityGroupId(stack, `SecurityGroup${index + 1}`, id),
  );
}

/** By their full ARNs, since the end of a shorter one may or may not be the six characters of Secrets Manager. */
function importSecrets(stack: Stack, references: readonly string[]): TargetSecret[] {
  return references.map((reference, index) => {
    const id = `Secret${index + 1}`;
    return reference.startsWith('arn:')
      ? Secret.fromSecretCompleteArn(stack, id, reference)
      : StringParameter.fromSecureStringParameterAttributes(stack, id, {
          parameterName: reference.replace(/^ssm:/, ''),
        });
  });
}

function importApiToken(stack: Stack, reference: string): ApiToken {
  if (!reference.startsWith('arn:')) return ApiToken.fromSsmParameter(reference.replace(/^ssm:/, ''));
  const [arn = '', field] = reference.split('#');
  const secret = Secret.fromSecretCompleteArn(stack, 'ApiToken', arn);
  return ApiToken.fromSecret(secret, field === undefined ? {} : { field });
}

function importKeys(stack: Stack, arns: readonly string[]): kms.IKey[] {
  return arns.map((arn, index) => kms.Key.fromKeyArn(stack, `SecretsKey${index + 1}`, arn));
}

if (import.meta.main) {
  await bundle();
  createApp().synth();
}
