/** Keys of Prometheus that are accepted without effect, or refused: a part of the table in config/config-keys. */
import { noEffect, refused } from './config-key.ts';
import type { RefusedKey } from './config-key.ts';

const TEXT_FORMAT = 'the text format is asked for, and what comes is read by its content';
const NATIVE = 'native histograms come in protobuf only, and pages are read as text';
const NAMES = "any UTF-8 name is read, and Dynatrace's own rules are applied on the way out";

/** Of a scrape_config and of `global` alike. */
const NO_EFFECT_ANYWHERE = {
  scrape_protocols: noEffect(TEXT_FORMAT),
  scrape_native_histograms: noEffect(NATIVE),
  convert_classic_histograms_to_nhcb: noEffect(NATIVE),
  always_scrape_classic_histograms: noEffect('classic histograms are always read'),
  extra_scrape_metrics: noEffect('the scrape_* gauges are always the same'),
  keep_dropped_targets: noEffect('dropped targets are not remembered'),
  scrape_failure_log_file: noEffect('failed scrapes are in the log of the function'),
  metric_name_validation_scheme: noEffect(NAMES),
  metric_name_escaping_scheme: noEffect(NAMES),
} as const;

export const NO_EFFECT_KEYS = {
  ...NO_EFFECT_ANYWHERE,
  fallback_scrape_protocol: noEffect(TEXT_FORMAT),
  scrape_classic_histograms: noEffect('classic histograms are always read'),
  native_histogram_bucket_limit: noEffect(NATIVE),
  native_histogram_min_bucket_factor: noEffect(NATIVE),
  track_timestamps_staleness: noEffect('there are no stale markers'),
  enable_http2: noEffect('pages are fetched over HTTP/1.1'),
} as const;

export const NO_EFFECT_GLOBALS = {
  ...NO_EFFECT_ANYWHERE,
  evaluation_interval: noEffect('rules are not evaluated'),
  rule_query_offset: noEffect('rules are not evaluated'),
  query_log_file: noEffect('nothing is queried'),
  query_max_series: noEffect('nothing is queried'),
  query_max_samples_read: noEffect('nothing is queried'),
  query_max_duration: noEffect('nothing is queried'),
} as const;

const STORE_AS_SECRET =
  'store the token as a secret, and write authorization: {credentials: ssm:<prefix>/secrets/<name>}';
const NO_PROXY: RefusedKey = refused(
  'pages are fetched directly',
  'give the functions a way to the targets: vpcId, subnetIds and securityGroupIds at deployment',
);
const NO_TOKEN_EXCHANGE: RefusedKey = refused(
  'tokens are not exchanged',
  'store a token or a password as a secret, and use authorization or basic_auth',
);

export const REFUSED_HTTP_KEYS = {
  bearer_token: refused('a secret never stands in a document', STORE_AS_SECRET),
  bearer_token_file: refused('there are no files beside a document', STORE_AS_SECRET),
  oauth2: NO_TOKEN_EXCHANGE,
  sigv4: NO_TOKEN_EXCHANGE,
  azuread: NO_TOKEN_EXCHANGE,
  google_iam: NO_TOKEN_EXCHANGE,
  proxy_url: NO_PROXY,
  proxy_from_environment: NO_PROXY,
  no_proxy: NO_PROXY,
  proxy_connect_header: NO_PROXY,
} as const;

const OTHER_DISCOVERY: RefusedKey = refused(
  'this discovery is not there',
  'use static_configs, dns_sd_configs, http_sd_configs or kubernetes_sd_configs',
);
const EC2_DISCOVERY: RefusedKey = refused(
  'this discovery is not there',
  'name the instances in a private hosted zone and use dns_sd_configs, or list them under static_configs',
);
const ECS_DISCOVERY: RefusedKey = refused(
  'this discovery is not there',
  'let the service register in Cloud Map and use dns_sd_configs',
);

export const REFUSED_DISCOVERIES = {
  file_sd_configs: refused(
    'there are no files beside a document',
    'write their groups under static_configs; a parameter can be changed while all runs',
  ),
  ec2_sd_configs: EC2_DISCOVERY,
  ecs_sd_configs: ECS_DISCOVERY,
  aws_sd_configs: ECS_DISCOVERY,
  azure_sd_configs: OTHER_DISCOVERY,
  consul_sd_configs: refused('this discovery is not there', "use dns_sd_configs on Consul's own DNS"),
  digitalocean_sd_configs: OTHER_DISCOVERY,
  docker_sd_configs: OTHER_DISCOVERY,
  dockerswarm_sd_configs: OTHER_DISCOVERY,
  elasticache_sd_configs: OTHER_DISCOVERY,
  eureka_sd_configs: OTHER_DISCOVERY,
  gce_sd_configs: OTHER_DISCOVERY,
  hetzner_sd_configs: OTHER_DISCOVERY,
  ionos_sd_configs: OTHER_DISCOVERY,
  kuma_sd_configs: OTHER_DISCOVERY,
  lightsail_sd_configs: OTHER_DISCOVERY,
  linode_sd_configs: OTHER_DISCOVERY,
  marathon_sd_configs: OTHER_DISCOVERY,
  msk_sd_configs: OTHER_DISCOVERY,
  nerve_sd_configs: OTHER_DISCOVERY,
  nomad_sd_configs: OTHER_DISCOVERY,
  oci_sd_configs: OTHER_DISCOVERY,
  openstack_sd_configs: OTHER_DISCOVERY,
  outscale_sd_configs: OTHER_DISCOVERY,
  ovhcloud_sd_configs: OTHER_DISCOVERY,
  puppetdb_sd_configs: OTHER_DISCOVERY,
  rds_sd_configs: OTHER_DISCOVERY,
  scaleway_sd_configs: OTHER_DISCOVERY,
  serverset_sd_configs: OTHER_DISCOVERY,
  stackit_sd_configs: OTHER_DISCOVERY,
  triton_sd_configs: OTHER_DISCOVERY,
  uyuni_sd_configs: OTHER_DISCOVERY,
  vultr_sd_configs: OTHER_DISCOVERY,
} as const;
