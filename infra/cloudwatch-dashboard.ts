/** One CloudWatch dashboard: what an operator looks at after an alarm. NIM's own numbers are in Dynatrace. */
import { Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type { Construct } from 'constructs';
import type { Alarms, Watched } from './alarms.ts';
import { type SelfMetricName, selfMetric } from './cloudwatch-metrics.ts';

/** A graph's finest point: a tick of the default schedule. */
const PERIOD = Duration.minutes(1);
/** Three graphs in a row of 24 columns. */
const WIDTH = 8;
const HEIGHT = 6;

export function createDashboard(scope: Construct, watched: Watched, alarms: Alarms): cloudwatch.Dashboard {
  const { deployment, dispatchFunction, scrapeFunction, deadLetterQueue } = watched;
  const sums = (...names: SelfMetricName[]) =>
    names.map((name) => selfMetric(deployment, name, 'Sum', PERIOD));
  const worst = (...names: SelfMetricName[]) =>
    names.map((name) => selfMetric(deployment, name, 'Maximum', PERIOD));
  const functions = [
    ['dispatch', dispatchFunction],
    ['scrape', scrapeFunction],
  ] as const;
  const ofAlarms = Object.values(alarms);
  const status =
    ofAlarms.length === 0
      ? []
      : [[new cloudwatch.AlarmStatusWidget({ title: 'Alarms', alarms: ofAlarms, width: 24, height: 4 })]];
  return new cloudwatch.Dashboard(scope, 'Dashboard', {
    defaultInterval: Duration.hours(3),
    widgets: [
      ...status,
      [
        graph('Points', sums('points.sent', 'points.dropped', 'points.rejected')),
        graph('Pending', worst('pending.points'), worst('pending.age')),
        graph('Targets', worst('targets.due', 'targets.down', 'targets.flipped')),
      ],
      [
        graph('Exports', sums('exports.unknown'), worst('export.duration')),
        graph(
          'Duration of the functions',
          functions.map(([name, fn]) =>
            fn.metricDuration({ statistic: 'Maximum', period: PERIOD, label: name }),
          ),
        ),
        graph('Failures', [
          ...functions.flatMap(([name, fn]) => [
            fn.metricErrors({ statistic: 'Sum', period: PERIOD, label: `${name} errors` }),
            fn.metricThrottles({ statistic: 'Sum', period: PERIOD, label: `${name} throttles` }),
          ]),
          deadLetterQueue.metricApproximateNumberOfMessagesVisible({
            statistic: 'Maximum',
            period: PERIOD,
            label: 'dead letters',
          }),
          ...worst('documents.invalid'),
        ]),
      ],
    ],
  });
}

/** From zero up: a line at the bottom is none. */
function graph(
  title: string,
  left: cloudwatch.IMetric[],
  right: cloudwatch.IMetric[] = [],
): cloudwatch.GraphWidget {
  return new cloudwatch.GraphWidget({
    title,
    left,
    right,
    width: WIDTH,
    height: HEIGHT,
    leftYAxis: { min: 0 },
    rightYAxis: { min: 0 },
  });
}
