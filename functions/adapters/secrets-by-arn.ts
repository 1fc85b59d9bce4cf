/** A secret in AWS Secrets Manager. */
import {
  GetSecretValueCommand,
  ResourceNotFoundException,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import type { SecretAnswer } from '../core/secrets.ts';
import { isAccessDenied, awsFailure } from './aws-failure.ts';
import type { ReadSecret } from './secrets.ts';

/** With a client of its own. */
export function openSecretsByArn(): ReadSecret {
  const client = new SecretsManagerClient();
  return (arn, signal) => readSecretByArn(client, arn, signal);
}

/** The whole secret in its current version. Never throws for what Secrets Manager does. */
export async function readSecretByArn(
  client: SecretsManagerClient,
  arn: string,
  signal: AbortSignal,
): Promise<SecretAnswer> {
  const what = `read the secret ${arn}`;
  const put = `aws secretsmanager put-secret-value --secret-id ${arn} --secret-string ...`;
  try {
    const answer = await client.send(new GetSecretValueCommand({ SecretId: arn }), { abortSignal: signal });
    const value = answer.SecretString ?? '';
    if (value.trim() !== '') return { code: 'read', value };
    const cause = answer.SecretBinary === undefined ? 'it is empty' : 'it is binary';
    return { code: 'absent', message: `cannot ${what}: ${cause}; put it as text: ${put}` };
  } catch (error) {
    if (error instanceof ResourceNotFoundException) {
      const cause = 'there is no such secret, or it has no value yet';
      return { code: 'absent', message: `cannot ${what}: ${cause}; create it, then ${put}` };
    }
    if (isAccessDenied(error)) {
      const remedy = "grant it with the construct's prop secrets, and its own key with secretsKey";
      return { code: 'refused', message: `cannot ${what}: access is denied; ${remedy}` };
    }
    return { code: 'failed', message: awsFailure(what, error) };
  }
}
