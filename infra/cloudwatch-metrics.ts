/** What the functions publish of themselves in CloudWatch (docs/words.md), as alarms and dashboard refer to it. */
import type { Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';

export const METRICS_NAMESPACE = 'NimToDynatrace';

/** Those of them that an alarm or a graph reads. */
export type SelfMetricName =
  | 'documents.invalid'
  | 'export.duration'
  | 'exports.unknown'
  | 'pending.age'
  | 'pending.given_up'
  | 'pending.points'
  | 'points.dropped'
  | 'points.rejected'
  | 'points.sent'
  | 'targets.down'
  | 'targets.due'
  | 'targets.flipped';

/** Counts add up over shards and ticks; of a state the worst counts. */
type Statistic = 'Sum' | 'Maximum';

/** `deployment`: the parameter prefix, which no other deployment of the account and region has. */
export function selfMetric(
  deployment: string,
  metricName: SelfMetricName,
  statistic: Statistic,
  period: Duration,
): cloudwatch.Metric {
  return new cloudwatch.Metric({
    namespace: METRICS_NAMESPACE,
    metricName,
    dimensionsMap: { deployment },
    statistic,
    period,
    label: metricName,
  });
}
