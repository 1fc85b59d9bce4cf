/** A secret in SSM Parameter Store, decrypted. */
import { GetParameterCommand, ParameterNotFound } from '@aws-sdk/client-ssm';
import type { SSMClient } from '@aws-sdk/client-ssm';
import type { SecretAnswer } from '../core/secrets.ts';
import { isAccessDenied, awsFailure } from './aws-failure.ts';

/** `name` without `ssm:`. Never throws for what SSM does. */
export async function readSsmSecret(
  client: SSMClient,
  name: string,
  signal: AbortSignal,
): Promise<SecretAnswer> {
  const what = `read the secret ssm:${name}`;
  const put = `aws ssm put-parameter --type SecureString --name ${name} --value ...`;
  try {
    // WithDecryption is ignored for parameters that are not secure.
    const command = new GetParameterCommand({ Name: name, WithDecryption: true });
    const answer = await client.send(command, { abortSignal: signal });
    const value = answer.Parameter?.Value ?? '';
    if (value.trim() !== '') return { code: 'read', value };
    return { code: 'absent', message: `cannot ${what}: the parameter is empty; put it: ${put}` };
  } catch (error) {
    if (error instanceof ParameterNotFound) {
      return { code: 'absent', message: `cannot ${what}: there is no such parameter; put it: ${put}` };
    }
    if (isAccessDenied(error)) {
      const remedy =
        "grant it with the construct's prop secrets (-c secrets), and its own key with secretsKey";
      return { code: 'refused', message: `cannot ${what}: access is denied; ${remedy}` };
    }
    return { code: 'failed', message: awsFailure(what, error) };
  }
}
