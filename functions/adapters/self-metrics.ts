/**
 * The pipeline's own health in CloudWatch: embedded metric format on standard output, by Powertools' Metrics.
 */
import { Metrics } from '@aws-lambda-powertools/metrics';
import { assert } from '../core/outcome.ts';

/** The CloudWatch namespace of every self-metric. */
export const METRICS_NAMESPACE = 'NimToDynatrace';

/** CloudWatch reads at most 100 metrics from one line (embedded metric format specification, `Metrics`). */
const MAX_METRICS_PER_LINE = 100;

export interface SelfMetric {
  readonly name: string;
  readonly unit: 'Count' | 'Milliseconds' | 'Bytes' | 'Seconds';
  /** Finite. */
  readonly value: number;
}

export interface SelfMetrics {
  /**
   * Prints the metrics under the dimension `service` and the given ones. CloudWatch bills each combination of
   * name and dimension values, so a target, an instance or a series is never a dimension here.
   */
  readonly publish: (entries: readonly SelfMetric[], dimensions?: Readonly<Record<string, string>>) => void;
}

export function createSelfMetrics(options: { readonly service: string }): SelfMetrics {
  const metrics = new Metrics({ namespace: METRICS_NAMESPACE, serviceName: options.service });
  return {
    publish: (entries, dimensions = {}) => {
      for (const entry of entries)
        assert(Number.isFinite(entry.value), `self-metric ${entry.name} is not finite`);
      for (let start = 0; start < entries.length; start += MAX_METRICS_PER_LINE) {
        if (Object.keys(dimensions).length > 0) metrics.addDimensions({ ...dimensions });
        for (const entry of entries.slice(start, start + MAX_METRICS_PER_LINE)) {
          metrics.addMetric(entry.name, entry.unit, entry.value);
        }
        metrics.publishStoredMetrics();
      }
    },
  };
}
