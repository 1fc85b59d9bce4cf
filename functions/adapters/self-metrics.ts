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
  /** Prints the metrics under the dimension `deployment`. */
  readonly publish: (entries: readonly SelfMetric[]) => void;
}

/**
 * `deployment`: what tells it from others in one account and region, the parameter prefix, so that none adds to the
 * numbers and alarms of another. It is the only dimension: CloudWatch bills each combination of name and dimension
 * values, so a target, an instance or a series never is one, and no two functions share a name without meaning it.
 */
export function createSelfMetrics({ deployment }: { readonly deployment: string }): SelfMetrics {
  const metrics = new Metrics({ namespace: METRICS_NAMESPACE });
  // Powertools brings a dimension `service` of its own.
  metrics.clearDefaultDimensions();
  metrics.setDefaultDimensions({ deployment });
  return {
    publish: (entries) => {
      for (const entry of entries)
        assert(Number.isFinite(entry.value), `self-metric ${entry.name} is not finite`);
      for (let start = 0; start < entries.length; start += MAX_METRICS_PER_LINE) {
        for (const entry of entries.slice(start, start + MAX_METRICS_PER_LINE)) {
          metrics.addMetric(entry.name, entry.unit, entry.value);
        }
        metrics.publishStoredMetrics();
      }
    },
  };
}
