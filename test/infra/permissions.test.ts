/** Every action on every resource that the template's roles allow, and what stands around them. */
import { CfnParameter } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import * as ssm from 'aws-cdk-lib/aws-ssm';
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DISPATCH_KEY } from '../../functions/adapters/tick-record-dynamodb.ts';
import {
  SECRET_ARN,
  TOKEN_ARN,
  create,
  everything,
  importedVpc,
  newStack,
  permissionsOf,
  reasonsOf,
  templateOf,
} from './construct.ts';

const template = templateOf();

const OF_DISPATCH = [
  'DispatchRole: Allow logs:CreateLogStream on DispatchLogs',
  'DispatchRole: Allow logs:PutLogEvents on DispatchLogs',
  'DispatchRole: Allow ssm:GetParametersByPath on parameter/nim-to-dynatrace/targets',
  'DispatchRole: Allow ssm:GetParameterHistory on parameter/nim-to-dynatrace/targets/*',
  'DispatchRole: Allow sqs:SendMessage on Queue',
  'DispatchRole: Allow dynamodb:Query on Table/index/owing',
  'DispatchRole: Allow dynamodb:UpdateItem on Table',
];
const OF_SCRAPE = [
  'ScrapeRole: Allow logs:CreateLogStream on ScrapeLogs',
  'ScrapeRole: Allow logs:PutLogEvents on ScrapeLogs',
  'ScrapeRole: Allow dynamodb:BatchGetItem on Table',
  'ScrapeRole: Allow dynamodb:GetItem on Table',
  'ScrapeRole: Allow dynamodb:PutItem on Table',
  'ScrapeRole: Allow dynamodb:UpdateItem on Table',
  'ScrapeRole: Allow ssm:GetParameter on parameter/nim-to-dynatrace/endpoint',
  'ScrapeRole: Allow ssm:GetParameter on parameter/nim-to-dynatrace/secrets/*',
  'ScrapeRole: Allow sqs:DeleteMessage on Queue',
  'ScrapeRole: Allow sqs:GetQueueAttributes on Queue',
  'ScrapeRole: Allow sqs:ReceiveMessage on Queue',
];
const OF_SCHEDULE = ['ScheduleRole: Allow lambda:InvokeFunction on Dispatch'];
const NETWORK_INTERFACE_ACTIONS = [
  'ec2:AssignPrivateIpAddresses',
  'ec2:CreateNetworkInterface',
  'ec2:DeleteNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:UnassignPrivateIpAddresses',
];

const interfacesOf = (role: string) =>
  ['Allow', 'Deny'].flatMap((effect) =>
    NETWORK_INTERFACE_ACTIONS.map((action) => `${role}: ${effect} ${action} on *`),
  );

const writesTable = (role: string) =>
  [
    'Decrypt',
    'DescribeKey',
    'Encrypt',
    'GenerateDataKey',
    'GenerateDataKeyWithoutPlaintext',
    'ReEncryptFrom',
    'ReEncryptTo',
  ].map((action) => `${role}: Allow kms:${action} on Key`);

describe('permissions', () => {
  test('dispatch writes its own item and no other', () => {
    template.hasResourceProperties('AWS::IAM::Role', {
      Policies: [
        {
          PolicyDocument: {
            Statement: Match.arrayWith([
              Match.objectLike({
                Action: 'dynamodb:UpdateItem',
                Condition: { 'ForAllValues:StringEquals': { 'dynamodb:LeadingKeys': [DISPATCH_KEY] } },
              }),
            ]),
          },
        },
      ],
    });
  });

  test('are exactly these', () => {
    assert.deepEqual(permissionsOf(template), [...OF_DISPATCH, ...OF_SCRAPE, ...OF_SCHEDULE]);
  });

  test('in a VPC Lambda may make network interfaces, on * as EC2 wants it, and the code may not', () => {
    const stack = newStack();
    assert.deepEqual(permissionsOf(templateOf({ vpc: importedVpc(stack) }, stack)), [
      ...OF_DISPATCH,
      ...interfacesOf('DispatchRole'),
      ...OF_SCRAPE,
      ...interfacesOf('ScrapeRole'),
      ...OF_SCHEDULE,
    ]);
  });

  test('with everything on', () => {
    const stack = newStack();
    const secretsKey = 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';
    assert.deepEqual(permissionsOf(templateOf(everything(stack), stack)), [
      ...OF_DISPATCH,
      'DispatchRole: Allow kms:Decrypt on Key',
      'DispatchRole: Allow kms:GenerateDataKey on Key',
      ...writesTable('DispatchRole'),
      ...interfacesOf('DispatchRole'),
      ...OF_SCRAPE.slice(0, 6),
      'ScrapeRole: Allow ssm:GetParameter on parameter/nim-to-dynatrace/endpoint',
      'ScrapeRole: Allow ssm:GetParameter on parameter/nim-to-dynatrace/secrets/*',
      'ScrapeRole: Allow ssm:GetParameter on parameter/team/nim-token',
      ...OF_SCRAPE.slice(8),
      `ScrapeRole: Allow secretsmanager:GetSecretValue on ${TOKEN_ARN}`,
      `ScrapeRole: Allow secretsmanager:GetSecretValue on ${SECRET_ARN}`,
      `ScrapeRole: Allow kms:Decrypt on ${secretsKey}`,
      'ScrapeRole: Allow kms:Decrypt on Key',
      ...writesTable('ScrapeRole'),
      'ScrapeRole: Allow kms:Decrypt on Key',
      ...interfacesOf('ScrapeRole'),
      ...OF_SCHEDULE,
    ]);
  });

  test('whatever stands for several resources has its sentence', () => {
    for (const [stack, props] of [
      [newStack(), () => ({})],
      [newStack(), everything],
    ] as const) {
      const reasons = reasonsOf(create(props(stack), stack));
      const wildcards = permissionsOf(Template.fromStack(stack))
        .filter((permission) => /: Allow .*[*?]/.test(permission))
        .map((permission) => permission.replace(/: Allow \S+ on/, ''));
      assert.deepEqual([...new Set(wildcards)].sort(), [...reasons.keys()].sort());
      for (const reason of reasons.values()) assert.match(reason, /^[A-Z].{30,}\.$/);
    }
  });

  test('keys are used through AWS services only', () => {
    const stack = newStack();
    const roles = Object.values(templateOf(everything(stack), stack).findResources('AWS::IAM::Role'));
    const statements = roles.flatMap(({ Properties }) => Properties.Policies[0].PolicyDocument.Statement);
    const ofKeys = statements.filter(({ Action }) => [Action].flat().some((one) => one.startsWith('kms:')));
    assert.equal(ofKeys.length, 5);
    for (const { Condition } of ofKeys)
      assert.deepEqual(Object.keys(Condition.StringEquals), ['kms:ViaService']);
  });

  test('a prefix that is known at deployment only is a part of each name', () => {
    const stack = newStack();
    const parameterPrefix = new CfnParameter(stack, 'Prefix', { default: '/nim' }).valueAsString;
    const names = permissionsOf(templateOf({ parameterPrefix }, stack)).filter((one) => one.includes('ssm:'));
    assert.deepEqual(names, [
      'DispatchRole: Allow ssm:GetParametersByPath on parameter<Prefix>/targets',
      'DispatchRole: Allow ssm:GetParameterHistory on parameter<Prefix>/targets/*',
      'ScrapeRole: Allow ssm:GetParameter on parameter<Prefix>/endpoint',
      'ScrapeRole: Allow ssm:GetParameter on parameter<Prefix>/secrets/*',
    ]);
  });

  test('only schedules of this account may use the role of the schedule', () => {
    template.hasResourceProperties('AWS::IAM::Role', {
      AssumeRolePolicyDocument: {
        Statement: [
          {
            Principal: { Service: 'scheduler.amazonaws.com' },
            Condition: {
              StringEquals: {
                'aws:SourceAccount': { Ref: 'AWS::AccountId' },
                'aws:SourceArn': Match.anyValue(),
              },
            },
          },
        ],
      },
    });
  });

  test('grants go to the scrape function', () => {
    const stack = newStack();
    const parameter = ssm.StringParameter.fromStringParameterName(stack, 'Other', '/other');
    parameter.grantRead(create({}, stack));
    Template.fromStack(stack).hasResourceProperties('AWS::IAM::Policy', {
      Roles: [{ Ref: Match.stringLikeRegexp('^NimScrapeRole') }],
    });
  });
});
