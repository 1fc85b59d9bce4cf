/** A target: its identity, its defaults, its address on the network. */
import { dimensionValue } from './dynatrace.ts';
import { hashText } from './hash.ts';
import type { Attributes, Target, TargetIdentity } from './model.ts';
import type { TargetItem } from './ports.ts';
import { DEFAULT_OUTPUT, readOutputText } from './output-text.ts';
import type { ScrapeSettings } from './scrape-config.ts';

/** Prometheus' defaults: `scrape_interval` 1m, `scrape_timeout` 10s. */
export const DEFAULT_INTERVAL_MS = 60_000;
export const DEFAULT_TIMEOUT_MS = 10_000;
/** Samples of one page, some 150 engines. A baseline with something pending on each of them fits its item. */
export const DEFAULT_SAMPLE_LIMIT = 50_000;
/** Bytes of one page after gunzip: twice the page of 110 engines. */
export const DEFAULT_BODY_SIZE_LIMIT_BYTES = 8 * 1024 * 1024;

/** Prometheus' defaults where a limit need not be one; 0 there means none. */
export const DEFAULT_SCRAPE_SETTINGS: ScrapeSettings = {
  honorLabels: false,
  honorTimestamps: true,
  metricRelabelConfigs: [],
  sampleLimit: DEFAULT_SAMPLE_LIMIT,
  bodySizeLimitBytes: DEFAULT_BODY_SIZE_LIMIT_BYTES,
  labelLimit: 0,
  labelNameLengthLimit: 0,
  labelValueLengthLimit: 0,
  followRedirects: true,
  enableCompression: true,
  httpHeaders: [],
  initialValue: 'auto',
  output: DEFAULT_OUTPUT,
  attributes: {},
};

/** Tried in turn where no path is configured: NIM's own, then that of vLLM, SGLang, Triton and everyone else. */
export const DEFAULT_PATHS = ['/v1/metrics', '/metrics'] as const;

/** Raised when a release reads the same page as other series: unknown series then begin with a baseline (D5). */
const IDENTITY_VERSION = 1;

/** `uid`: of the pod, where one is known. */
export function createTarget(
  identity: TargetIdentity,
  intervalMs: number = DEFAULT_INTERVAL_MS,
  uid?: string,
): Target {
  const { job, instance } = identity;
  const url = urlOf(identity, identity.path);
  const suffix = uid === undefined ? '' : `#${encodeURIComponent(uid)}`;
  return {
    ...identity,
    ...DEFAULT_SCRAPE_SETTINGS,
    key: `target/${encodeURIComponent(job)}/${encodeURIComponent(instance)}/${url}${suffix}`,
    labels: [],
    intervalMs,
    timeoutMs: DEFAULT_TIMEOUT_MS,
  };
}

/** A target as far as its state item tells it: enough to send what it owes. */
export function targetOfItem({ key, job, instance, url, output, attributes = {} }: TargetItem): Target {
  const { protocol, host } = URL.canParse(url) ? new URL(url) : { protocol: 'http:', host: instance };
  const scheme = protocol === 'https:' ? 'https' : 'http';
  const target = createTarget({ job, instance, scheme, address: host, path: '', params: [] });
  return { ...target, key, output: readOutputText(output), attributes };
}

/** The URL of a target at `path`. */
export function urlOf(target: Omit<TargetIdentity, 'job' | 'instance' | 'path'>, path: string): string {
  const query = target.params.map(
    ([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`,
  );
  return `${target.scheme}://${target.address}${path}${query.length === 0 ? '' : `?${query.join('&')}`}`;
}

/**
 * How a page is read: what changes it may show old series under new names, which must not count from zero (D5).
 * `reading` is what the target's settings make of its labels.
 */
export function shapeOf(path: string, format: string, reading: string): number {
  return hashText(JSON.stringify([IDENTITY_VERSION, path, format, reading]));
}

/** Resource attributes as the Collector's Prometheus receiver sets them. */
export function resourceOf(target: Target): Attributes {
  // What the product says of itself has no address (core/self-metrics).
  if (target.address === '') return identityOf(target);
  const { host, port } = hostAndPort(target);
  return {
    ...identityOf(target),
    'server.address': host,
    'server.port': port,
    'url.scheme': target.scheme,
  };
}

/** Identity on the data point as well: without it, targets merge where Dynatrace keeps few resource attributes. */
export function identityOf(target: Target): Attributes {
  return {
    'service.name': dimensionValue(target.job),
    'service.instance.id': dimensionValue(target.instance),
  };
}

/** An IPv6 host without brackets; the scheme's port where none is given. */
export function hostAndPort({ address, scheme }: Pick<TargetIdentity, 'address' | 'scheme'>): {
  readonly host: string;
  readonly port: string;
} {
  const colon = address.lastIndexOf(':');
  const hasPort = colon > address.lastIndexOf(']') && colon >= 0;
  const host = hasPort ? address.slice(0, colon) : address;
  const port = hasPort ? address.slice(colon + 1) : scheme === 'https' ? '443' : '80';
  return { host: host.replace(/^\[|\]$/g, ''), port };
}
