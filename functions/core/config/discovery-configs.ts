/** `dns_sd_configs`, `http_sd_configs` and `kubernetes_sd_configs` of a scrape_config. */
import { MAX_DNS_NAME_LENGTH } from './config-bounds.ts';
import { readKeys } from './config-reading.ts';
import type { ReadKeys, Reading } from './config-reading.ts';
import { quote } from './findings.ts';
import { readHttpClient } from './http-config.ts';
import type { DnsSdConfig, HttpClientSettings, HttpSdConfig, KubernetesSdConfig } from '../scrape-config.ts';
import { SECRET_QUERY, hasSecretQuery } from './secret-param.ts';
import { isFieldSelector, isLabelSelector } from './selectors.ts';
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
  const cause = url === '' ? 'there is no url; write url: https://host/path' : describeBadUrl(url, 'url');
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
function describeBadUrl(text: string, key: 'url' | 'api_server'): string | undefined {
  const url = /^https?:\/\/[^/?#]/i.test(text) && URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) return `its ${key} is none of http or https; write ${key}: https://host`;
  if (url.username !== '' || url.password !== '')
    return `its ${key} holds a user name or password; write basic_auth with a reference to the password`;
  return hasSecretQuery(text) ? SECRET_QUERY : undefined;
}

/** `eks://<cluster>`: the names that EKS allows (CreateCluster, name). */
const EKS = /^eks:\/\/[0-9A-Za-z][\w-]{0,99}$/;
/** RFC 1123, a label. */
const NAMESPACE = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** EKS has its own authority and token. */
const NO_CLIENT: HttpClientSettings = { followRedirects: true, httpHeaders: [] };

/** A word that means a cluster; `eks:8000` is a host and its port. */
const CLUSTER_WORD = /^eks:(?!\d+(?:\/|$))/i;

/**
 * `eks://<cluster>` or `eks://<cluster>/<namespace>` in a list of addresses: all pods there that Dynatrace's annotations
 * choose. Undefined for another word, a text for one that is wrong.
 */
export function readCluster(word: string): KubernetesSdConfig | string | undefined {
  if (!CLUSTER_WORD.test(word)) return undefined;
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
    client: NO_CLIENT,
  };
}

export function readKubernetesSdConfig(node: YamlNode, reading: Reading): KubernetesSdConfig | undefined {
  const read = readKeys(node, 'kubernetes_sd_configs', reading);
  if (read === undefined) return undefined;
  const { values, placeOf } = read;
  const { api_server: apiServer = '' } = values;
  const isEks = EKS.test(apiServer);
  for (const [key, cause] of [
    ['role', describeBadRole(values.role)],
    ['api_server', isEks ? undefined : describeBadApiServer(apiServer)],
  ] as const) {
    if (cause !== undefined)
      reading.findings.problem(placeOf(key), `cannot use kubernetes_sd_configs: ${cause}`);
  }
  if (isEks) refuseClient(read, reading);
  const own = values.dynatrace && readKeys(values.dynatrace, 'kubernetes_dynatrace', reading);
  return {
    apiServer,
    namespaces: values.namespaces === undefined ? [] : readNamespaces(values.namespaces, reading),
    ...readSelectors(values.selectors?.items ?? [], reading),
    annotations: own?.values.annotations ?? false,
    client: isEks ? NO_CLIENT : readHttpClient(read, reading),
  };
}

const EACH_POD = 'write role: pod, with selectors that name the pods';
/** Prometheus' other roles, each with what finds the same pages here. */
const OTHER_ROLES: ReadonlyMap<string, string> = new Map([
  ...['service', 'endpoints', 'endpointslice'].map((role): [string, string] => [
    role,
    `pods are found by themselves, not by their service; ${EACH_POD}, or annotate the service with metrics.dynatrace.com/scrape: "true" and write dynatrace: {annotations: true}`,
  ]),
  ['node', `nodes are not listed; ${EACH_POD} of the exporter, or its addresses under static_configs`],
  ['ingress', `an ingress has no page of its own; ${EACH_POD} behind it`],
]);

function describeBadRole(role: string | undefined): string | undefined {
  if (role === 'pod') return undefined;
  if (role === undefined || role === '') return 'there is no role; write role: pod';
  return OTHER_ROLES.get(role) ?? `its role ${quote(role)} is none; write role: pod`;
}

function describeBadApiServer(text: string): string | undefined {
  if (text === '')
    return 'there is no api_server, and no cluster around the function; write api_server: eks://<cluster>, or a URL';
  if (!/^eks:/i.test(text)) return describeBadUrl(text, 'api_server');
  return typeof readCluster(text) === 'object'
    ? 'its api_server has a namespace in it; write api_server: eks://<cluster>, and the namespace under namespaces: {names: [...]}'
    : 'its api_server is no name of a cluster; write api_server: eks://<cluster>';
}

/** What EKS has of its own would be overruled, or a token sent to where it does not belong. */
function refuseClient({ values, placeOf }: ReadKeys<'kubernetes_sd_configs'>, { findings }: Reading): void {
  for (const key of ['authorization', 'basic_auth', 'tls_config', 'http_headers'] as const) {
    if (values[key] === undefined) continue;
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

/** Of pods. Nodes are none of the targets, and what is selected of them changes nothing, as in Prometheus. */
function readSelectors(
  nodes: readonly YamlNode[],
  reading: Reading,
): Pick<KubernetesSdConfig, 'labelSelector' | 'fieldSelector'> {
  const { problem, note } = reading.findings;
  const roles = new Map<string, Pick<KubernetesSdConfig, 'labelSelector' | 'fieldSelector'>>();
  for (const node of nodes) {
    const read = readKeys(node, 'selectors', reading);
    if (read === undefined) continue;
    const { role, label, field } = read.values;
    const at = read.placeOf('role');
    if (role === undefined) {
      if (at === node.at) problem(at, 'cannot use a selector: there is no role; write role: pod');
    } else if (roles.has(role))
      problem(at, `cannot use a selector: there is one of the role ${role} already; join the two by a comma`);
    else if (role === 'node') note(at, 'a selector of nodes has no effect: nodes are not listed');
    if (!isLabelSelector(label))
      problem(
        read.placeOf('label'),
        'cannot use label: it is no label selector; write app=nim, or app in (nim, vllm)',
      );
    if (!isFieldSelector(field))
      problem(read.placeOf('field'), 'cannot use field: it is no field selector; write spec.nodeName=node-1');
    if (role !== undefined) roles.set(role, { labelSelector: label, fieldSelector: field });
  }
  return roles.get('pod') ?? { labelSelector: '', fieldSelector: '' };
}
