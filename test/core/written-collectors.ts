/** Collector configurations as people write them. */

/**
 * The example of Dynatrace's documentation for NVIDIA NIM, comments aside: its targets are a list in a list, and
 * pipelines: is missing.
 */
export const REFERENCE = `receivers:
  prometheus:
    config:
      scrape_configs:
        - job_name: nim-metrics
          scrape_interval: 10s
          honor_labels: false
          static_configs:
            - targets:
                - ["<NIM-endpoint>:8000"]
processors:
  cumulativetodelta:
    max_staleness: 25h
extensions:
  health_check:
exporters:
  otlp_http:
    endpoint: \${env:DT_ENDPOINT}
    headers:
      Authorization: "Api-Token \${env:DT_API_TOKEN}"
service:
  extensions: [health_check]
  metrics:
    receivers: [prometheus]
    processors: [cumulativetodelta]
    exporters: [otlp_http]
`;

/** The same as the page shows it: no indentation, and empty lines between all. */
export const FLATTENED = REFERENCE.split('\n')
  .map((line) => line.trim())
  .join('\n\n\n\n');

/** After the example of Dynatrace's own Collector distribution for Prometheus. */
export const WITH_START_TIME = `
receivers:
  prometheus:
    config:
      scrape_configs:
        - job_name: 'node-exporter'
          scrape_interval: 60s
          static_configs:
            - targets: ['node-exporter:9100']

processors:
  metric_start_time:
  cumulative_to_delta:
    max_staleness: 25h

exporters:
  otlp_http:
    endpoint: \${env:DT_ENDPOINT}
    headers:
      Authorization: "Api-Token \${env:DT_API_TOKEN}"

service:
  pipelines:
    metrics:
      receivers: [prometheus]
      processors: [metric_start_time, cumulative_to_delta]
      exporters: [otlp_http]
`;

/** Two receivers, escaped dollars, a secret of the environment, and what does not carry over. */
export const TWO_RECEIVERS = `
receivers:
  otlp:
    protocols: {grpc: }
  prometheus:
    config:
      global: {scrape_interval: 2m}
      scrape_configs:
        - job_name: nim
          scheme: https
          authorization: {credentials: '\${env:NIM_TOKEN}'}
          static_configs:
            - targets: ['10.0.0.1:8000']
              labels: {model: llama}
          relabel_configs:
            - {source_labels: [__address__], regex: '([^:]+):\\d+', target_label: host, replacement: '$$1'}
  prometheus/gpu:
    config:
      scrape_configs:
        - job_name: dcgm
          authorization: {credentials: $NIM_TOKEN}
          static_configs:
            - targets: ['10.0.0.1:9400']
  prometheus/unused:
    config:
      scrape_configs:
        - {job_name: unused, static_configs: [{targets: ['10.0.0.9:1']}]}
processors:
  batch: {}
  memory_limiter: {check_interval: 1s, limit_percentage: 65}
  cumulativetodelta:
    max_staleness: 10m
    initial_value: drop
  resource:
    attributes:
      - {key: deployment.environment, value: prod, action: upsert}
  k8sattributes: {}
exporters:
  otlphttp:
    endpoint: https://abc12345.live.dynatrace.com/api/v2/otlp
    headers: {authorization: Api-Token dt0c01.NEVER.PRINTED}
  debug: {verbosity: detailed}
service:
  telemetry: {logs: {level: info}}
  pipelines:
    metrics:
      receivers: [otlp, prometheus, prometheus/gpu]
      processors: [memory_limiter, cumulative_to_delta, resource, k8sattributes, batch]
      exporters: [otlp_http, debug]
    traces:
      receivers: [otlp]
      exporters: [debug]
`;
