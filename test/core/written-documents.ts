/** Documents as people write them for Prometheus, in all its spellings; nothing in them is an error. */

export const WRITTEN: Readonly<Record<string, string>> = {
  'the shortest file': `
scrape_configs:
  - job_name: nim
    static_configs:
      - targets: ['10.0.1.17:8000']
`,
  'a whole Prometheus file': `
# my global config
global:
  scrape_interval: 15s # Set the scrape interval to every 15 seconds. Default is every 1 minute.
  evaluation_interval: 15s
  # scrape_timeout is set to the global default (10s).

# Alertmanager configuration
alerting:
  alertmanagers:
    - static_configs:
        - targets:
          # - alertmanager:9093

rule_files:
  # - "first_rules.yml"

scrape_configs:
  # The job name is added as a label to any timeseries scraped from this config.
  - job_name: "prometheus"
    # metrics_path defaults to '/metrics'
    # scheme defaults to 'http'.
    static_configs:
      - targets: ["localhost:9090"]
        labels:
          app: "prometheus"
`,
  'the dump of a running Prometheus': `
global:
  scrape_interval: 30s
  scrape_timeout: 10s
  scrape_protocols:
  - OpenMetricsText1.0.0
  - OpenMetricsText0.0.1
  - PrometheusText1.0.0
  - PrometheusText0.0.4
  evaluation_interval: 30s
runtime:
  gogc: 75
scrape_configs:
- job_name: vllm
  honor_timestamps: true
  track_timestamps_staleness: false
  scrape_interval: 30s
  scrape_timeout: 10s
  scrape_protocols:
  - OpenMetricsText1.0.0
  - PrometheusText0.0.4
  always_scrape_classic_histograms: false
  convert_classic_histograms_to_nhcb: false
  metrics_path: /metrics
  scheme: http
  enable_compression: true
  metric_name_validation_scheme: utf8
  metric_name_escaping_scheme: allow-utf-8
  follow_redirects: true
  enable_http2: true
  relabel_configs:
  - source_labels: [__address__]
    separator: ;
    target_label: node
    replacement: $1
    action: replace
  static_configs:
  - targets:
    - 10.1.0.4:8000
    - 10.1.0.5:8000
`,
  'one job alone': `
job_name: llama
scrape_interval: 30s
static_configs:
  - targets:
      - 10.0.1.17:8000
      - 10.0.1.18:8000
    labels:
      model: llama-3.1-70b
      team: search
`,
  'a list of jobs': `
- job_name: vllm
  metrics_path: '/metrics'
  scrape_interval: 15s
  static_configs:
    - targets:
        - 'h100-node:8000'
        - 'h100-node:8001'
- job_name: dcgm
  static_configs:
    - targets: ["dcgm-exporter:9400"]
`,
  JSON: `{"scrape_configs":[{"job_name":"nim","scrape_interval":"1m","static_configs":[{"targets":["10.0.1.17:8000"],"labels":{"rack":7,"spot":true}}]}]}`,
  'indented JSON': `{
\t"job_name" : "nim",
\t"static_configs" : [
\t\t{ "targets" : [ "10.0.1.17:8000" ] }
\t]
}`,
  'targets of Triton, SGLang and a gateway': `
scrape_configs:
  - job_name: triton-server
    metrics_path: /metrics
    scrape_interval: 10s
    scrape_timeout: 5s
    static_configs:
      - targets: ['triton-0:8002', 'triton-1:8002']
  - job_name: sglang
    static_configs:
      - targets:
        - sglang-0:30000
  - job_name: gateway
    scheme: https
    metrics_path: stats/prometheus
    params:
      format: [prometheus]
      filter: ['llm_.*', "http_.*"]
    static_configs:
      - targets: [gateway.example.com]
`,
  'ECS services in Cloud Map': `
scrape_configs:
  - job_name: nim-ecs
    dns_sd_configs:
      - names:
          - nim.llm.internal
        type: A
        port: 8000
        refresh_interval: 10s
  - job_name: nim-srv
    dns_sd_configs:
      - names: ["nim-a.llm.internal", "nim-b.llm.internal."]
  - job_name: swarm
    dns_sd_configs:
      - names: ['tasks.monitoring_node-exporter']
        type: 'a'
        port: 9100
`,
  'a bearer token': `
job_name: nim-behind-gateway
scheme: https
authorization:
  credentials: ssm:/nim-to-dynatrace/secrets/gateway-token
static_configs: [{targets: ['llm.example.com:443']}]
`,
  'another type of token': `
job_name: nim
authorization: {type: " Api-Token ", credentials: "arn:aws:secretsmanager:eu-central-1:123456789012:secret:nim/token-AbCdEf#token"}
static_configs: [{targets: ['10.0.0.1:8000']}]
`,
  'user and password': `
- job_name: secured-spring-app
  static_configs:
    - targets: ['secure-app:8080']
  basic_auth:
    username: 'actuator'
    password: 'ssm:/nim-to-dynatrace/secrets/actuator'
  metrics_path: /actuator/prometheus
`,
  'a name that comes back': `
scrape_configs:
  - job_name: federate
    honor_labels: true
    metrics_path: '/federate'
    params:
      'match[]':
        - '{job="nim"}'
        - '{__name__=~"vllm:.*"}'
    static_configs:
      - targets:
        - 'prometheus-a:9090'
        - 'prometheus-b:9090'
`,
  'metric rules against cost': `
job_name: nim
static_configs: [{targets: [10.0.1.17:8000]}]
metric_relabel_configs:
  # python and process metrics are not wanted
  - source_labels: [__name__]
    regex: 'python_.*|process_.*'
    action: drop
  - source_labels: [__name__, le]
    separator: '@'
    regex: "e2e_request_latency_seconds_bucket@(0\\\\.3|0\\\\.5)"
    action: drop
  - regex: 'request_id|user'
    action: labeldrop
`,
  'GPU labels renamed': `
scrape_configs:
  - job_name: "gpu-node-group"
    metric_relabel_configs:
      - source_labels:
          - modelName
          - UUID
        target_label: gpuuuid
        regex: NVIDIA(.*);(.*)
        replacement: $2
        action: replace
      - regex: UUID
        action: labeldrop
      - regex: modelName
        action: labeldrop
    static_configs:
      - targets: ["gpu-0:9400", "gpu-1:9400"]
`,
  'every action': `
job_name: rules
static_configs: [{targets: ['a:1']}]
relabel_configs:
  - {source_labels: [__address__], regex: '([^:]+)(?::\\d+)?', target_label: host, replacement: '\${1}'}
  - {action: Keep, source_labels: [host], regex: .+}
  - {action: DROP, source_labels: [host], regex: b}
  - {action: keepequal, source_labels: [job], target_label: job}
  - {action: dropequal, source_labels: [host], target_label: job}
  - {action: hashmod, source_labels: [__address__], modulus: 4, target_label: __tmp_hash}
  - {action: labelmap, regex: __meta_dns_(.+), replacement: dns_$1}
  - {action: labeldrop, regex: tmp}
  - {action: labelkeep, regex: '.*'}
  - {action: lowercase, source_labels: [host], target_label: host}
  - {action: uppercase, source_labels: [host], target_label: HOST}
  - {target_label: empty, replacement: ''}
  - {source_labels: [a, b], separator: '', regex: 8000, target_label: c}
  - {source_labels: [a], regex: , separator: , replacement: , target_label: d}
`,
  'the blackbox trick': `
- job_name: blackbox
  metrics_path: /probe
  params:
    module: [http_2xx]
  static_configs:
    - targets:
        - https://llm.example.com/v1/health/ready
        - http://10.0.1.17:8000/v1/health/ready
  relabel_configs:
    - source_labels: [__address__]
      target_label: __param_target
    - source_labels: [__param_target]
      target_label: instance
    - target_label: __address__
      replacement: blackbox:9115
`,
  limits: `
global:
  sample_limit: 20000
  body_size_limit: 4MB
  label_limit: 40
  target_limit: 0
scrape_configs:
  - job_name: inherits
    static_configs: [{targets: ['a:1']}]
  - job_name: sets its own
    sample_limit: 1_000
    body_size_limit: 1MiB512KiB
    target_limit: 25
    label_limit: 30
    label_name_length_limit: 200
    label_value_length_limit: 1e3
    keep_dropped_targets: 5
    static_configs: [{targets: ['a:1']}]
`,
  times: `
global: {scrape_interval: 5s}
scrape_configs:
  - {job_name: a}
  - {job_name: b, scrape_interval: 1h30m, scrape_timeout: 1m}
  - {job_name: c, scrape_interval: 1d, scrape_timeout: 0s}
  - {job_name: d, scrape_interval: 2s500ms}
  - {job_name: e, scrape_interval: 0}
`,
  'an empty global': `
global:
scrape_configs:
  - job_name: a
    tls_config:
    params:
    honor_timestamps:
    scrape_interval:
    sample_limit: ~
    relabel_configs:
    static_configs:
      - targets: []
`,
  'words of YAML 1.1': `
job_name: no
honor_labels: yes
honor_timestamps: off
follow_redirects: No
enable_compression: FALSE
static_configs:
  - targets: [on:80]
    labels: {enabled: yes, version: 1.20, zone: 0123, nothing: , tilde: ~, quoted: "~", date: 2024-01-02}
`,
  'anchors and merge keys': `
scrape_configs:
  - &nim
    job_name: nim-a
    scrape_interval: 30s
    metric_relabel_configs: &rules
      - {source_labels: [__name__], regex: 'go_.*', action: drop}
    static_configs: &groups
      - targets: ['a:8000', 'b:8000']
        labels: &labels {team: search}
  - <<: *nim
    job_name: nim-b
    scrape_interval: 45s
  - job_name: nim-c
    metric_relabel_configs: *rules
    static_configs:
      - targets: ['c:8000']
        labels:
          <<: *labels
          zone: b
`,
  'block scalars and long lines': `
job_name: >-
  folded
  name
metrics_path: "/metrics"
static_configs:
- targets:
  - "10.0.0.1:8000"   # the first
  - '10.0.0.2:8000'

  - 10.0.0.3:8000
  labels: {note: 'it''s', other: "tab\\there"}
metric_relabel_configs:
- source_labels: [__name__]
  regex: |-
    a|b
  action: keep
`,
  'IPv6 and names with underscores': `
job_name: odd/hosts and a blank
static_configs:
  - targets: ['[2001:db8::17]:8000', my_nim.llm:8000, 'localhost']
    labels: {}
  - targets: ['nim-0.nim.llm.svc.cluster.local:8000']
`,
  'mutual TLS': `
job_name: nim
scheme: https
tls_config:
  ca: |
    -----BEGIN CERTIFICATE-----
    MIIBszCCAVmgAwIBAgIUK
    -----END CERTIFICATE-----
  cert: ssm:/nim-to-dynatrace/secrets/nim-cert
  key: ssm:/nim-to-dynatrace/secrets/nim-key
  server_name: nim.example.com
  min_version: TLS12
  max_version: TLS13
static_configs: [{targets: ['10.0.0.1:8443']}]
`,
  'any certificate will do': `
- job_name: nim
  scheme: https
  tls_config: {insecure_skip_verify: true}
  static_configs: [{targets: ['10.0.0.1:8443']}]
`,
  headers: `
job_name: nim
http_headers:
  X-Scope-OrgID: {values: [acme]}
  X-Api-Key:
    secrets: ["ssm:/nim-to-dynatrace/secrets/nim-key"]
static_configs: [{targets: ['10.0.0.1:8443']}]
`,
  'what means nothing here': `
scrape_configs:
  - job_name: nim
    scrape_failure_log_file: failures.log
    fallback_scrape_protocol: PrometheusText0.0.4
    scrape_native_histograms: true
    native_histogram_bucket_limit: 160
    native_histogram_min_bucket_factor: 1.1
    extra_scrape_metrics: true
    proxy_from_environment: false
    static_configs: [{targets: ['10.0.0.1:8000']}]
remote_write:
  - url: https://prometheus.example.com/api/v1/write
storage:
  tsdb: {out_of_order_time_window: 30m}
`,
};
