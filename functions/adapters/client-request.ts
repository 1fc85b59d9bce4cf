/**
 * What a job, or a discovery, sends along with a request: headers, credentials, TLS. Secrets are read here, go into the
 * request, and nowhere else.
 */
import type { HttpClientSettings, SecretReference, TlsConfig } from '../core/scrape-config.ts';
import type { Secrets } from '../core/secrets.ts';
import type { TlsOptions } from './tls.ts';

/** What the server's own host is sent, and what any other host is sent. */
export interface ClientRequest {
  readonly code: 'request';
  readonly own: RequestParts;
  readonly foreign: RequestParts;
}

export interface RequestParts {
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly tls?: TlsOptions;
}

/** Why there is no request: a sentence that may stand in a message. */
export interface NoRequest {
  readonly code: 'waiting_for_secret' | 'secret';
  readonly message: string;
}

/** Reads one secret, within the request's own deadline. */
type Read = (reference: SecretReference) => ReturnType<Secrets>;

/** Everything that a request of these settings sends, `plain` headers among it, which any host may see. */
export async function clientRequest(
  settings: HttpClientSettings,
  plain: Readonly<Record<string, string>>,
  read: Read,
): Promise<ClientRequest | NoRequest> {
  const secrets = await readAll(secretsOf(settings), read);
  if ('code' in secrets) return secrets;
  const of = (reference: SecretReference) => secrets.get(reference) ?? '';
  const own = new Map<string, string[]>(Object.entries(plain).map(([name, value]) => [name, [value]]));
  for (const [name, value, origin] of optionalHeaders(settings, of)) {
    if (!CARRIED.test(value)) {
      return {
        code: 'secret',
        message: `cannot write the header ${name}: ${origin} holds a line break or another control character; store it without`,
      };
    }
    const known = own.get(name.toLowerCase()) ?? [];
    own.set(name.toLowerCase(), [...known, bytesOf(value)]);
  }
  const { tlsConfig } = settings;
  return {
    code: 'request',
    own: {
      headers: Object.fromEntries(own),
      ...(tlsConfig === undefined ? {} : { tls: tlsOptions(tlsConfig, of, true) }),
    },
    foreign: {
      headers: plain,
      ...(tlsConfig === undefined ? {} : { tls: tlsOptions(tlsConfig, of, false) }),
    },
  };
}

/** Every secret that the settings refer to. */
export function secretsOf({
  authorization,
  basicAuth,
  tlsConfig,
  httpHeaders,
}: HttpClientSettings): readonly SecretReference[] {
  const { ca, cert, key } = tlsConfig ?? {};
  const pems = [ca, cert, key].flatMap((pem) => (typeof pem === 'object' ? [pem.secret] : []));
  return [
    ...(authorization === undefined ? [] : [authorization.credentials]),
    ...(basicAuth === undefined ? [] : [basicAuth.password]),
    ...(typeof basicAuth?.username === 'object' ? [basicAuth.username.secret] : []),
    ...httpHeaders.flatMap((header) => header.secrets),
    ...pems,
  ];
}

async function readAll(
  references: readonly SecretReference[],
  read: Read,
): Promise<ReadonlyMap<SecretReference, string> | NoRequest> {
  const answers = await Promise.all(
    [...new Set(references)].map(async (one) => [one, await read(one)] as const),
  );
  const values = new Map<SecretReference, string>();
  for (const [reference, answer] of answers) {
    if (answer.code !== 'read') {
      return { code: answer.code === 'absent' ? 'waiting_for_secret' : 'secret', message: answer.message };
    }
    values.set(reference, answer.value);
  }
  return values;
}

/** TLS as this target's own connections have it. */
export async function readTlsOptions(config: TlsConfig, read: Read): Promise<TlsOptions | NoRequest> {
  const { ca, cert, key } = config;
  const references = [ca, cert, key].flatMap((pem) => (typeof pem === 'object' ? [pem.secret] : []));
  const secrets = await readAll(references, read);
  return 'code' in secrets ? secrets : tlsOptions(config, (reference) => secrets.get(reference) ?? '', true);
}

type OptionalHeader = readonly [name: string, value: string, origin: string];

function optionalHeaders(
  { authorization, basicAuth, httpHeaders }: HttpClientSettings,
  of: (reference: SecretReference) => string,
): readonly OptionalHeader[] {
  const headers: OptionalHeader[] = [];
  if (authorization !== undefined) {
    const { type, credentials } = authorization;
    headers.push(['authorization', `${type} ${of(credentials)}`, `the secret ${credentials}`]);
  }
  if (basicAuth !== undefined) {
    const { username } = basicAuth;
    const name = typeof username === 'string' ? username : of(username.secret);
    const pair = Buffer.from(`${name}:${of(basicAuth.password)}`).toString('base64');
    headers.push(['authorization', `Basic ${pair}`, 'basic_auth']);
  }
  for (const { name, values, secrets } of httpHeaders) {
    for (const value of values) headers.push([name, value, 'its value']);
    for (const secret of secrets) headers.push([name, of(secret), `the secret ${secret}`]);
  }
  return headers;
}

/** As Go's http package: no control character but the tab. */
const CARRIED = /^(?:\t|\P{Cc})*$/u;

/** UTF-8, as Prometheus writes it; a header is a string of bytes. */
function bytesOf(value: string): string {
  return Buffer.from(value).toString('latin1');
}

function tlsOptions(config: TlsConfig, of: (reference: SecretReference) => string, own: boolean): TlsOptions {
  const { ca, cert, key, serverName, insecureSkipVerify, minVersion, maxVersion } = config;
  const pem = (one: string | { readonly secret: SecretReference }) =>
    typeof one === 'string' ? one : of(one.secret);
  return {
    insecureSkipVerify,
    ...(ca === undefined ? {} : { ca: pem(ca) }),
    ...(cert === undefined || !own ? {} : { cert: pem(cert) }),
    ...(key === undefined || !own ? {} : { key: pem(key) }),
    ...(serverName === undefined ? {} : { serverName }),
    ...(minVersion === undefined ? {} : { minVersion }),
    ...(maxVersion === undefined ? {} : { maxVersion }),
  };
}
