/** Units of metrics, as UCUM: by the name, since text pages have no `# UNIT` lines. */
import { referenceMetric } from './nim.ts';

/** Where the name says nothing, or something wrong. */
const KNOWN: readonly (readonly [pattern: RegExp, unit: string])[] = [
  // NIM's own GPU metrics: the values are milliwatts (Maxine NIM, "Observability"), whatever the name says.
  [/^gpu_power_(?:usage|limit)_watts$/, 'mW'],
  [/^gpu_utilization$/, '1'],
  // Triton ("Metrics"): power in watts, energy in joules, utilization from 0 to 1.
  [/^nv_(?:gpu|cpu)_utilization$|^nv_cache_util$/, '1'],
  [/^nv_gpu_power_(?:usage|limit)$/, 'W'],
  [/^nv_energy_consumption$/, 'J'],
  [/^nv_inference_(?:request_success|request_failure|pending_request_count)$/, '{request}'],
  [/^nv_.*_us$/, 'us'],
  [/^nv_.*_ms$/, 'ms'],
  [/^nv_cache_(?:hit|miss)_duration_per_model$|^nv_cache_(?:lookup|insertion)_duration$/, 'us'],
  // dcgm-exporter (default-counters.csv).
  [/^DCGM_FI_DEV_(?:POWER_USAGE|POWER_MGMT_LIMIT|ENFORCED_POWER_LIMIT)$/, 'W'],
  [/^DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION$/, 'mJ'],
  [/^DCGM_FI_DEV_.*CLOCK$/, 'MHz'],
  [/^DCGM_FI_DEV_.*TEMP$/, 'Cel'],
  [/^DCGM_FI_DEV_.*UTIL$/, '%'],
  [/^DCGM_FI_DEV_FB_(?:FREE|USED|TOTAL|RESERVED)$/, 'MiBy'],
  [/^DCGM_FI_PROF_.*(?:ACTIVE|OCCUPANCY)$/, '1'],
  [/^DCGM_FI_PROF_.*_BYTES$/, 'By'],
];

/** Prometheus' base units, those that exporters use beside them, what NIM counts: a name's last word before `_total`. */
const SUFFIXES: ReadonlyMap<string, string> = new Map([
  ['seconds', 's'],
  ['milliseconds', 'ms'],
  ['microseconds', 'us'],
  ['nanoseconds', 'ns'],
  ['bytes', 'By'],
  ['joules', 'J'],
  ['watts', 'W'],
  ['volts', 'V'],
  ['amperes', 'A'],
  ['celsius', 'Cel'],
  ['hertz', 'Hz'],
  ['meters', 'm'],
  ['grams', 'g'],
  ['ratio', '1'],
  ['percent', '%'],
  ['tokens', '{token}'],
  ['requests', '{request}'],
]);

/** What is known of this very metric: it wins over the page's own word. */
export function knownUnit(name: string): string | undefined {
  return referenceMetric(name)?.unit ?? KNOWN.find(([pattern]) => pattern.test(name))?.[1];
}

/** What the name says; empty if nothing. */
export function unitInName(name: string): string {
  const base = name.endsWith('_total') ? name.slice(0, -'_total'.length) : name;
  return SUFFIXES.get(base.slice(base.lastIndexOf('_') + 1)) ?? '';
}
