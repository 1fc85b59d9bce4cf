/** Where a secret is, as a document names it. */
import type { SecretReference } from '../scrape-config.ts';

/** SSM's own bound on a parameter name with its path. */
export const MAX_PARAMETER_NAME_LENGTH = 1_011;
/** Characters of the field of a JSON secret. */
export const MAX_FIELD_LENGTH = 256;

const PARAMETER = /^ssm:(\/[\w.-]+)+$/;
const SECRET = /^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[\w/+=.@-]{1,519}(?:#([^\s#]+))?$/;

/** `ssm:` and an absolute parameter name, or a Secrets Manager ARN with or without `#field`. */
export function isSecretReference(text: string): boolean {
  if (text.startsWith('ssm:')) {
    return PARAMETER.test(text) && text.length <= 'ssm:'.length + MAX_PARAMETER_NAME_LENGTH;
  }
  const match = SECRET.exec(text);
  return match !== null && (match[1] ?? '').length <= MAX_FIELD_LENGTH;
}

/** Whether somebody meant a reference, though it is none: then it is no secret, and the remedy another. */
export function looksLikeReference(text: string): boolean {
  return /^(?:ssm:|arn:aws[a-z-]*:)/.test(text);
}

/** The command that stores the secret `key` of `job`, and the reference to it. */
export function storingSecret(
  prefix: string,
  job: string,
  key: string,
): { readonly command: string; readonly reference: SecretReference } {
  const name = `${prefix}/secrets/${`${job}-${key}`.replace(/[^\w.-]+/g, '-').slice(-128)}`;
  return {
    command: `aws ssm put-parameter --type SecureString --name ${name} --value "$SECRET"`,
    reference: `ssm:${name}`,
  };
}
