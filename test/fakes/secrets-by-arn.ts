/** Secrets Manager on the wire: what the product reads, and `put` and `remove` for what a person does. */
import { startAwsJson } from './aws-json.ts';
import type { AwsJsonServer } from './aws-json.ts';

export interface FakeSecretsManager extends AwsJsonServer {
  /** Creates or rotates. */
  readonly put: (arn: string, value: string | Uint8Array) => void;
  readonly remove: (arn: string) => void;
}

export async function startSecretsManager(): Promise<FakeSecretsManager> {
  const stored = new Map<string, string | Uint8Array>();
  const server = await startAwsJson('secretsmanager', {
    GetSecretValue: ({ SecretId: arn }: { readonly SecretId: string }) => {
      const value = stored.get(arn);
      if (value === undefined) {
        return {
          code: 'ResourceNotFoundException',
          message: "Secrets Manager can't find the specified secret.",
        };
      }
      if (typeof value === 'string') return { ARN: arn, SecretString: value };
      return { ARN: arn, SecretBinary: Buffer.from(value).toString('base64') };
    },
  });
  return {
    ...server,
    put: (arn, value) => void stored.set(arn, value),
    remove: (arn) => void stored.delete(arn),
  };
}
