/** Keys of what is said in HTTP and TLS: a part of the table in config/config-keys. */
import { MAX_CERTIFICATE_LENGTH, MAX_HEADERS } from './config-bounds.ts';
import { refused } from './config-key.ts';
import type { KeyTable, RefusedKey } from './config-key.ts';

export const TLS_VERSIONS = ['TLS10', 'TLS11', 'TLS12', 'TLS13'] as const;

export const HTTP_KEYS = {
  authorization: {
    type: {
      use: 'honoured',
      kind: 'text',
      default: 'Bearer',
      max: 64,
      about: 'The first word of the header.',
    },
    credentials: { use: 'honoured', kind: 'secret', about: 'The second; needed.' },
    credentials_file: refusedFile('credentials'),
    credentials_ref: refusedReference('credentials'),
  },
  basic_auth: {
    username: { use: 'honoured', kind: 'text', default: '""', about: 'The user, in the open.' },
    password: { use: 'honoured', kind: 'secret', about: 'The password; needed.' },
    username_file: refused('there are no files beside a document', 'write the name as username'),
    username_ref: refused('a user name is no secret here', 'write the name as username'),
    password_file: refusedFile('password'),
    password_ref: refusedReference('password'),
  },
  tls_config: {
    ca: {
      use: 'honoured',
      kind: 'certificate',
      max: MAX_CERTIFICATE_LENGTH,
      about: 'Who is trusted instead of the public authorities.',
    },
    cert: {
      use: 'honoured',
      kind: 'certificate',
      max: MAX_CERTIFICATE_LENGTH,
      about: "The client's certificate; with key.",
    },
    key: { use: 'honoured', kind: 'secret', about: "The client's private key; with cert." },
    server_name: {
      use: 'honoured',
      kind: 'text',
      absent: 'the host',
      max: 253,
      about: "The name in the target's certificate.",
    },
    insecure_skip_verify: {
      use: 'honoured',
      kind: 'flag',
      default: 'false',
      about: 'Whether any certificate will do.',
    },
    min_version: {
      use: 'honoured',
      kind: 'choice',
      choices: TLS_VERSIONS,
      absent: 'TLS12',
      about: 'The oldest version.',
    },
    max_version: {
      use: 'honoured',
      kind: 'choice',
      choices: TLS_VERSIONS,
      absent: 'the newest',
      about: 'The newest version.',
    },
    ca_file: refusedCertificateFile('ca'),
    cert_file: refusedCertificateFile('cert'),
    key_file: refusedFile('key'),
    ca_ref: refusedReference('ca'),
    cert_ref: refusedReference('cert'),
    key_ref: refusedReference('key'),
  },
  http_headers: {
    values: {
      use: 'honoured',
      kind: 'texts',
      max: MAX_HEADERS,
      example: 'values: [acme]',
      about: 'Values that anyone may see.',
    },
    secrets: {
      use: 'honoured',
      kind: 'list',
      max: MAX_HEADERS,
      example: 'secrets: ["ssm:/nim-to-dynatrace/secrets/nim-key"]',
      about: 'References to values that nobody may see.',
    },
    files: refused(
      'there are no files beside a document',
      'store the value as a secret, and name it under secrets',
    ),
  },
} as const satisfies Readonly<Record<string, KeyTable>>;

function refusedFile(key: string): RefusedKey {
  return refused(
    'there are no files beside a document',
    `store the content as a secret, and write ${key}: ssm:<prefix>/secrets/<name>`,
  );
}

function refusedCertificateFile(key: string): RefusedKey {
  return refused(
    'there are no files beside a document',
    `write the PEM text itself as ${key}, or a reference`,
  );
}

function refusedReference(key: string): RefusedKey {
  return refused(
    'there is no secret manager to choose',
    `write the reference itself as ${key}: ssm:<prefix>/secrets/<name>`,
  );
}
