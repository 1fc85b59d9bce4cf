/** `dns_sd_configs`, `http_sd_configs` and `kubernetes_sd_configs` of a scrape_config. */
import { MAX_DNS_NAME_LENGTH } from './config-bounds.ts';
import { readKeys } from './config-reading.ts';
import type { ReadKeys, Reading } from './config-reading.ts';
import { quote } from './findings.ts';
import { readHttpClient } from './http-config.ts';
import type { DnsSdConfig, HttpSdConfig, KubernetesSdConfig } from '../scrape-config.ts';
import { SECRET_QUERY, hasSecretQuery } from './secret-param.ts';
import type { YamlNode } from './yaml.ts';

export function readDnsSdConfig(node: YamlNode, reading: Reading): DnsSdConfig | undefined {
  const read = readKeys(node, 'dns_sd_configs', reading);
  if (read === undefined) return undefined;
  const { names = [], type, port = 0, refresh_interval: refreshIntervalMs } = read.values;
  const { placeOf } = read;
  const { problem } = reading.findings;
  if (names.length === 0) {
    problem(
      placeOf('names'),
      'cannot use dns_sd_configs: there is no name to look up; write names: [nim.example.internal]',
    );
  }
  for (const name of names) {
    if (name.length <= MAX_DNS_NAME_LENGTH && /^[\w*-]+(?:\.[\w*-]+)*\.?$/.test(name)) continue;
    const remedy = name.includes(':')
      ? 'write the port as port:, with type: A'
      : 'write it as nim.example.internal';
    const what = name.includes('@') ? 'a name' : `the name ${quote(name)}`;
    problem(placeOf('names'), `cannot use ${what}: it is no DNS name; ${remedy}`);
  }
  if (type !== 'SRV' && port === 0) {
    const at = placeOf('type');
    problem(
      at,
      `cannot use the type ${type}: its records bring no port; write port: 8000, or whichever the targets have`,
    );
  }
  if (refreshIntervalMs === 0) {
    problem(
      placeOf('refresh_interval'),
      'cannot use refresh_interval: it is 0; write a duration such as 30s',
    );
  }
  return { names, type, port, refreshIntervalMs };
}

export function readHttpSdConfig(node: YamlNode, reading: Reading): HttpSdConfig | undefined {
  const read = readKeys(node, 'http_sd_configs', reading);
  if (read === undefined) return undefined;
  const { url = '', refresh_interval: refreshIntervalMs } = read.values;
  const { problem } = reading.findings;
  const cause = url === '' ? 'there is no url; write url: https://host/path' : describeBadUrl(url);
  if (cause !== undefined) problem(read.placeOf('url'), `cannot use http_sd_configs: ${cause}`);
  if (refreshIntervalMs === 0) {
    problem(
      read.placeOf('refresh_interval'),
      'cannot use refresh_interval: it is 0; write a duration such as 1m',
    );
  }
  return { url, refreshIntervalMs, client: readHttpClient(read, reading) };
}

/** A clause and its remedy; undefined for a URL of http or https that holds no secret. The URL is not quoted. */
function describeBadUrl(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    return 'its url is none of http or https; write https://host/path';
  if (url.username !== '' || url.password !== '' || text.includes('@'))
    return 'its url holds a user name or password; write basic_auth with a reference to the password';
  if (text.includes('#'))
    return 'its url has a fragment, which no server sees; remove the # and what follows';
  return hasSecretQuery(text) ? SECRET_QUERY : undefined;
}

/** `eks://<cluster>`: the names that EKS allows (CreateCluster, name). */
const EKS = /^eks:\/\/[0-9A-Za-z][\w-]{0,99}$/;
/** RFC 1123, a label. */
const NAMESPACE = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * `eks://<cluster>` or `eks://<cluster>/<namespace>` in a list of addresses: all pods there that Dynatrace's annotations
 * choose. Undefined for another word, a text for one that is wrong.
 */
export function readCluster(word: string): KubernetesSdConfig | string | undefined {
  if (!word.startsWith('eks:')) return undefined;
  const [, apiServer = '', namespace] = /^(eks:\/\/[^/]*)(?:\/(.*))?$/s.exec(word) ?? [];
  if (!EKS.test(apiServer) || (namespace !== undefined && !NAMESPACE.test(namespace))) {
    return `cannot read the address ${quote(word)}: it names no cluster; write eks://<cluster> or eks://<cluster>/<namespace>`;
  }
  return {
    apiServer,
    namespaces: namespace === undefined ? [] : [namespace],
    labelSelector: '',
    fieldSelector: '',
    annotations: true,
    client: { followRedirects: false, httpHeaders: [] },
  };
}

export function readKubernetesSdConfig(node: YamlNode, reading: Reading): KubernetesSdConfig | undefined {
  const read = readKeys(node, 'kubernetes_sd_configs', reading);
  if (read === undefined) return undefined;
  const { values, placeOf } = read;
  const { problem } = reading.findings;
  if (values.role === undefined && placeOf('role') === node.at)
    problem(node.at, 'cannot use kubernetes_sd_configs: there is no role; write role: pod');
  const { api_server: apiServer = '' } = values;
  const isEks = EKS.test(apiServer);
  const cause = describeBadApiServer(apiServer, isEks);
  if (cause !== undefined) problem(placeOf('api_server'), `cannot use kubernetes_sd_configs: ${cause}`);
  if (isEks) refuseClient(read, reading);
  const selector = (values.selectors?.items ?? []).map((item) => readKeys(item, 'selectors', reading))[0];
  const own = values.dynatrace && readKeys(values.dynatrace, 'kubernetes_dynatrace', reading);
  return {
    apiServer,
    namespaces: values.namespaces === undefined ? [] : readNamespaces(values.namespaces, reading),
    labelSelector: selector?.values.label ?? '',
    fieldSelector: selector?.values.field ?? '',
    annotations: own?.values.annotations ?? false,
    client: readHttpClient(read, reading),
  };
}

function describeBadApiServer(text: string, isEks: boolean): string | undefined {
  if (text === '')
    return 'there is no api_server, and no cluster around the function; write api_server: eks://<cluster>, or a URL';
  if (isEks) return undefined;
  if (text.startsWith('eks:'))
    return 'its api_server is no name of a cluster; write api_server: eks://<cluster>';
  return describeBadUrl(text);
}

/** What EKS has of its own would be overruled, or a token sent to where it does not belong. */
function refuseClient({ placeOf }: ReadKeys<'kubernetes_sd_configs'>, { findings }: Reading): void {
  const none = placeOf('');
  for (const key of ['authorization', 'basic_auth', 'tls_config', 'http_headers']) {
    if (placeOf(key) === none) continue;
    findings.problem(
      placeOf(key),
      `cannot use ${key} with eks://: EKS has its own authority and token; remove it, or write the URL of the API server`,
    );
  }
}

function readNamespaces(node: YamlNode, reading: Reading): readonly string[] {
  const read = readKeys(node, 'namespaces', reading);
  const names = read?.values.names ?? [];
  for (const name of names) {
    if (NAMESPACE.test(name)) continue;
    reading.findings.problem(
      read?.placeOf('names'),
      `cannot use the namespace ${quote(name)}: it is no name of one; write small letters, digits and dashes`,
    );
  }
  return [...new Set(names)];
}
