import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as logs from 'aws-cdk-lib/aws-logs';
import { ScheduleExpression } from 'aws-cdk-lib/aws-scheduler';
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { NimToDynatrace, SCRAPE_TIMEOUT } from '../../infra/nim-to-dynatrace.ts';
import { VISIBILITY_TIMEOUT } from '../../infra/stores.ts';
import { create, directory, importedVpc, newStack, ownVpc, templateOf } from './construct.ts';

const template = templateOf();

describe('schedule', () => {
  test('fires every minute with the scheduled time, and never repeats a tick', () => {
    template.resourceCountIs('AWS::Scheduler::Schedule', 1);
    template.hasResourceProperties('AWS::Scheduler::Schedule', {
      ScheduleExpression: 'rate(1 minute)',
      FlexibleTimeWindow: { Mode: 'OFF' },
      State: 'ENABLED',
      Target: {
        Input: '{"scheduledTime":"<aws.scheduler.scheduled-time>"}',
        RetryPolicy: { MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 60 },
      },
    });
    template.resourcePropertiesCountIs(
      'AWS::Lambda::EventInvokeConfig',
      { MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 60 },
      1,
    );
  });

  test('another schedule is taken as it is', () => {
    const schedule = ScheduleExpression.rate(Duration.minutes(5));
    templateOf({ schedule }).hasResourceProperties('AWS::Scheduler::Schedule', {
      ScheduleExpression: 'rate(5 minutes)',
    });
  });
});

describe('functions', () => {
  const functions = Object.values(template.findResources('AWS::Lambda::Function'));
  const byTimeout = (seconds: number) =>
    functions.find(({ Properties }) => Properties.Timeout === seconds)!.Properties;

  test('are two, on Node 24 and arm64, outside a VPC, with JSON logs and no reserved concurrency', () => {
    assert.equal(functions.length, 2);
    for (const { Properties } of functions) {
      assert.equal(Properties.Runtime, 'nodejs24.x');
      assert.deepEqual(Properties.Architectures, ['arm64']);
      assert.equal(Properties.Handler, 'index.handler');
      assert.equal(Properties.LoggingConfig.LogFormat, 'JSON');
      assert.equal(Properties.LoggingConfig.SystemLogLevel, 'WARN');
      assert.equal(Properties.VpcConfig, undefined);
      assert.equal(Properties.ReservedConcurrentExecutions, undefined);
    }
    assert.equal(byTimeout(60).MemorySize, 512);
    assert.equal(byTimeout(75).MemorySize, 512);
  });

  test('are told where things are, and no secret', () => {
    const ofDispatch = Object.keys(byTimeout(60).Environment.Variables).sort();
    assert.deepEqual(ofDispatch, [
      'IN_VPC',
      'MAX_STALENESS_MS',
      'PARAMETER_PREFIX',
      'QUEUE_URL',
      'TABLE_NAME',
    ]);
    const { TABLE_NAME, ...variables } = byTimeout(75).Environment.Variables;
    assert.ok('Ref' in TABLE_NAME);
    assert.deepEqual(variables, {
      PARAMETER_PREFIX: '/nim-to-dynatrace',
      MAX_STALENESS_MS: '90000000',
      IN_VPC: 'false',
      UV_THREADPOOL_SIZE: '64',
    });
    assert.doesNotMatch(JSON.stringify(template.toJSON()), /dt0[cs]\d+\.|Api-Token|Bearer|NoEcho/);
    template.resourceCountIs('AWS::SSM::Parameter', 0);
  });

  test('endpoint, prefix, memory and staleness arrive where they are given', () => {
    const given = templateOf({
      endpoint: 'https://abc12345.live.dynatrace.com/api/v2/otlp',
      parameterPrefix: '/team/nim',
      memorySize: 1024,
      maxStaleness: Duration.millis(0),
    });
    given.hasResourceProperties('AWS::Lambda::Function', {
      Timeout: 75,
      MemorySize: 1024,
      Environment: {
        Variables: {
          PARAMETER_PREFIX: '/team/nim',
          ENDPOINT: 'https://abc12345.live.dynatrace.com/api/v2/otlp',
          MAX_STALENESS_MS: '0',
        },
      },
    });
    assert.match(JSON.stringify(given.toJSON()), /:parameter\/team\/nim\/secrets\/\*"/);
  });

  test('keep their logs for two weeks, or as told', () => {
    template.resourcePropertiesCountIs('AWS::Logs::LogGroup', { RetentionInDays: 14 }, 2);
    templateOf({ logRetention: logs.RetentionDays.ONE_YEAR }).resourcePropertiesCountIs(
      'AWS::Logs::LogGroup',
      { RetentionInDays: 365 },
      2,
    );
  });
});

describe('queue', () => {
  test('is FIFO, encrypted, TLS only, forgets after 5 minutes and keeps what no worker took', () => {
    template.resourceCountIs('AWS::SQS::Queue', 2);
    template.allResourcesProperties('AWS::SQS::Queue', {
      FifoQueue: true,
      SqsManagedSseEnabled: true,
      ContentBasedDeduplication: false,
    });
    template.hasResourceProperties('AWS::SQS::Queue', {
      MessageRetentionPeriod: 300,
      VisibilityTimeout: 90,
      RedrivePolicy: { maxReceiveCount: 2 },
    });
    template.hasResourceProperties('AWS::SQS::Queue', {
      MessageRetentionPeriod: 1_209_600,
      RedrivePolicy: Match.absent(),
    });
    template.resourcePropertiesCountIs(
      'AWS::SQS::QueuePolicy',
      {
        PolicyDocument: {
          Statement: [
            Match.objectLike({ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }),
          ],
        },
      },
      2,
    );
  });

  test('hides a message for longer than its worker may run', () => {
    assert.ok(VISIBILITY_TIMEOUT.toSeconds() > SCRAPE_TIMEOUT.toSeconds());
  });

  test('gives each invocation one message, to 128 workers at most', () => {
    template.hasResourceProperties('AWS::Lambda::EventSourceMapping', {
      BatchSize: 1,
      ScalingConfig: { MaximumConcurrency: 128 },
      FunctionResponseTypes: Match.absent(),
    });
  });
});

describe('table', () => {
  test('is on demand, expires items and recovers to a point in time', () => {
    template.hasResource('AWS::DynamoDB::GlobalTable', {
      DeletionPolicy: 'Delete',
      Properties: {
        BillingMode: 'PAY_PER_REQUEST',
        KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
        TimeToLiveSpecification: { AttributeName: 'expiresAt', Enabled: true },
        Replicas: [
          Match.objectLike({ PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true } }),
        ],
      },
    });
  });

  test('stays with the logs where that is asked for', () => {
    const retained = templateOf({ removalPolicy: RemovalPolicy.RETAIN });
    retained.allResources('AWS::DynamoDB::GlobalTable', { DeletionPolicy: 'Retain' });
    retained.allResources('AWS::Logs::LogGroup', { DeletionPolicy: 'Retain' });
  });
});

describe('VPC', () => {
  test('an imported one is used as it is, by both functions: names are looked up where they are scraped', () => {
    const stack = newStack();
    const group = ec2.SecurityGroup.fromSecurityGroupId(stack, 'Group', 'sg-0123456789abcdef0');
    const inVpc = templateOf({ vpc: importedVpc(stack), securityGroups: [group] }, stack);
    inVpc.allResourcesProperties('AWS::Lambda::Function', {
      VpcConfig: {
        SubnetIds: ['subnet-a', 'subnet-b'],
        SecurityGroupIds: ['sg-0123456789abcdef0'],
      },
    });
    inVpc.hasResourceProperties('AWS::Lambda::Function', { Environment: { Variables: { IN_VPC: 'true' } } });
    inVpc.resourceCountIs('AWS::EC2::VPCEndpoint', 0);
    inVpc.resourceCountIs('AWS::EC2::SecurityGroup', 0);
  });

  test('without security groups there is one for both functions, with a way out and none in', () => {
    const stack = newStack();
    const inVpc = templateOf({ vpc: importedVpc(stack) }, stack);
    inVpc.resourceCountIs('AWS::EC2::SecurityGroup', 1);
    inVpc.hasResourceProperties('AWS::EC2::SecurityGroup', {
      SecurityGroupEgress: [Match.objectLike({ CidrIp: '0.0.0.0/0', IpProtocol: '-1' })],
      SecurityGroupIngress: Match.absent(),
    });
    const [id] = Object.keys(inVpc.findResources('AWS::EC2::SecurityGroup'));
    inVpc.allResourcesProperties('AWS::Lambda::Function', {
      VpcConfig: { SecurityGroupIds: [{ 'Fn::GetAtt': [id, 'GroupId'] }] },
    });
  });

  test('its subnets can be chosen', () => {
    const stack = newStack();
    const vpc = importedVpc(stack);
    const vpcSubnets = { subnets: vpc.privateSubnets.slice(1) };
    templateOf({ vpc, vpcSubnets }, stack).allResourcesProperties('AWS::Lambda::Function', {
      VpcConfig: { SubnetIds: ['subnet-b'] },
    });
  });

  test('one of this app gets a DynamoDB gateway endpoint, once', () => {
    const stack = newStack();
    const vpc = ownVpc(stack);
    create({ vpc }, stack);
    new NimToDynatrace(stack, 'Second', { vpc, codeDirectory: directory, parameterPrefix: '/second' });
    const inVpc = Template.fromStack(stack);
    inVpc.resourceCountIs('AWS::EC2::VPCEndpoint', 1);
    inVpc.hasResourceProperties('AWS::EC2::VPCEndpoint', { VpcEndpointType: 'Gateway' });
  });

  test('one of this app that has the endpoint, beside one for S3, is left alone', () => {
    const stack = newStack();
    const vpc = ownVpc(stack, {
      S3: { service: ec2.GatewayVpcEndpointAwsService.S3 },
      Table: { service: ec2.GatewayVpcEndpointAwsService.DYNAMODB },
    });
    templateOf({ vpc }, stack).resourceCountIs('AWS::EC2::VPCEndpoint', 2);
  });

  test('one of this app with an endpoint for S3 only gets the one for DynamoDB', () => {
    const stack = newStack();
    const vpc = ownVpc(stack, { S3: { service: ec2.GatewayVpcEndpointAwsService.S3 } });
    templateOf({ vpc }, stack).resourceCountIs('AWS::EC2::VPCEndpoint', 2);
  });

  test('connections are those of both functions, and there are none without a VPC', () => {
    const stack = newStack();
    const nim = create({ vpc: importedVpc(stack) }, stack);
    assert.deepEqual(nim.connections.securityGroups, nim.dispatchFunction.connections.securityGroups);
    assert.equal(nim.connections.securityGroups.length, 1);
    assert.throws(() => create().connections, /Only VPC-associated/);
  });
});
