/**
 * What the scrape function may read beside the parameters below `<prefix>/secrets/`: what target documents may refer
 * to (the props `secrets` and `secretsKey`), and its own token. Reading, nothing else, which is less than the
 * `grantRead` of each.
 */
import { Stack, Token } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as kms from 'aws-cdk-lib/aws-kms';
import type * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import type * as ssm from 'aws-cdk-lib/aws-ssm';
import type { Construct } from 'constructs';
import { type ApiToken, tokenParameterArn } from './api-token.ts';

/** A parameter (SecureString or not), or a secret of Secrets Manager. */
export type TargetSecret = ssm.IParameter | secretsmanager.ISecret;

export interface SecretProps {
  readonly parameterPrefix: string;
  readonly secrets?: readonly TargetSecret[];
  readonly secretsKey?: kms.IKey | readonly kms.IKey[];
  readonly apiToken?: ApiToken;
}

/**
 * Their names and ARNs share one environment variable, and all variables of a function are 4 KB at most (Lambda
 * quotas): 30 of some 110 characters. Below `<prefix>/secrets/` there may be any number.
 */
export const MAX_SECRETS = 30;

/** Keys in one statement: a role's inline policies have 10,240 characters (IAM quotas), a key's ARN about 80. */
export const MAX_SECRETS_KEYS = 30;

/** What the scrape function is told: names and ARNs, as documents refer to them. */
export function secretNames({ secrets = [] }: SecretProps): readonly string[] {
  return secrets.map((secret) =>
    isParameter(secret) ? secret.parameterName : (secret.secretFullArn ?? secret.secretArn),
  );
}

/** What the scrape function may do to read them, and the Dynatrace API token. */
export function secretStatements(scope: Construct, props: SecretProps): iam.PolicyStatement[] {
  const { secrets = [], parameterPrefix, apiToken } = props;
  const tokenArn = apiToken && tokenParameterArn(scope, parameterPrefix, apiToken);
  const keys = keysOf(props);
  const { region } = Stack.of(scope);
  return [
    ...statement(
      'ssm:GetParameter',
      [...secrets.filter(isParameter).map(({ parameterArn }) => parameterArn), tokenArn].filter(isGiven),
    ),
    ...statement(
      'secretsmanager:GetSecretValue',
      [...secrets.filter(isSecret), apiToken?.secret].filter(isGiven).map(arnInPolicies),
    ),
    ...statement(
      'kms:Decrypt',
      keys.map(({ keyArn }) => keyArn),
      // The two stores decrypt on the function's behalf; its own code has no use for the key.
      { 'kms:ViaService': ['ssm', 'secretsmanager'].map((store) => `${store}.${region}.amazonaws.com`) },
    ),
  ];
}

/** @throws Error with the secret or key, what is wrong with it, and the remedy. */
export function validateSecrets(props: SecretProps): void {
  const { secrets = [], parameterPrefix, apiToken } = props;
  const keys = keysOf(props);
  if (secrets.length > MAX_SECRETS) {
    throw new Error(
      `cannot use ${secrets.length} secrets: ${MAX_SECRETS} are the most; ` +
        `put some below ${parameterPrefix}/secrets/, which needs no grant`,
    );
  }
  if (keys.length > MAX_SECRETS_KEYS) {
    throw new Error(
      `cannot use ${keys.length} keys of secrets: ${MAX_SECRETS_KEYS} are the most; ` +
        'encrypt several secrets with one key',
    );
  }
  for (const secret of secrets) {
    const fault = isParameter(secret)
      ? faultOfParameter(secret.parameterName, [
          `${parameterPrefix}/secrets/dt-api-token`,
          apiToken?.parameterName,
        ])
      : faultOfSecret(secret.secretArn, apiToken?.secret?.secretArn);
    if (fault !== undefined) throw new Error(`cannot use secrets: ${fault}`);
  }
  for (const { keyArn } of keys) {
    if (keyArn.includes(':alias/')) {
      throw new Error(
        `cannot use secretsKey ${keyArn}: IAM grants nothing on an alias; ` +
          'give its key, such as kms.Key.fromKeyArn or kms.Key.fromLookup',
      );
    }
  }
}

function isParameter(secret: TargetSecret): secret is ssm.IParameter {
  return 'parameterArn' in secret;
}

function isSecret(secret: TargetSecret): secret is secretsmanager.ISecret {
  return !isParameter(secret);
}

/** Without the six characters that Secrets Manager adds, which nobody knows of a secret imported by its name. */
function arnInPolicies({ secretArn, secretFullArn }: secretsmanager.ISecret): string {
  return secretFullArn ?? `${secretArn}-??????`;
}

function isGiven<T>(one: T | undefined): one is T {
  return one !== undefined;
}

/** Those of `secretsKey`, and those that the secrets and the token bring along. */
function keysOf({ secrets = [], secretsKey = [], apiToken }: SecretProps): readonly kms.IKey[] {
  // Parameters made or imported with a key have it too, only IParameter does not say so.
  const brought = secrets.map((secret) => (secret as { readonly encryptionKey?: kms.IKey }).encryptionKey);
  return [...new Set([...[secretsKey].flat(), ...brought, apiToken?.encryptionKey].filter(isGiven))];
}

function statement(
  action: string,
  resources: string[],
  conditions?: Record<string, string[]>,
): iam.PolicyStatement[] {
  if (resources.length === 0) return [];
  return [
    new iam.PolicyStatement({
      actions: [action],
      resources,
      ...(conditions === undefined ? {} : { conditions: { StringEquals: conditions } }),
    }),
  ];
}

/** The form in which a document can refer to it. */
const PARAMETER_NAME = /^\/?[\w.-]+(?:\/[\w.-]+)*$/;

function faultOfParameter(name: string, tokens: readonly (string | undefined)[]): string | undefined {
  if (Token.isUnresolved(name)) return undefined;
  if (!PARAMETER_NAME.test(name)) {
    return `the parameter ${name} has no name that a document could write; give its name, such as /team/nim-token`;
  }
  return tokens.includes(name) ? `${name} ${IS_TOKEN}` : undefined;
}

const IS_TOKEN = 'is the Dynatrace API token, which no target may see; leave it out';

function faultOfSecret(arn: string, token: string | undefined): string | undefined {
  if (arn === token) return Token.isUnresolved(arn) ? `one ${IS_TOKEN}` : `${arn} ${IS_TOKEN}`;
  return /[*?,\s]/.test(arn) ? `${arn} is no ARN of one secret; name each of them` : undefined;
}
