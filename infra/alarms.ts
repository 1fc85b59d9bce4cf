/**
 * The alarms: few, and each with something to do (docs/alarms.md). They count in ticks where a tick is what matters,
 * so a slower schedule makes them slower, not wrong. Missing data means something else to each of them.
 */
import { Annotations, Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import type * as sns from 'aws-cdk-lib/aws-sns';
import type * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { type SelfMetricName, selfMetric } from './cloudwatch-metrics.ts';

/** How the alarms are to be made. */
export interface AlarmOptions {
  /**
   * The longest time between two ticks; whole minutes up to a day.
   * @default - of a rate the rate; without it a cron schedule has no alarms `nothingExported` and `targetsDown`
   */
  readonly tick?: Duration;
}

/** Each has a line in docs/alarms.md. */
export type AlarmName =
  | 'nothingExported'
  | 'pendingAge'
  | 'answersLost'
  | 'pointsRejected'
  | 'pendingGivenUp'
  | 'targetsDown'
  | 'documentsInvalid'
  | 'deadLetters'
  | 'dispatchErrors'
  | 'dispatchThrottles'
  | 'scrapeErrors'
  | 'scrapeThrottles';

export type Alarms = Readonly<Partial<Record<AlarmName, cloudwatch.Alarm>>>;

/** What is watched. */
export interface Watched {
  readonly deployment: string;
  readonly dispatchFunction: lambda.IFunction;
  readonly scrapeFunction: lambda.IFunction;
  readonly deadLetterQueue: sqs.IQueue;
  /** After it the alarms are made, so that none waits for a tick that cannot be yet. */
  readonly schedule: Construct;
  /** Undefined where it is not known. */
  readonly tick: Duration | undefined;
}

/** Ticks without an export, or with a target down, that are no accident. */
export const ALARM_TICKS = 5;

/** Nothing shorter is worth waking anyone; also of a schedule without a known tick. */
export const MIN_WINDOW = Duration.minutes(5);

/** One lost answer is made good by itself; a second one within 15 minutes is a pattern. */
export const MIN_LOST_ANSWERS = 2;
const LOST_ANSWERS_WINDOW = Duration.minutes(15);

/** What is pending for so many windows is pending for a reason; 15 minutes at one tick a minute. */
export const PENDING_WINDOWS = 3;

/** The longest period of a metric, and a seventh of what an alarm may look back on (CloudWatch, alarm evaluation). */
const MAX_PERIOD = Duration.days(1);

/** A new bad document is an alarm within a tick and this. */
const DOCUMENTS_PERIOD = Duration.minutes(1);

interface Rule {
  readonly metric: cloudwatch.IMetric;
  /** Breaching at or above it; default 1. */
  readonly threshold?: number;
  /** All of which must breach; default 1. */
  readonly evaluationPeriods?: number;
  readonly missing: cloudwatch.TreatMissingData;
  /** What happened, and what to do; the log events stand in brackets. */
  readonly description: string;
}

const { BREACHING, IGNORE, NOT_BREACHING } = cloudwatch.TreatMissingData;

/** Makes the alarms; none where `alarms` is false. */
export function createAlarms(
  scope: Construct,
  watched: Watched,
  alarms: boolean | AlarmOptions = true,
  topic?: sns.ITopic,
): Alarms {
  if (alarms === false) return {};
  const parent = new Construct(scope, 'Alarms');
  const made: Partial<Record<AlarmName, cloudwatch.Alarm>> = {};
  for (const [name, rule] of rulesOf(parent, watched)) {
    const { metric, threshold = 1, evaluationPeriods = 1, missing, description } = rule;
    const alarm = new cloudwatch.Alarm(
      parent,
      name.replace(/^./, (letter) => letter.toUpperCase()),
      {
        metric,
        threshold,
        evaluationPeriods,
        comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        treatMissingData: missing,
        alarmDescription: `nim-to-dynatrace, ${name}: ${description}`,
      },
    );
    alarm.node.addDependency(watched.schedule);
    if (topic !== undefined) {
      alarm.addAlarmAction(new SnsAction(topic));
      alarm.addOkAction(new SnsAction(topic));
    }
    made[name] = alarm;
  }
  return made;
}

/** @throws Error with the bound and the remedy. */
export function validateAlarms(alarms: boolean | AlarmOptions | undefined): void {
  if (typeof alarms !== 'object' || alarms.tick === undefined) return;
  const { tick } = alarms;
  const minutes = tick.isUnresolved() ? NaN : tick.toMinutes({ integral: false });
  if (!Number.isInteger(minutes) || minutes < 1 || minutes > MAX_PERIOD.toMinutes()) {
    throw new Error(
      'cannot use alarms.tick: it is no whole number of minutes from 1 to 1,440; ' +
        'give the longest time between two ticks of the schedule, or leave it out',
    );
  }
}

function* rulesOf(scope: Construct, watched: Watched): Iterable<readonly [AlarmName, Rule]> {
  const { tick } = watched;
  if (tick === undefined || tick.toMinutes() > MAX_PERIOD.toMinutes()) {
    Annotations.of(scope).addWarningV2(
      'nim-to-dynatrace:alarms',
      'the alarms nothingExported and targetsDown are left out: the schedule is no rate up to a day; ' +
        'give alarms: { tick } with the longest time between two ticks, or alarms: false',
    );
  } else {
    yield ['nothingExported', nothingExported(watched, tick)];
    yield ['targetsDown', targetsDown(watched, tick)];
  }
  yield* rulesOfDelivery(watched);
  yield* rulesOfFunctions(watched);
}

/**
 * Due at a tick is what the documents name, so with no target at all nothing is missed. Dispatch says at each tick what
 * is due; where it says nothing, something is taken to be. Both series exist from the first tick on.
 */
function nothingExported({ deployment }: Watched, tick: Duration): Rule {
  const silenceMinutes = Math.max(MIN_WINDOW.toMinutes(), ALARM_TICKS * tick.toMinutes());
  const period = shorter(Duration.minutes(silenceMinutes), MAX_PERIOD);
  return {
    metric: new cloudwatch.MathExpression({
      expression: 'IF(FILL(sent, 0) > 0 OR FILL(due, 1) < 1, 0, 1)',
      usingMetrics: {
        sent: selfMetric(deployment, 'points.sent', 'Sum', period),
        due: selfMetric(deployment, 'targets.due', 'Maximum', period),
      },
      label: 'nothing exported',
      period,
    }),
    evaluationPeriods: Math.ceil(silenceMinutes / period.toMinutes()),
    // A schedule or a function that is dead publishes nothing.
    missing: BREACHING,
    description:
      `Dynatrace accepted nothing for ${silenceMinutes} minutes, or nothing ran; read the last lines of both logs ` +
      '(export_failed, waiting_for_token, documents_unread, messages_unsent, claim_failed; none at all: the schedule). ' +
      'Nothing is lost meanwhile.',
  };
}

/** Those that a document names: vanished ones are not counted. */
function targetsDown({ deployment }: Watched, tick: Duration): Rule {
  const minutes = Math.max(MIN_WINDOW.toMinutes(), ALARM_TICKS * tick.toMinutes());
  return {
    metric: selfMetric(deployment, 'targets.down', 'Maximum', Duration.minutes(minutes / ALARM_TICKS)),
    evaluationPeriods: ALARM_TICKS,
    // Nothing was to be scraped: the last target may be gone from the documents.
    missing: NOT_BREACHING,
    description: `At least one target was down at each tick of ${minutes} minutes; the log says which and why (target_failed).`,
  };
}

/** On the way from documents to Dynatrace. */
function* rulesOfDelivery({ deployment, tick }: Watched): Iterable<readonly [AlarmName, Rule]> {
  const windowMinutes = Math.max(MIN_WINDOW.toMinutes(), ALARM_TICKS * (tick?.toMinutes() ?? 1));
  const window = shorter(Duration.minutes(windowMinutes), MAX_PERIOD);
  const count = (name: SelfMetricName, period = window): Pick<Rule, 'metric' | 'missing'> => ({
    metric: selfMetric(deployment, name, 'Sum', period),
    // Where nothing ran, nothing went wrong: that nothing runs is `nothingExported`.
    missing: NOT_BREACHING,
  });
  yield [
    'pendingAge',
    {
      metric: selfMetric(deployment, 'pending.age', 'Maximum', window),
      threshold: PENDING_WINDOWS * windowMinutes * 60,
      // What is pending stays so while nothing runs.
      missing: IGNORE,
      description:
        `Increments have been pending for ${PENDING_WINDOWS * windowMinutes} minutes; ` +
        'the log says what Dynatrace or DynamoDB answers (export_failed, commit_failed, series_suspected). ' +
        'They arrive once that is mended.',
    },
  ];
  const lost = Duration.minutes(Math.max(windowMinutes, LOST_ANSWERS_WINDOW.toMinutes()));
  yield [
    'answersLost',
    {
      ...count('exports.unknown', shorter(lost, MAX_PERIOD)),
      threshold: MIN_LOST_ANSWERS,
      description:
        'Answers of Dynatrace were lost, and what they were about may count twice; look at proxies and time-outs ' +
        'on the way and at the status page of Dynatrace (export_failed with code unknown).',
    },
  ];
  yield [
    'pointsRejected',
    {
      ...count('points.rejected'),
      description:
        'Dynatrace rejected points for good; the log names metric and reason: drop or rename it by ' +
        'metric_relabel_configs (export_partial, run_finished).',
    },
  ];
  yield [
    'pendingGivenUp',
    {
      ...count('pending.given_up'),
      description:
        'Increments of a vanished target were given up, for Dynatrace did not take them within max_staleness; ' +
        'mend the export before others follow (pending_given_up).',
    },
  ];
  yield [
    'documentsInvalid',
    {
      metric: selfMetric(deployment, 'documents.invalid', 'Maximum', DOCUMENTS_PERIOD),
      // Between two ticks nothing is said, and what was wrong is wrong.
      missing: IGNORE,
      description:
        'A target document cannot be read, and its last good version stays in force; the log names the parameter, ' +
        'line, column and remedy (document_invalid).',
    },
  ];
}

/** Both functions, and what never reached the second. The handlers never fail for what the world did. */
function* rulesOfFunctions(watched: Watched): Iterable<readonly [AlarmName, Rule]> {
  yield [
    'deadLetters',
    {
      metric: watched.deadLetterQueue.metricApproximateNumberOfMessagesVisible({
        statistic: 'Maximum',
        period: MIN_WINDOW,
      }),
      // SQS says nothing of a queue that nobody has used for hours.
      missing: NOT_BREACHING,
      description:
        'Messages never reached the scrape function: see whether it starts (its log, scrapeErrors, scrapeThrottles), ' +
        'then purge the dead-letter queue: later ticks carry what they held.',
    },
  ];
  for (const [name, fn] of [
    ['dispatch', watched.dispatchFunction],
    ['scrape', watched.scrapeFunction],
  ] as const) {
    yield [
      `${name}Errors`,
      {
        metric: fn.metricErrors({ statistic: 'Sum', period: MIN_WINDOW }),
        // Lambda says nothing while nothing is invoked.
        missing: NOT_BREACHING,
        description:
          `The ${name} function failed, timed out, ran out of memory or did not start; ` +
          'please report what its log says (bug). The next tick carries everything.',
      },
    ];
    yield [
      `${name}Throttles`,
      {
        metric: fn.metricThrottles({ statistic: 'Sum', period: MIN_WINDOW }),
        missing: NOT_BREACHING,
        description:
          `Lambda refused to run the ${name} function: all concurrency of the account is in use; ask for more ` +
          '(Service Quotas, Lambda, concurrent executions). Nothing is logged.',
      },
    ];
  }
}

function shorter(one: Duration, other: Duration): Duration {
  return one.toMinutes() <= other.toMinutes() ? one : other;
}
