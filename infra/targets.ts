/** Target documents that belong to the stack: the prop `targets`. Hand-made ones live beside them. */
import { Stack, Token } from 'aws-cdk-lib';
import * as ssm from 'aws-cdk-lib/aws-ssm';
import { Construct } from 'constructs';

/**
 * A document as in SSM: text (a list of addresses, or YAML), or the same as an object, stored as JSON, which is YAML.
 */
export type TargetDocument = string | object;

export interface TargetProps {
  readonly parameterPrefix: string;
  readonly targets?: Readonly<Record<string, TargetDocument>>;
}

/** A template is 1 MB at most (CloudFormation quotas): as many documents of the largest size, and room for the rest. */
export const MAX_TARGET_DOCUMENTS = 100;

/** Bytes of a standard parameter, which is free; a larger one becomes an advanced one, 0.05 $ a month (SSM quotas). */
export const MAX_STANDARD_BYTES = 4_096;

/** Bytes of an advanced parameter (SSM quotas). */
export const MAX_DOCUMENT_BYTES = 8_192;

/** Characters; the last segment of a parameter's name, and the job's name where the document gives none. */
export const MAX_NAME_LENGTH = 128;

/** One parameter `<prefix>/targets/<name>` each, which goes with the stack. */
export function createTargets(scope: Construct, { parameterPrefix, targets = {} }: TargetProps): void {
  const entries = Object.entries(targets);
  if (entries.length === 0) return;
  const parent = new Construct(scope, 'Targets');
  for (const [name, document] of entries) {
    const text = textOf(scope, document);
    new ssm.StringParameter(parent, name, {
      parameterName: `${parameterPrefix}/targets/${name}`,
      // A prefix that is known at deployment only is a path all the same.
      simpleName: false,
      description: 'nim-to-dynatrace: a target document of the stack; the next deployment overwrites edits',
      stringValue: text,
      tier: bytesOf(text) > MAX_STANDARD_BYTES ? ssm.ParameterTier.ADVANCED : ssm.ParameterTier.STANDARD,
    });
  }
}

/**
 * Names, sizes, and that no secret stands in a template. What a document says is checked where it is read:
 * `nim-to-dynatrace explain` does so before a deployment.
 * @throws Error with the document, what is wrong with it, and the remedy; never with its text.
 */
export function validateTargets(scope: Construct, { parameterPrefix, targets = {} }: TargetProps): void {
  const entries = Object.entries(targets);
  if (entries.length > MAX_TARGET_DOCUMENTS) {
    throw new Error(
      `cannot use ${entries.length} targets: ${MAX_TARGET_DOCUMENTS} documents are the most; ` +
        'join some, a document may hold many scrape_configs, or put them by hand',
    );
  }
  for (const [name, document] of entries) {
    const fault =
      faultOfName(name) ?? faultOfText(textOf(scope, document), `${parameterPrefix}/secrets/${name}`);
    if (fault !== undefined) throw new Error(`cannot use targets: ${JSON.stringify(name)} ${fault}`);
  }
}

/** Indented for those who read it in the console, unless that makes it an advanced parameter. */
function textOf(scope: Construct, document: TargetDocument): string {
  if (typeof document === 'string') return document;
  const text = JSON.stringify(document, undefined, 2);
  // Quotes in what is known at deployment only would break JSON that is joined as text.
  if (Token.isUnresolved(text)) return Stack.of(scope).toJsonString(document);
  return bytesOf(text) > MAX_STANDARD_BYTES ? JSON.stringify(document) : text;
}

function bytesOf(text: string): number {
  return Token.isUnresolved(text) ? 0 : new TextEncoder().encode(text).length;
}

function faultOfName(name: string): string | undefined {
  return name.length <= MAX_NAME_LENGTH && /^[\w.-]+$/.test(name)
    ? undefined
    : `is no name of a document: it is not 1 to ${MAX_NAME_LENGTH} of a-z, A-Z, 0-9, _, . and -; choose another name`;
}

/** What a secret looks like in a document, and how the message calls it. */
const SECRETS: readonly (readonly [RegExp, string])[] = [
  [/\bdt0[a-z]\d\d\./, 'a Dynatrace token'],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----/, 'a private key'],
  [/\w+:\/\/[^\s/]*@/, 'a URL with a user or password'],
  [
    /["']?\b(?:credentials|password|bearer_token|client_secret)["']?[ \t]*:[ \t]*(?!["']?(?:ssm:|arn:aws)|["']?\$\{Token)["']?[^\s"',}\]]/,
    'a secret itself',
  ],
];

function faultOfText(text: string, secretName: string): string | undefined {
  const [, secret] = SECRETS.find(([form]) => form.test(text)) ?? [];
  if (secret !== undefined) {
    return (
      `holds ${secret}, which would stand in the template; ` +
      `put it into a SecureString such as ${secretName} and write ssm:${secretName}`
    );
  }
  // Also {{resolve:secretsmanager:...}}, which CloudFormation would put into the parameter in plain text.
  if (text.includes('{{')) return 'holds {{, which SSM takes in no value; leave it out';
  if (text.trim() === '') return 'is empty; leave it out, or name a target';
  const bytes = bytesOf(text);
  if (bytes <= MAX_DOCUMENT_BYTES) return undefined;
  return (
    `has ${bytes} bytes: SSM stores ${MAX_DOCUMENT_BYTES} at most; ` +
    'split it, equal job names in several documents are one job'
  );
}
