/** `authorization`, `basic_auth`, `tls_config` and `http_headers` of a scrape_config, or of a discovery. */
import { readKeys, readSecret } from './config-reading.ts';
import type { Reading } from './config-reading.ts';
import type {
  HttpClientSettings,
  HttpHeader,
  ScrapeSettings,
  SecretReference,
  TlsConfig,
} from '../scrape-config.ts';
import { storingSecret } from './secret-reference.ts';
import type { YamlEntry, YamlMapping, YamlNode, YamlPlace } from './yaml.ts';

/** The keys that every place with an HTTP client has. */
interface ClientKeys {
  readonly values: {
    readonly authorization: YamlMapping | undefined;
    readonly basic_auth: YamlMapping | undefined;
    readonly tls_config: YamlMapping | undefined;
    readonly http_headers: YamlMapping | undefined;
    readonly follow_redirects: boolean;
  };
  readonly placeOf: (key: string) => YamlPlace;
}

export function readHttpClient({ values, placeOf }: ClientKeys, reading: Reading): HttpClientSettings {
  const authorization = values.authorization && readAuthorization(values.authorization, reading);
  const basicAuth = values.basic_auth && readBasicAuth(values.basic_auth, reading);
  const tlsConfig = values.tls_config && readTlsConfig(values.tls_config, reading);
  if (values.authorization !== undefined && values.basic_auth !== undefined) {
    const cause = 'basic_auth stands beside it, and a request has one Authorization header';
    reading.findings.problem(
      placeOf('authorization'),
      `cannot use authorization: ${cause}; remove one of the two`,
    );
  }
  return {
    followRedirects: values.follow_redirects,
    ...(authorization && { authorization }),
    ...(basicAuth && { basicAuth }),
    ...(tlsConfig && { tlsConfig }),
    httpHeaders: values.http_headers === undefined ? [] : readHttpHeaders(values.http_headers, reading),
  };
}

/** One word, as HTTP has it (RFC 9110, token). */
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/;

function readAuthorization(node: YamlNode, reading: Reading): ScrapeSettings['authorization'] {
  const read = readKeys(node, 'authorization', reading);
  if (read === undefined) return undefined;
  const { values, placeOf } = read;
  const { problem } = reading.findings;
  const type = values.type.trim() || 'Bearer';
  if (type.toLowerCase() === 'basic') {
    problem(
      placeOf('type'),
      'cannot use the type basic: it has a key of its own; write basic_auth with username and password',
    );
  } else if (!TOKEN.test(type)) {
    const remedy = 'write type: Bearer, and the token as a reference under credentials';
    problem(placeOf('type'), `cannot use the type of authorization: it is not one word; ${remedy}`);
  }
  if (values.credentials === undefined)
    return missing(node, placeOf('credentials'), 'credentials', 'authorization', reading);
  return { type, credentials: values.credentials };
}

function readBasicAuth(node: YamlNode, reading: Reading): ScrapeSettings['basicAuth'] {
  const read = readKeys(node, 'basic_auth', reading);
  if (read === undefined) return undefined;
  const { values, placeOf } = read;
  if (values.username.includes(':')) {
    const remedy = 'write the name alone, and the password as a reference under password';
    reading.findings.problem(
      placeOf('username'),
      `cannot use username: it holds a colon, which ends the name; ${remedy}`,
    );
  }
  if (values.password === undefined)
    return missing(node, placeOf('password'), 'password', 'basic_auth', reading);
  return { username: values.username, password: values.password };
}

/** The secret is not written at all: where it is written and wrong, that was said already. */
function missing(node: YamlNode, at: YamlPlace, key: string, of: string, reading: Reading): undefined {
  if (node.kind !== 'mapping' || at !== node.at) return;
  if (node.entries.some((entry) => entry.key === `${key}_file` || entry.key === `${key}_ref`)) return;
  const { command, reference } = storingSecret(reading.prefix, reading.job, key);
  reading.findings.problem(
    at,
    `cannot use ${of}: it has no ${key}; store the secret with ${command} and write ${key}: ${reference}`,
  );
}

function readTlsConfig(node: YamlNode, reading: Reading): TlsConfig | undefined {
  const read = readKeys(node, 'tls_config', reading);
  if (read === undefined) return undefined;
  const { values, placeOf } = read;
  const { ca, cert, key, server_name: serverName, min_version: minVersion, max_version: maxVersion } = values;
  const { problem } = reading.findings;
  // What is written and wrong was said already, and is no reason to ask for it.
  const wrote = (name: string): boolean => placeOf(name) !== node.at;
  if (wrote('cert') !== wrote('key')) {
    const [there, needed] = wrote('cert') ? ['cert', 'key'] : ['key', 'cert'];
    problem(
      placeOf(there),
      `cannot use ${there}: a client certificate needs both cert and key; write ${needed} too, or remove ${there}`,
    );
  }
  if (minVersion !== undefined && maxVersion !== undefined && minVersion > maxVersion) {
    problem(
      placeOf('max_version'),
      `cannot use max_version: ${maxVersion} is older than min_version ${minVersion}; exchange the two`,
    );
  }
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key: { secret: key } }),
    ...(serverName && { serverName }),
    insecureSkipVerify: values.insecure_skip_verify,
    ...(minVersion && { minVersion }),
    ...(maxVersion && { maxVersion }),
  };
}

/** Set by the scrape itself, or able to change the connection: those of Prometheus (common/config/headers.go). */
const RESERVED_HEADERS: ReadonlySet<string> = new Set([
  'authorization',
  'host',
  'content-encoding',
  'content-length',
  'content-type',
  'user-agent',
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'www-authenticate',
  'accept-encoding',
  'x-prometheus-remote-write-version',
  'x-prometheus-remote-read-version',
  'x-prometheus-scrape-timeout-seconds',
  'x-amz-date',
  'x-amz-security-token',
  'x-amz-content-sha256',
]);
/** Headers whose values are keys to something. */
export const SECRET_HEADER =
  /auth(?!or)|cookie|token|secret|passw|credential|session|signature|jwt|bearer|(?:^|[-_])(?:api)?key/i;
/** What a header's value may be made of (RFC 9110, field-value). */
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

function readHttpHeaders(node: YamlMapping, reading: Reading): readonly HttpHeader[] {
  const headers = node.entries.flatMap((entry) => readHeader(entry, reading) ?? []);
  return headers.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function readHeader({ key: name, at, value }: YamlEntry, reading: Reading): HttpHeader | undefined {
  const { problem } = reading.findings;
  if (!TOKEN.test(name) || name.length > 128) {
    return problem(
      at,
      'cannot use a header: its name is not one word of letters, digits and dashes; write name: {values: [...]}',
    );
  }
  if (RESERVED_HEADERS.has(name.toLowerCase())) {
    const instead = /^authorization$/i.test(name) ? 'use authorization or basic_auth' : 'remove it';
    return problem(at, `cannot use the header ${name}: the scrape sets it itself; ${instead}`);
  }
  const read = readKeys(value, 'http_headers', reading);
  if (read === undefined) return undefined;
  const values = read.values.values ?? [];
  if (values.length > 0 && SECRET_HEADER.test(name)) {
    const { command, reference } = storingSecret(reading.prefix, reading.job, name);
    const remedy = `store it with ${command} and write secrets: ["${reference}"]`;
    problem(
      read.placeOf('values'),
      `cannot use the values of the header ${name}: they are secrets by its name; ${remedy}`,
    );
  } else if (!values.every((text) => HEADER_VALUE.test(text))) {
    problem(
      read.placeOf('values'),
      `cannot use the values of the header ${name}: HTTP does not carry them; write visible letters on one line`,
    );
  }
  const secrets = (read.values.secrets?.items ?? []).flatMap((item) => secretOf(item, name, reading) ?? []);
  return { name, values, secrets };
}

function secretOf(item: YamlNode, header: string, reading: Reading): SecretReference | undefined {
  if (item.kind === 'text') {
    const what = `a secret of the header ${header}`;
    return readSecret(item, header, reading, what, (reference) => `secrets: ["${reference}"]`);
  }
  return reading.findings.problem(
    item.at,
    `cannot use the secrets of the header ${header}: an entry is a ${item.kind}, not a reference; write one reference per entry`,
  );
}
