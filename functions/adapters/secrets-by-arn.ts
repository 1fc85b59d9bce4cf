/** Secrets in AWS Secrets Manager: those of targets, and the Dynatrace API token where it is kept there. */
import { GetSecretValueCommand, ResourceNotFoundException } from '@aws-sdk/client-secrets-manager';
import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { SecretAnswer } from '../core/secrets.ts';
import type { Clock } from '../core/ports.ts';
import { isAccessDenied, awsFailure } from './aws-failure.ts';
import { signalAt } from './clock.ts';
import { READ_TIMEOUT_MS, type Reader, TOKEN_MAX_AGE_MS, createReader } from './remembered.ts';
import { fieldOf } from './secrets.ts';

/** The whole secret in its current version. Never throws for what Secrets Manager does. */
export async function readSecretByArn(
  client: SecretsManagerClient,
  arn: string,
  signal: AbortSignal,
  grant = "grant it with the construct's prop secrets (-c secrets), and its own key with secretsKey",
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
      return { code: 'refused', message: `cannot ${what}: access is denied; ${grant}` };
    }
    return { code: 'failed', message: awsFailure(what, error) };
  }
}

interface TokenDeps {
  readonly client: SecretsManagerClient;
  readonly clock: Clock;
  readonly arn: string;
  /** Of a JSON object; absent: the whole text. */
  readonly field?: string;
}

/** The API token, at most five minutes old; `fresh` after Dynatrace refused the one before. */
export function createTokenByArn({ client, clock, arn, field }: TokenDeps): Reader {
  return createReader(clock, TOKEN_MAX_AGE_MS, async (deadlineMs) => {
    const signal = signalAt(clock, Math.min(deadlineMs, clock.monotonicMs() + READ_TIMEOUT_MS));
    const whole = await readSecretByArn(client, arn, signal, TOKEN_GRANT);
    // A secret without a value is waited for; one that is there without the field would be waited for in vain.
    if (whole.code === 'absent') return { code: 'absent' };
    const token = fieldOf(whole, field, arn);
    return token.code === 'read'
      ? { code: 'read', value: token.value.trim() }
      : { code: 'failed', message: token.message };
  });
}

const TOKEN_GRANT =
  "name it in the construct's prop apiToken (-c apiToken), and import it with its own key where it has one";
