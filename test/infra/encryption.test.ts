/** What is stored is encrypted, with the customer's own key where one is given; what moves is encrypted too. */
import { Match } from 'aws-cdk-lib/assertions';
import * as kms from 'aws-cdk-lib/aws-kms';
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { create, everything, newStack, templateOf, warningsOf } from './construct.ts';

const KEY = 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';

describe('without a key', () => {
  const template = templateOf();

  test('queues and table have keys of AWS, which need no policy', () => {
    template.allResourcesProperties('AWS::SQS::Queue', {
      SqsManagedSseEnabled: true,
      KmsMasterKeyId: Match.absent(),
    });
    template.hasResourceProperties('AWS::DynamoDB::GlobalTable', { SSESpecification: { SSEEnabled: false } });
    template.allResourcesProperties('AWS::Logs::LogGroup', { KmsKeyId: Match.absent() });
    assert.doesNotMatch(JSON.stringify(template.toJSON()), /kms:/);
  });
});

describe('encryptionKey', () => {
  test('of the app: table, queues and logs have it, and CloudWatch Logs may use it', () => {
    const stack = newStack();
    const template = templateOf(everything(stack), stack);
    const arn = { 'Fn::GetAtt': [Match.stringLikeRegexp('^Key'), 'Arn'] };
    template.resourceCountIs('AWS::SQS::Queue', 2);
    template.allResourcesProperties('AWS::SQS::Queue', { KmsMasterKeyId: arn });
    template.resourceCountIs('AWS::Logs::LogGroup', 2);
    template.allResourcesProperties('AWS::Logs::LogGroup', { KmsKeyId: arn });
    template.hasResourceProperties('AWS::DynamoDB::GlobalTable', {
      SSESpecification: { SSEEnabled: true, SSEType: 'KMS' },
      Replicas: [Match.objectLike({ SSESpecification: { KMSMasterKeyId: arn } })],
    });
    template.hasResourceProperties('AWS::KMS::Key', {
      KeyPolicy: {
        Statement: Match.arrayWith([
          Match.objectLike({
            Principal: { Service: { 'Fn::Join': ['', ['logs.', { Ref: 'AWS::Region' }, '.amazonaws.com']] } },
            Condition: { ArnLike: { 'kms:EncryptionContext:aws:logs:arn': Match.anyValue() } },
          }),
        ]),
      },
    });
    assert.deepEqual(warningsOf(stack), []);
  });

  test('imported: used the same, in a stack for one region too, and its policy is asked for', (t) => {
    t.mock.method(process.stderr, 'write', () => true);
    t.mock.method(console, 'error', () => undefined);
    for (const stack of [
      newStack(),
      newStack({ env: { account: '111122223333', region: 'eu-central-1' } }),
    ]) {
      const encryptionKey = kms.Key.fromKeyArn(stack, 'Key', KEY);
      const template = templateOf({ encryptionKey }, stack);
      template.allResourcesProperties('AWS::SQS::Queue', { KmsMasterKeyId: KEY });
      template.hasResourceProperties('AWS::DynamoDB::GlobalTable', {
        Replicas: [Match.objectLike({ SSESpecification: { KMSMasterKeyId: KEY } })],
      });
      assert.match(
        warningsOf(stack).join('\n'),
        /must let logs.<region>.amazonaws.com use it.*docs\/network.md/,
      );
    }
  });

  test('an alias is refused: IAM would grant nothing', () => {
    const stack = newStack();
    const encryptionKey = kms.Alias.fromAliasName(stack, 'Alias', 'alias/nim') as kms.IKey;
    assert.throws(
      () => create({ encryptionKey }, stack),
      /cannot use encryptionKey: IAM grants nothing on an alias; give its key, such as kms.Key.fromKeyArn/,
    );
  });
});

test('both queues refuse what does not come over TLS', () => {
  for (const props of [() => ({}), everything]) {
    const stack = newStack();
    const template = templateOf(props(stack), stack);
    template.resourcePropertiesCountIs(
      'AWS::SQS::QueuePolicy',
      {
        PolicyDocument: {
          Statement: [
            Match.objectLike({
              Effect: 'Deny',
              Action: 'sqs:*',
              Principal: { AWS: '*' },
              Condition: { Bool: { 'aws:SecureTransport': 'false' } },
            }),
          ],
        },
      },
      2,
    );
  }
});

test('no secret stands in a template, only where one is', () => {
  const stack = newStack();
  const text = JSON.stringify(templateOf(everything(stack), stack).toJSON());
  assert.doesNotMatch(text, /dt0[cs]\d+\.|Api-Token|Bearer|NoEcho|resolve:|PRIVATE KEY|SecretString/);
});
