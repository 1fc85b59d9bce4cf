/** Keys of `http_sd_configs` and `kubernetes_sd_configs`: a part of the table in config/config-keys. */
import { MAX_HEADERS, MAX_NAMESPACES } from './config-bounds.ts';
import { noEffect, refused } from './config-key.ts';
import type { KeyTable } from './config-key.ts';
import { REFUSED_HTTP_KEYS } from './config-keys-unused.ts';

/** Characters of a URL: what HTTP servers take at least (RFC 9110 section 4.1). */
const MAX_URL_LENGTH = 8_000;

/** One of pods, one of nodes: Prometheus takes no other with the role pod. */
const MAX_SELECTORS = 2;

/** As a scrape_config has them, for the request to the discovery. */
const CLIENT_KEYS = {
  authorization: { use: 'honoured', kind: 'mapping', about: 'The Authorization header of its request.' },
  basic_auth: { use: 'honoured', kind: 'mapping', about: 'User name and password of its request.' },
  tls_config: { use: 'honoured', kind: 'mapping', about: 'Whom to trust, and how to be trusted.' },
  http_headers: { use: 'honoured', kind: 'mapping', max: MAX_HEADERS, about: 'Further headers, by name.' },
  follow_redirects: {
    use: 'honoured',
    kind: 'flag',
    default: 'true',
    about: 'Whether redirects are followed.',
  },
  enable_http2: noEffect('lists are fetched over HTTP/1.1'),
  ...REFUSED_HTTP_KEYS,
} as const satisfies KeyTable;

export const DISCOVERY_KEYS = {
  http_sd_configs: {
    url: {
      use: 'honoured',
      kind: 'text',
      max: MAX_URL_LENGTH,
      about: 'Where the list of target groups is, as JSON; needed.',
    },
    refresh_interval: { use: 'honoured', kind: 'duration', default: '1m', about: 'How long a list is used.' },
    ...CLIENT_KEYS,
  },
  kubernetes_sd_configs: {
    role: { use: 'honoured', kind: 'text', about: 'What becomes a target: pod, and no other; needed.' },
    api_server: {
      use: 'honoured',
      kind: 'text',
      max: MAX_URL_LENGTH,
      example: 'api_server: eks://my-cluster',
      about:
        'Needed: eks:// and the name of a cluster that the deployment was granted, or the URL of an API server.',
    },
    namespaces: {
      use: 'honoured',
      kind: 'mapping',
      absent: 'all',
      about: 'Where pods are looked for.',
    },
    selectors: {
      use: 'honoured',
      kind: 'list',
      absent: 'none',
      max: MAX_SELECTORS,
      example: 'selectors: [{role: pod, label: "app=nim"}]',
      about: 'Which pods are listed.',
    },
    dynatrace: {
      use: 'honoured',
      kind: 'mapping',
      about: 'Options of this product; Prometheus has none of them.',
    },
    kubeconfig_file: refused(
      'there are no files beside a document',
      'write api_server: eks://<cluster>, or its URL and authorization',
    ),
    attach_metadata: refused(
      'nodes and namespaces are not read beside pods',
      'use the pod labels, and set others under static labels or by relabel rules',
    ),
    ...CLIENT_KEYS,
  },
  namespaces: {
    names: {
      use: 'honoured',
      kind: 'texts',
      absent: 'all',
      max: MAX_NAMESPACES,
      example: 'names: [nim]',
      about: 'Their names.',
    },
    own_namespace: refused('the function is in no namespace', 'write its name under names'),
  },
  selectors: {
    role: {
      use: 'honoured',
      kind: 'choice',
      choices: ['pod', 'node'],
      about: 'What is selected; needed, and once each. That of nodes has no effect.',
    },
    label: { use: 'honoured', kind: 'text', default: '""', about: 'A label selector, such as app=nim.' },
    field: {
      use: 'honoured',
      kind: 'text',
      default: '""',
      about: 'A field selector, such as spec.nodeName=node-1.',
    },
  },
  kubernetes_dynatrace: {
    annotations: {
      use: 'honoured',
      kind: 'flag',
      default: 'false',
      about: "Whether Dynatrace's annotations choose pods and say how each is scraped.",
    },
  },
} as const satisfies Readonly<Record<string, KeyTable>>;
