import { Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { createApp } from '../../infra/app.ts';

const directory = mkdtempSync(join(tmpdir(), 'app-test-'));
for (const name of ['dispatch', 'scrape']) {
  mkdirSync(join(directory, name));
  writeFileSync(join(directory, name, 'index.mjs'), 'export const handler = async () => {};');
}
after(() => rmSync(directory, { recursive: true }));

const cdkJson = JSON.parse(readFileSync('cdk.json', 'utf8')) as { context: Record<string, unknown> };
const recommended = JSON.parse(
  readFileSync('node_modules/aws-cdk-lib/recommended-feature-flags.json', 'utf8'),
) as Record<string, unknown>;

function appWith(options: Readonly<Record<string, unknown>> = {}) {
  return createApp(
    { context: { ...cdkJson.context, ...options }, outdir: join(directory, 'out') },
    { codeDirectory: directory },
  );
}

const SECRET = 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:nim/prod-AbCdEf';
const KEY = 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';

const TOPIC = 'arn:aws:sns:eu-central-1:111122223333:ops';

/** What `status` and `doctor --stack` look for. */
const OUTPUTS = ['TableName', 'DispatchFunctionName', 'ScrapeFunctionName'];

function stackOf(app: ReturnType<typeof createApp>): Stack {
  return app.node.findChild('NimToDynatrace') as Stack;
}

describe('cdk.json', () => {
  test('asks nothing of the network and has all recommended feature flags', () => {
    const { 'cli-telemetry': telemetry, ...flags } = cdkJson.context;
    assert.equal(telemetry, false);
    assert.deepEqual(flags, recommended);
    assert.partialDeepStrictEqual(cdkJson, {
      app: 'node infra/app.ts',
      notices: false,
      versionReporting: false,
    });
  });
});

describe('app', () => {
  test('takes max_staleness in minutes, hours or days, and 0 for never', () => {
    for (const [text, staleMs] of [
      ['45m', 2_700_000],
      ['10h', 36_000_000],
      ['2d', 172_800_000],
      ['0', 0],
    ] as const) {
      const template = Template.fromStack(stackOf(appWith({ maxStaleness: text })));
      const functions = Object.values(template.findResources('AWS::Lambda::Function')) as {
        readonly Properties: {
          readonly Environment: { readonly Variables: Readonly<Record<string, unknown>> };
        };
      }[];
      const given = functions.map(({ Properties }) => Properties.Environment.Variables['MAX_STALENESS_MS']);
      assert.deepEqual(given, [String(staleMs), String(staleMs)], text);
    }
  });

  test('is one stack for any account and region, and passes the AwsSolutions rules', () => {
    const assembly = appWith().synth();
    assert.deepEqual(
      assembly.stacks.map(({ stackName, environment }) => [
        stackName,
        environment.account,
        environment.region,
      ]),
      [['NimToDynatrace', 'unknown-account', 'unknown-region']],
    );
    assert.deepEqual(assembly.manifest.missing, undefined);
  });

  test('with VPC, subnets and security groups it looks nothing up and passes the rules', () => {
    const app = appWith({
      vpcId: 'vpc-0abc',
      subnetIds: 'subnet-0a, subnet-0b',
      securityGroupIds: 'sg-0abc',
      parameterPrefix: '/team/nim',
    });
    assert.deepEqual(app.synth().manifest.missing, undefined);
    const template = Template.fromStack(stackOf(app));
    template.hasResourceProperties('AWS::Lambda::Function', {
      VpcConfig: { SubnetIds: ['subnet-0a', 'subnet-0b'], SecurityGroupIds: ['sg-0abc'] },
      Environment: { Variables: { PARAMETER_PREFIX: '/team/nim' } },
    });
    assert.deepEqual(Object.keys(template.findOutputs('*')), OUTPUTS);
  });

  test('without security groups it makes one and names it', () => {
    const app = appWith({ vpcId: 'vpc-0123456789abcdef0', subnetIds: 'subnet-0a' });
    app.synth();
    assert.deepEqual(Object.keys(Template.fromStack(stackOf(app)).findOutputs('*')), [
      ...OUTPUTS,
      'SecurityGroupId',
    ]);
  });

  test('secrets and their keys are granted as the command line names them, and pass the rules', () => {
    const app = appWith({ secrets: `/team/nim-token, ssm:plain,${SECRET}`, secretsKey: KEY });
    assert.deepEqual(app.synth().manifest.missing, undefined);
    const template = Template.fromStack(stackOf(app));
    template.hasResourceProperties('AWS::Lambda::Function', {
      Environment: { Variables: { SECRETS: `/team/nim-token,plain,${SECRET}`, IN_VPC: 'false' } },
    });
    const granted = JSON.stringify(template.findResources('AWS::IAM::Role'));
    for (const resource of [':parameter/team/nim-token"', ':parameter/plain"', `"${SECRET}"`, `"${KEY}"`]) {
      assert.ok(granted.includes(resource), resource);
    }
  });

  test('clusters are granted by their names, and pass the rules', () => {
    const app = appWith({ eksClusters: 'prod, stage' });
    assert.deepEqual(app.synth().manifest.missing, undefined);
    const template = Template.fromStack(stackOf(app));
    template.hasResourceProperties('AWS::Lambda::Function', {
      Environment: { Variables: { EKS_CLUSTERS: 'prod,stage' } },
    });
    for (const ClusterName of ['prod', 'stage'])
      template.hasResourceProperties('AWS::EKS::AccessEntry', { ClusterName });
  });

  test('the topic of alarms is the one of the command line, and a dashboard passes the rules as well', () => {
    const app = createApp(
      { context: { ...cdkJson.context, alarmTopic: TOPIC }, outdir: join(directory, 'out') },
      { codeDirectory: directory, dashboard: true },
    );
    assert.deepEqual(app.synth().manifest.missing, undefined);
    Template.fromStack(stackOf(app)).allResourcesProperties('AWS::CloudWatch::Alarm', {
      AlarmActions: [TOPIC],
    });
  });

  test('token, proxy, authorities, key and self-metrics as the command line names them', (context) => {
    context.mock.method(process.stderr, 'write', () => true);
    context.mock.method(console, 'error', () => undefined);
    const app = appWith({
      apiToken: `${SECRET}#apiToken`,
      proxy: 'http://proxy.example.com:3128',
      caBundle: 'test/adapters/certificates/test-only-ca.pem',
      encryptionKey: KEY,
      selfMetrics: 'off',
    });
    assert.deepEqual(app.synth().manifest.missing, undefined);
    const template = Template.fromStack(stackOf(app));
    template.hasResourceProperties('AWS::Lambda::Function', {
      Environment: {
        Variables: {
          API_TOKEN: `${SECRET}#apiToken`,
          PROXY: 'http://proxy.example.com:3128',
          CA_BUNDLE: '/opt/nim-to-dynatrace-ca.pem',
          SELF_METRICS: 'off',
        },
      },
    });
    template.allResourcesProperties('AWS::SQS::Queue', { KmsMasterKeyId: KEY });
  });

  test('the token may be in another parameter', () => {
    for (const apiToken of ['/team/dynatrace', 'ssm:/team/dynatrace']) {
      const template = Template.fromStack(stackOf(appWith({ apiToken, selfMetrics: 'on' })));
      template.hasResourceProperties('AWS::Lambda::Function', {
        Environment: { Variables: { API_TOKEN: 'ssm:/team/dynatrace' } },
      });
    }
  });

  test('the rules are in force: a queue without TLS fails the synthesis', (context) => {
    context.mock.method(process.stderr, 'write', () => true);
    context.mock.method(console, 'error', () => undefined);
    const app = appWith();
    new sqs.Queue(stackOf(app), 'Bad');
    assert.throws(() => app.synth(), /Validation failed/);
    const report = readFileSync(join(directory, 'out/validation-report.json'), 'utf8');
    assert.match(report, /AwsSolutions.{0,2}SQS4/);
  });
});

describe('context options', () => {
  const refused: readonly (readonly [Record<string, unknown>, RegExp])[] = [
    [{ vpcId: 'vpc-0abc' }, /cannot use -c vpcId=vpc-0abc: its subnets are not given/],
    [{ subnetIds: 'subnet-0a' }, /the VPC is not given; add -c vpcId=/],
    [{ securityGroupIds: 'sg-0abc' }, /the VPC is not given; add -c vpcId=/],
    [{ vpcId: 'vpc-0abc', securityGroupIds: 'sg-0abc' }, /its subnets are not given/],
    [{ eksClusters: 'prod,prod' }, /cannot use -c eksClusters=prod,prod: .*; write eksClusters=prod,stage$/],
    [{ eksClusters: 'eks://prod' }, /cannot use -c eksClusters=eks:\/\/prod: an id is malformed/],
    [{ vpcId: 'vpc-0a,vpc-0b', subnetIds: 'subnet-0a' }, /names several VPCs/],
    [{ alarmTopic: 'ops' }, /cannot use -c alarmTopic=ops: an id is malformed/],
    [{ alarmTopic: `${TOPIC},${TOPIC}2` }, /it names several topics; subscribe the others to one/],
    [{ vpcId: '', subnetIds: 'subnet-0a' }, /cannot use -c vpcId=: an id is malformed/],
    [{ vpcId: 'subnet-0a', subnetIds: 'vpc-0abc' }, /an id is malformed or doubled; write vpcId=vpc-0abc/],
    [
      { vpcId: 'vpc-0abc', subnetIds: 'subnet-0a,' },
      /cannot use -c subnetIds=subnet-0a,: an id is malformed/,
    ],
    [{ vpcId: 'vpc-0abc', subnetIds: 'subnet-0a,subnet-0a' }, /malformed or doubled/],
    [{ vpcId: 'vpc-0abc', subnetIds: ['subnet-0a'] }, /cannot use -c subnetIds: it is no text/],
    [
      { maxStaleness: '25 hours' },
      /cannot use -c maxStaleness=25 hours: it is no duration; write maxStaleness=25h, 30m or 2d/,
    ],
    [{ maxStaleness: '1m' }, /cannot use maxStaleness of 60000 ms: it is below twice the tick/],
    [{ parameterPrefix: 'nim' }, /cannot use parameterPrefix "nim"/],
    [
      { secrets: 'team/nim-token' },
      /cannot use -c secrets=\.\.\.: an id is malformed or doubled; write secrets=\/team/,
    ],
    [{ secrets: '/team/*' }, /an id is malformed/],
    [{ secrets: '/team/a,/team/a' }, /malformed or doubled/],
    [{ secrets: SECRET.slice(0, -7) }, /malformed/],
    [{ secrets: `${SECRET}#password` }, /malformed/],
    [
      { secrets: '/nim-to-dynatrace/secrets/dt-api-token' },
      /is the Dynatrace API token, which no target may see/,
    ],
    [
      { secretsKey: 'alias/nim' },
      /cannot use -c secretsKey=\.\.\.: an id is malformed .*; write secretsKey=arn:aws:kms:/,
    ],
    [{ secretsKey: SECRET }, /malformed/],
    [
      { apiToken: 'dt0c01.A.B' },
      /cannot use -c apiToken=\.\.\.: an id is malformed or doubled; write apiToken=\/team/,
    ],
    [{ apiToken: '/team/a#b' }, /cannot use apiToken: this is no name of a parameter/],
    [{ apiToken: '/team/a,/team/b' }, /cannot use -c apiToken: it names several; give one/],
    [{ encryptionKey: 'alias/nim' }, /cannot use -c encryptionKey=\.\.\.: an id is malformed/],
    [{ encryptionKey: `${KEY},${KEY.replace('1234', '5678')}` }, /it names several; give one/],
    [{ proxy: 'http://user:word@proxy' }, /cannot use proxy: it holds a user or password/],
    [{ caBundle: 'none.pem' }, /cannot use -c caBundle=none.pem: the file cannot be read; check its path/],
    [{ caBundle: 'package.json' }, /cannot use caBundle: it is not the text of certificates in PEM/],
    [{ vpcID: 'vpc-0abc' }, /cannot use -c vpcID: there is no such option; write -c vpcId=/],
    [{ 'subnet-id': 'subnet-0a' }, /cannot use -c subnet-id: there is no such option; write -c subnetIds=/],
    [{ secretKey: KEY }, /cannot use -c secretKey: there is no such option; write -c secretsKey=/],
    [{ selfMetrics: 'false' }, /cannot use -c selfMetrics=false: it is no switch; write selfMetrics=off/],
  ];
  for (const [options, message] of refused) {
    test(`${JSON.stringify(options)} is refused`, () => {
      assert.throws(() => appWith(options), message);
    });
  }

  test('context that is not meant for this app is left alone', () => {
    assert.doesNotThrow(() => appWith({ 'availability-zones:account=1:region=x': ['a'], team: 'ml' }));
  });

  test('a secret that was pasted where its name belongs is not repeated', () => {
    assert.throws(
      () => appWith({ secrets: 'hunter2' }),
      (error: Error) => !error.message.includes('hunter2'),
    );
    assert.throws(
      () => appWith({ apiToken: 'dt0c01.A.hunter2' }),
      (error: Error) => !error.message.includes('hunter2'),
    );
  });
});
