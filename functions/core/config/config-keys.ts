/**
 * Every key of a target document: the reader goes by this table, and docs/targets.md prints it. The keys, defaults and
 * meanings are those of Prometheus v0.316.0 (config/config.go, discovery/dns, common/config/http_config.go).
 */
import {
  MAX_BODY_SIZE_LIMIT_BYTES,
  MAX_DISCOVERIES,
  MAX_DNS_NAMES,
  MAX_GROUP_LABELS,
  MAX_HEADERS,
  MAX_JOB_NAME_LENGTH,
  MAX_PARAMS,
  MAX_RELABEL_RULES,
  MAX_SAMPLE_LIMIT,
  MAX_SOURCE_LABELS,
} from './config-bounds.ts';
import { noEffect, refused } from './config-key.ts';
import type { KeyTable, Place } from './config-key.ts';
import { DISCOVERY_KEYS } from './config-keys-discovery.ts';
import { DYNATRACE_KEYS } from './config-keys-dynatrace.ts';
import { HTTP_KEYS } from './config-keys-http.ts';
import {
  NO_EFFECT_GLOBALS,
  NO_EFFECT_KEYS,
  REFUSED_DISCOVERIES,
  REFUSED_HTTP_KEYS,
} from './config-keys-unused.ts';
import type { RelabelAction } from '../scrape-config.ts';

export const ACTIONS = [
  'replace',
  'keep',
  'drop',
  'keepequal',
  'dropequal',
  'hashmod',
  'labelmap',
  'labeldrop',
  'labelkeep',
  'lowercase',
  'uppercase',
] as const satisfies readonly RelabelAction[];
export const DNS_TYPES = ['SRV', 'A', 'AAAA', 'MX', 'NS'] as const;

const ADDRESS_EXAMPLE = 'targets: ["10.0.1.17:8000"]';
const RULE_EXAMPLE = '- {source_labels: [__name__], regex: "python_.*", action: drop}';

/** Limits that a scrape_config and `global` share; 0 in a scrape_config is that of `global`, as in Prometheus. */
const LIMITS = {
  sample_limit: {
    use: 'honoured',
    kind: 'count',
    absent: '50,000',
    max: MAX_SAMPLE_LIMIT,
    about: 'A page with more samples after metric relabelling fails; 0 is the maximum.',
  },
  body_size_limit: {
    use: 'honoured',
    kind: 'bytes',
    absent: '8 MiB',
    max: MAX_BODY_SIZE_LIMIT_BYTES,
    about: 'A page of so many bytes after gunzip fails; KB and KiB are both 1,024 bytes, 0 is the maximum.',
  },
  target_limit: {
    use: 'honoured',
    kind: 'count',
    absent: 'none',
    about: 'With more targets after relabelling all of the job fail; 0 is no limit.',
  },
  label_limit: {
    use: 'honoured',
    kind: 'count',
    absent: 'none',
    about: 'A page with a sample of more labels fails; 0 is no limit.',
  },
  label_name_length_limit: {
    use: 'honoured',
    kind: 'count',
    absent: 'none',
    about: 'A page with a longer label name fails; 0 is no limit.',
  },
  label_value_length_limit: {
    use: 'honoured',
    kind: 'count',
    absent: 'none',
    about: 'A page with a longer label value fails; 0 is no limit.',
  },
} as const satisfies KeyTable;

export const CONFIG_KEYS = {
  document: {
    global: { use: 'honoured', kind: 'mapping', about: 'What scrape_configs of this document leave open.' },
    scrape_configs: {
      use: 'honoured',
      kind: 'list',
      example: 'scrape_configs: [{job_name: nim, static_configs: [{targets: ["10.0.1.17:8000"]}]}]',
      about: 'The jobs.',
    },
    rule_files: noEffect('alerts and recording rules are not evaluated'),
    alerting: noEffect("alerts are Dynatrace's"),
    remote_write: noEffect('samples go to Dynatrace'),
    remote_read: noEffect('nothing is queried'),
    storage: noEffect('nothing is stored but baselines'),
    tracing: noEffect("Prometheus' own traces are not made"),
    otlp: noEffect('nothing is received over OTLP'),
    runtime: noEffect('there is no Prometheus process'),
    scrape_config_files: refused(
      'there are no files beside a document',
      'put the content of each file into a parameter of its own under <prefix>/targets',
    ),
  },
  global: {
    scrape_interval: {
      use: 'honoured',
      kind: 'duration',
      default: '1m',
      about: 'That of jobs which set none; 0 is the default.',
    },
    scrape_timeout: {
      use: 'honoured',
      kind: 'duration',
      absent: '10s, or the interval if that is shorter',
      about: 'That of jobs which set none; it may not exceed the interval.',
    },
    ...LIMITS,
    ...NO_EFFECT_GLOBALS,
    external_labels: refused(
      'labels added on the way out would change every series',
      'set them per group under static_configs: labels, or with a relabel rule {target_label: ..., replacement: ...}',
    ),
  },
  scrape_config: {
    job_name: {
      use: 'honoured',
      kind: 'text',
      absent: "the parameter's last segment, if the document holds one scrape_config",
      max: MAX_JOB_NAME_LENGTH,
      about: 'The label job.',
    },
    scrape_interval: {
      use: 'honoured',
      kind: 'duration',
      absent: 'that of global, 1m',
      about: 'How often; 0 is that of global.',
    },
    scrape_timeout: {
      use: 'honoured',
      kind: 'duration',
      absent: 'that of global, or the interval if that is shorter',
      about: 'It may not exceed the interval; 0 is that of global.',
    },
    metrics_path: {
      use: 'honoured',
      kind: 'text',
      absent: '/v1/metrics, then /metrics',
      about: 'The path of the page. Absent it is found out, other than in Prometheus, which takes /metrics.',
    },
    scheme: {
      use: 'honoured',
      kind: 'choice',
      choices: ['http', 'https'],
      default: 'http',
      about: 'How to speak to the targets.',
    },
    params: {
      use: 'honoured',
      kind: 'mapping',
      max: MAX_PARAMS,
      example: 'params: {name: [value]}',
      about: 'Query parameters, each with a list of values.',
    },
    honor_labels: {
      use: 'honoured',
      kind: 'flag',
      default: 'false',
      about: "Whether the page's labels win over the target's.",
    },
    honor_timestamps: {
      use: 'honoured',
      kind: 'flag',
      default: 'true',
      about: "Whether the page's timestamps count; of gauges only.",
    },
    static_configs: {
      use: 'honoured',
      kind: 'list',
      example: `static_configs: [{${ADDRESS_EXAMPLE}}]`,
      about: 'Groups of targets.',
    },
    dns_sd_configs: {
      use: 'honoured',
      kind: 'list',
      example: 'dns_sd_configs: [{names: [nim.example.internal], type: A, port: 8000}]',
      about: 'Targets found by DNS.',
    },
    http_sd_configs: {
      use: 'honoured',
      kind: 'list',
      max: MAX_DISCOVERIES,
      example: 'http_sd_configs: [{url: "https://inventory.example.internal/nims"}]',
      about: 'Targets listed by a server.',
    },
    kubernetes_sd_configs: {
      use: 'honoured',
      kind: 'list',
      max: MAX_DISCOVERIES,
      example: 'kubernetes_sd_configs: [{role: pod, api_server: "eks://my-cluster"}]',
      about: 'Pods of a cluster.',
    },
    relabel_configs: {
      use: 'honoured',
      kind: 'list',
      max: MAX_RELABEL_RULES,
      example: `relabel_configs: [${RULE_EXAMPLE.slice(2)}]`,
      about: 'Rules on the labels of targets, before the scrape.',
    },
    metric_relabel_configs: {
      use: 'honoured',
      kind: 'list',
      max: MAX_RELABEL_RULES,
      example: `metric_relabel_configs: [${RULE_EXAMPLE.slice(2)}]`,
      about: 'Rules on the samples of a page.',
    },
    authorization: {
      use: 'honoured',
      kind: 'mapping',
      about: 'The Authorization header; not beside basic_auth.',
    },
    basic_auth: {
      use: 'honoured',
      kind: 'mapping',
      about: 'User name and password; not beside authorization.',
    },
    tls_config: { use: 'honoured', kind: 'mapping', about: 'Whom to trust, and how to be trusted.' },
    http_headers: { use: 'honoured', kind: 'mapping', max: MAX_HEADERS, about: 'Further headers, by name.' },
    follow_redirects: {
      use: 'honoured',
      kind: 'flag',
      default: 'true',
      about: 'Whether redirects are followed.',
    },
    enable_compression: {
      use: 'honoured',
      kind: 'flag',
      default: 'true',
      about: 'Whether gzip is asked for.',
    },
    ...LIMITS,
    dynatrace: {
      use: 'honoured',
      kind: 'mapping',
      about: 'Options of this product; Prometheus has none of them.',
    },
    ...NO_EFFECT_KEYS,
    ...REFUSED_HTTP_KEYS,
    ...REFUSED_DISCOVERIES,
  },
  static_configs: {
    targets: {
      use: 'honoured',
      kind: 'list',
      absent: 'none',
      example: ADDRESS_EXAMPLE,
      about: 'Addresses, host:port each.',
    },
    labels: {
      use: 'honoured',
      kind: 'mapping',
      max: MAX_GROUP_LABELS,
      example: 'labels: {model: llama}',
      about: 'Labels of all targets of the group.',
    },
  },
  dns_sd_configs: {
    names: {
      use: 'honoured',
      kind: 'texts',
      max: MAX_DNS_NAMES,
      example: 'names: [nim.example.internal]',
      about: 'What to look up; needed.',
    },
    type: {
      use: 'honoured',
      kind: 'choice',
      choices: DNS_TYPES,
      default: 'SRV',
      about: 'The kind of record, in any case.',
    },
    port: {
      use: 'honoured',
      kind: 'count',
      max: 65_535,
      absent: 'that of the SRV record',
      about: 'Needed for every type but SRV.',
    },
    refresh_interval: {
      use: 'honoured',
      kind: 'duration',
      default: '30s',
      about: 'How long an answer is used.',
    },
  },
  relabel_configs: {
    source_labels: {
      use: 'honoured',
      kind: 'texts',
      max: MAX_SOURCE_LABELS,
      example: 'source_labels: [__address__]',
      about: 'Labels whose values are joined.',
    },
    separator: { use: 'honoured', kind: 'text', default: ';', about: 'What joins them.' },
    regex: { use: 'honoured', kind: 'text', default: '(.*)', about: 'RE2, matched against the whole.' },
    modulus: { use: 'honoured', kind: 'count', default: '0', about: 'Of hashmod.' },
    target_label: { use: 'honoured', kind: 'text', default: '""', about: 'The label that is written.' },
    replacement: {
      use: 'honoured',
      kind: 'text',
      default: '$1',
      about: 'Its value, with $1 or ${name} for a group.',
    },
    action: {
      use: 'honoured',
      kind: 'choice',
      choices: ACTIONS,
      default: 'replace',
      about: 'What is done, in any case.',
    },
  },
  ...DISCOVERY_KEYS,
  ...HTTP_KEYS,
  dynatrace: DYNATRACE_KEYS,
} as const satisfies Readonly<Record<Place, KeyTable>>;
