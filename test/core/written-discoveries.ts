/** Documents with discoveries, as people write them for Prometheus. */

export const WRITTEN_DISCOVERIES: Readonly<Record<string, string>> = {
  'annotated pods, as in the example of Prometheus': `
scrape_configs:
  - job_name: kubernetes-pods
    kubernetes_sd_configs:
      - role: pod
        api_server: https://0123456789ABCDEF.gr7.eu-central-1.eks.amazonaws.com
        authorization: {credentials: 'ssm:/nim-to-dynatrace/secrets/kubernetes'}
        follow_redirects: true
        enable_http2: true
    relabel_configs:
      - source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape]
        action: keep
        regex: true
      - source_labels: [__address__, __meta_kubernetes_pod_annotation_prometheus_io_port]
        action: replace
        regex: (.+)(?::\\d+);(\\d+)
        replacement: $1:$2
        target_label: __address__
      - action: labelmap
        regex: __meta_kubernetes_pod_label_(.+)
`,
  'pods of some namespaces of an EKS cluster': `
job_name: nim
kubernetes_sd_configs:
- api_server: eks://prod
  role: pod
  kubeconfig_file: ""
  namespaces:
    own_namespace: false
    names: [nim, llm, nim-2]
  selectors:
  - {role: node, label: nvidia.com/gpu=true}
  - role: pod
    label: "app=nim,tier in (gpu, cpu)"
    field: spec.nodeName=node-1
  attach_metadata: {node: false, namespace: false}
`,
  'an API server behind a path, by user and password': `
job_name: nim
kubernetes_sd_configs:
  - role: pod
    api_server: https://rancher.example.com/k8s/clusters/c-m-abc
    basic_auth: {username: metrics, password: 'ssm:/nim-to-dynatrace/secrets/rancher'}
    follow_redirects: false
    namespaces: {}
    attach_metadata: {}
`,
  'a list from a server': `
job_name: nim
http_sd_configs:
  - url: http://inventory.example.com/prometheus/targets
  - url: https://inventory.example.com/targets@v2?team=llm#all
    refresh_interval: 1m30s
    authorization: {type: Token, credentials: 'ssm:/nim-to-dynatrace/secrets/inventory'}
    follow_redirects: false
    enable_http2: false
    proxy_from_environment: false
`,
  'all kinds of targets in one job': `
job_name: nim
static_configs: [{targets: ['10.0.0.1:8000']}]
dns_sd_configs: [{names: [nim.example.com], type: A, port: 8000}]
http_sd_configs: [{url: 'http://inventory.example.com'}]
kubernetes_sd_configs: [{role: pod, api_server: 'eks://prod'}, {role: pod, api_server: 'https://k8s.example.com:6443'}]
`,
};
