/** A key of the customer's own for everything that the stack stores: the prop `encryptionKey`. */
import { Annotations, Aws, Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as kms from 'aws-cdk-lib/aws-kms';
import type { Construct } from 'constructs';

/** What a role does with what is encrypted; the services use the key on its behalf, its own code has no use for it. */
export type KeyUse = 'read-table' | 'write-table' | 'send' | 'receive';

/** As the guides of DynamoDB and SQS ask for, without their wildcards. */
const USES: Readonly<Record<KeyUse, { readonly service: string; readonly actions: readonly string[] }>> = {
  'read-table': { service: 'dynamodb', actions: ['kms:Decrypt', 'kms:DescribeKey'] },
  'write-table': {
    service: 'dynamodb',
    actions: [
      'kms:Decrypt',
      'kms:DescribeKey',
      'kms:Encrypt',
      'kms:GenerateDataKey',
      'kms:GenerateDataKeyWithoutPlaintext',
      'kms:ReEncryptFrom',
      'kms:ReEncryptTo',
    ],
  },
  send: { service: 'sqs', actions: ['kms:Decrypt', 'kms:GenerateDataKey'] },
  receive: { service: 'sqs', actions: ['kms:Decrypt'] },
};

/** What a role needs of the key; nothing where there is none. */
export function keyStatements(
  scope: Construct,
  key: kms.IKey | undefined,
  uses: readonly KeyUse[],
): iam.PolicyStatement[] {
  if (key === undefined) return [];
  return uses.map((use) => {
    const { service, actions } = USES[use];
    return new iam.PolicyStatement({
      actions: [...actions],
      resources: [key.keyArn],
      conditions: {
        StringEquals: { 'kms:ViaService': `${service}.${Stack.of(scope).region}.amazonaws.com` },
      },
    });
  });
}

/**
 * CloudWatch Logs is no role of the account, so the key's own policy must let it in. That of a key of this app gets
 * the statement; for an imported one it can only be said.
 */
export function allowLogs(scope: Construct, key: kms.IKey | undefined): void {
  if (key === undefined) return;
  const logGroups = `arn:${Aws.PARTITION}:logs:${Stack.of(scope).region}:${Stack.of(scope).account}:log-group:*`;
  const { statementAdded } = key.addToResourcePolicy(
    new iam.PolicyStatement({
      principals: [new iam.ServicePrincipal(`logs.${Stack.of(scope).region}.amazonaws.com`)],
      actions: ['kms:Decrypt', 'kms:DescribeKey', 'kms:Encrypt', 'kms:GenerateDataKey*', 'kms:ReEncrypt*'],
      // In a key's policy: this key.
      resources: ['*'],
      conditions: { ArnLike: { 'kms:EncryptionContext:aws:logs:arn': logGroups } },
    }),
    true,
  );
  if (!statementAdded) {
    Annotations.of(scope).addWarningV2(
      'nim-to-dynatrace:encryptionKey',
      'the policy of the imported encryptionKey must let logs.<region>.amazonaws.com use it, ' +
        'or the log groups cannot be created; docs/network.md has the statement',
    );
  }
}

/** @throws Error when it is an alias. */
export function validateEncryptionKey({ encryptionKey }: { readonly encryptionKey?: kms.IKey }): void {
  if (encryptionKey?.keyArn.includes(':alias/') === true) {
    throw new Error(
      'cannot use encryptionKey: IAM grants nothing on an alias; ' +
        'give its key, such as kms.Key.fromKeyArn or kms.Key.fromLookup',
    );
  }
}
