/** What the functions publish of themselves in CloudWatch (docs/words.md), as alarms and dashboard refer to it. */
import type { Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';

export const METRICS_NAMESPACE = 'NimToDynatrace';

const { COUNT, MILLISECONDS, SECONDS } = cloudwatch.Unit;

/** Those of them that an alarm or a graph reads. CloudWatch finds a metric only under the unit that it was published with. */
const UNITS = {
  'documents.invalid': COUNT,
  'export.duration': MILLISECONDS,
  'exports.unknown': COUNT,
  'pending.age': SECONDS,
  'pending.given_up': COUNT,
  'pending.points': COUNT,
  'points.dropped': COUNT,
  'points.rejected': COUNT,
  'points.sent': COUNT,
  'targets.down': COUNT,
  'targets.due': COUNT,
  'targets.flipped': COUNT,
} as const;
export type SelfMetricName = keyof typeof UNITS;

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
    unit: UNITS[metricName],
  });
}
