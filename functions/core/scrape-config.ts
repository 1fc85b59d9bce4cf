/**
 * A `scrape_config` once it is read and checked: what Prometheus' keys say, in milliseconds and bytes, every default
 * filled in. Types only; core/config makes it, discovery and relabelling turn it into targets.
 */

/** What to do with the first value of a target, as in the Collector's cumulativetodelta (D6). */
export type InitialValue = 'auto' | 'keep' | 'drop';

/** All of Prometheus' actions (model/relabel). */
export type RelabelAction =
  | 'replace'
  | 'keep'
  | 'drop'
  | 'keepequal'
  | 'dropequal'
  | 'hashmod'
  | 'labelmap'
  | 'labeldrop'
  | 'labelkeep'
  | 'lowercase'
  | 'uppercase';

/** One rule of `relabel_configs` or `metric_relabel_configs`, as written; core/relabel compiles it. */
export interface RelabelConfig {
  readonly action: RelabelAction;
  readonly sourceLabels: readonly string[];
  readonly separator: string;
  /** RE2 syntax, not yet anchored. */
  readonly regex: string;
  /** 0 but for `hashmod`. */
  readonly modulus: number;
  readonly targetLabel: string;
  readonly replacement: string;
}

/** One entry of `static_configs`, or what a discovery found. */
export interface TargetGroup {
  readonly targets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** What the discovery itself says of these targets. */
  readonly own?: OwnOfTargets;
}

export interface OwnOfTargets {
  /** Part of the targets' identity (D11): another process on the same address is another target. */
  readonly uid?: string;
  /** When the list that names them was asked for, on the wall. */
  readonly listedAtMs?: number;
  /** Over those of the job. */
  readonly settings?: Partial<ScrapeSettings>;
  /** Under those of the job. */
  readonly attributes?: Readonly<Record<string, string>>;
  readonly filter?: TargetFilter;
}

/**
 * Of the annotation `metrics.dynatrace.com/filter`: nothing but these metrics, in the place of the job's `preset` and
 * `include`; or all of the job's but these. What the job excludes stays excluded.
 */
export interface TargetFilter {
  readonly mode: 'include' | 'exclude';
  /** With `*` at their ends. */
  readonly names: readonly string[];
}

export interface DnsSdConfig {
  readonly names: readonly string[];
  readonly type: 'SRV' | 'A' | 'AAAA' | 'MX' | 'NS';
  /** Of `A`, `AAAA`, `MX` and `NS` records; `SRV` brings its own. */
  readonly port: number;
  readonly refreshIntervalMs: number;
}

/**
 * Where a secret is: `ssm:/nim-to-dynatrace/secrets/nim-token`, or a Secrets Manager ARN, with `#field` behind it for
 * one field of a JSON secret. The secret itself is never in a document, a message or a log.
 */
export type SecretReference = string;

export interface TlsConfig {
  /** PEM, trusted instead of the system's authorities, as in Prometheus. */
  readonly ca?: string | { readonly secret: SecretReference };
  /** PEM of a client certificate; with `key`. */
  readonly cert?: string | { readonly secret: SecretReference };
  readonly key?: { readonly secret: SecretReference };
  readonly serverName?: string;
  readonly insecureSkipVerify: boolean;
  readonly minVersion?: 'TLS10' | 'TLS11' | 'TLS12' | 'TLS13';
  readonly maxVersion?: 'TLS10' | 'TLS11' | 'TLS12' | 'TLS13';
}

/** One entry of `http_headers`. */
export interface HttpHeader {
  readonly name: string;
  readonly values: readonly string[];
  readonly secrets: readonly SecretReference[];
}

/** How a server that is no target is asked. */
export type HttpClientSettings = Pick<
  ScrapeSettings,
  'authorization' | 'basicAuth' | 'tlsConfig' | 'httpHeaders' | 'followRedirects'
>;

export interface HttpSdConfig {
  /** http or https, without a user name, a query that is a secret, or a fragment. */
  readonly url: string;
  readonly refreshIntervalMs: number;
  readonly client: HttpClientSettings;
}

/** Pods of one cluster. */
export interface KubernetesSdConfig {
  /** `eks://<cluster>`, or the URL of an API server. */
  readonly apiServer: string;
  /** None: all of them. */
  readonly namespaces: readonly string[];
  /** As Kubernetes writes selectors; empty: every pod. */
  readonly labelSelector: string;
  readonly fieldSelector: string;
  /** Whether Dynatrace's annotations (`metrics.dynatrace.com/...`) choose pods and say how each is scraped. */
  readonly annotations: boolean;
  /** Of an API server by its URL; EKS has its own authority and token. */
  readonly client: HttpClientSettings;
}

/** What of a job's pages is sent, and how: options under `dynatrace:`. None of them changes what is stored (D11). */
export interface OutputSettings {
  /** `nim`: the names of Dynatrace's NIM page, engines summed. `raw`: those of the page. */
  readonly metricNames: 'nim' | 'raw';
  /** Absent: `default`, or nothing but what `include` names. */
  readonly preset?: 'core' | 'default' | 'all';
  /** Names with `*` at their ends. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** Whether points that say nothing new are left out; each series is sent every `heartbeatMs` all the same. */
  readonly skipUnchanged: boolean;
  readonly heartbeatMs: number;
  /** Of one histogram point, the last one included; 0: as many as there are. */
  readonly maxBuckets: number;
  /** Points of one target and tick beyond which it is warned; 0: never. */
  readonly pointsBudget: number;
}

/** How the pages of a job are fetched and read: what the worker needs, the same for all of its targets. */
export interface ScrapeSettings {
  readonly honorLabels: boolean;
  readonly honorTimestamps: boolean;
  readonly metricRelabelConfigs: readonly RelabelConfig[];
  readonly sampleLimit: number;
  readonly bodySizeLimitBytes: number;
  /** 0: no limit. */
  readonly labelLimit: number;
  readonly labelNameLengthLimit: number;
  readonly labelValueLengthLimit: number;
  readonly followRedirects: boolean;
  readonly enableCompression: boolean;
  /** `Authorization: <type> <credentials>`. */
  readonly authorization?: { readonly type: string; readonly credentials: SecretReference };
  readonly basicAuth?: {
    readonly username: string | { readonly secret: SecretReference };
    readonly password: SecretReference;
  };
  readonly tlsConfig?: TlsConfig;
  readonly httpHeaders: readonly HttpHeader[];
  readonly initialValue: InitialValue;
  readonly output: OutputSettings;
  /** Dimensions that each point of the job has. */
  readonly attributes: Readonly<Record<string, string>>;
}

export interface ScrapeConfig {
  readonly jobName: string;
  readonly scrapeIntervalMs: number;
  readonly scrapeTimeoutMs: number;
  readonly scheme: 'http' | 'https';
  /** Empty where it is not configured: `/v1/metrics`, and `/metrics` when that answers 404. */
  readonly metricsPath: string;
  readonly params: Readonly<Record<string, readonly string[]>>;
  readonly staticConfigs: readonly TargetGroup[];
  readonly dnsSdConfigs: readonly DnsSdConfig[];
  readonly httpSdConfigs: readonly HttpSdConfig[];
  readonly kubernetesSdConfigs: readonly KubernetesSdConfig[];
  readonly relabelConfigs: readonly RelabelConfig[];
  /** 0: no limit. */
  readonly targetLimit: number;
  readonly settings: ScrapeSettings;
}
