/**
 * CloudWatch's rules of alarms, as far as the template uses them (CloudWatch user guide: alarm evaluation, missing
 * data; metric math): what an alarm of the template says of what was published.
 */
import assert from 'node:assert/strict';
import { flat } from './construct.ts';

/** One published value. */
export interface Datum {
  readonly namespace: string;
  readonly name: string;
  readonly dimensions: Readonly<Record<string, string>>;
  readonly unit: string;
  readonly value: number;
  readonly atMs: number;
}

export type AlarmState = 'OK' | 'ALARM' | 'INSUFFICIENT_DATA';

interface MetricOfTemplate {
  readonly Namespace: string;
  readonly MetricName: string;
  readonly Dimensions?: readonly { readonly Name: string; readonly Value: unknown }[];
}

interface Query {
  readonly Id: string;
  readonly Expression?: string;
  readonly ReturnData?: boolean;
  readonly MetricStat?: {
    readonly Metric: MetricOfTemplate;
    readonly Period: number;
    readonly Stat: string;
    readonly Unit?: string;
  };
}

/** Properties of an `AWS::CloudWatch::Alarm`. */
export interface AlarmOfTemplate extends Partial<MetricOfTemplate> {
  readonly AlarmDescription: string;
  readonly Metrics?: readonly Query[];
  readonly Period?: number;
  readonly Statistic?: string;
  readonly Unit?: string;
  readonly Threshold: number;
  readonly EvaluationPeriods: number;
  readonly DatapointsToAlarm?: number;
  readonly ComparisonOperator: string;
  readonly TreatMissingData: string;
}

/** A metric as an alarm or a graph asks for it. */
export interface Selector {
  readonly namespace: string;
  readonly name: string;
  readonly dimensions: Readonly<Record<string, string>>;
  readonly unit: string | undefined;
}

/** One value per period, the newest last; undefined where there is none. */
type Series = readonly (number | undefined)[];

/** CloudWatch looks at more periods than it evaluates, and does not say how many. */
const MORE_PERIODS = 2;

/** What FILL makes of a metric without any value in the range is not documented: an alarm must hold under both. */
export type FillOfNothing = 'filled' | 'nothing';

/** The state after an evaluation at `nowMs`, which the state before matters to where data is missing. */
export function evaluate(
  alarm: AlarmOfTemplate,
  data: readonly Datum[],
  nowMs: number,
  before: AlarmState,
  fill: FillOfNothing,
): AlarmState {
  const { EvaluationPeriods: periods, DatapointsToAlarm: enough = periods } = alarm;
  const series = seriesOf(alarm, data, nowMs, fill);
  const known = series.filter((value) => value !== undefined);
  const isWhole = series.slice(-periods).every((value) => value !== undefined);
  // With enough values in the range, missing ones are passed over.
  const values = isWhole || known.length >= periods ? known.slice(-periods) : known;
  const breaching = values.filter((value) => isBreaching(alarm, value)).length;
  const missing = periods - values.length;
  if (breaching >= enough) return 'ALARM';
  if (missing === 0) return 'OK';
  switch (alarm.TreatMissingData) {
    case 'breaching':
      return breaching + missing >= enough ? 'ALARM' : 'OK';
    case 'notBreaching':
      return 'OK';
    case 'ignore':
      return before;
    default:
      return assert.fail(`no rule for missing data: ${alarm.TreatMissingData}`);
  }
}

function isBreaching({ ComparisonOperator, Threshold }: AlarmOfTemplate, value: number): boolean {
  assert.equal(ComparisonOperator, 'GreaterThanOrEqualToThreshold');
  return value >= Threshold;
}

/** Every metric that the alarm reads. */
export function selectorsOf({
  Metrics,
  Namespace,
  MetricName,
  Dimensions,
  Unit,
}: AlarmOfTemplate): Selector[] {
  if (Metrics === undefined) {
    assert.ok(Namespace !== undefined && MetricName !== undefined);
    return [selector({ Namespace, MetricName, Dimensions: Dimensions ?? [] }, Unit)];
  }
  return Metrics.flatMap(({ MetricStat }) =>
    MetricStat === undefined ? [] : [selector(MetricStat.Metric, MetricStat.Unit)],
  );
}

function selector({ Namespace, MetricName, Dimensions = [] }: MetricOfTemplate, unit?: string): Selector {
  const dimensions = Object.fromEntries(Dimensions.map(({ Name, Value }) => [Name, flat(Value)]));
  return { namespace: Namespace, name: MetricName, dimensions, unit };
}

function seriesOf(
  alarm: AlarmOfTemplate,
  data: readonly Datum[],
  nowMs: number,
  fill: FillOfNothing,
): Series {
  const count = alarm.EvaluationPeriods + MORE_PERIODS;
  const [only] = selectorsOf(alarm);
  if (alarm.Metrics === undefined) {
    assert.ok(only !== undefined && alarm.Period !== undefined && alarm.Statistic !== undefined);
    return statistics(data, only, alarm.Period, alarm.Statistic, nowMs, count);
  }
  const named = new Map<string, Series>();
  for (const { Id, MetricStat } of alarm.Metrics) {
    if (MetricStat === undefined) continue;
    const { Metric, Period, Stat, Unit } = MetricStat;
    named.set(Id, statistics(data, selector(Metric, Unit), Period, Stat, nowMs, count));
  }
  const returned = alarm.Metrics.filter(({ ReturnData = true }) => ReturnData);
  assert.equal(returned.length, 1);
  return calculate(returned[0]?.Expression ?? '', named, count, fill);
}

/** A period ends with `nowMs`, the one before it begins there: the windows slide with each evaluation. */
function statistics(
  data: readonly Datum[],
  wanted: Selector,
  periodS: number,
  statistic: string,
  nowMs: number,
  count: number,
): Series {
  const own = data.filter((datum) => isMeant(wanted, datum));
  return Array.from({ length: count }, (_, i) => {
    const endMs = nowMs - (count - 1 - i) * periodS * 1000;
    const values = own
      .filter(({ atMs }) => atMs < endMs && atMs >= endMs - periodS * 1000)
      .map(({ value }) => value);
    if (values.length === 0) return undefined;
    if (statistic === 'Sum') return values.reduce((sum, value) => sum + value, 0);
    assert.equal(statistic, 'Maximum');
    return Math.max(...values);
  });
}

/** Name, namespace and all dimensions make a metric; a unit that is asked for must be the one published. */
export function isMeant(wanted: Selector, datum: Omit<Datum, 'value' | 'atMs'>): boolean {
  const text = (dimensions: Readonly<Record<string, string>>) =>
    JSON.stringify(Object.entries(dimensions).sort(([a], [b]) => (a < b ? -1 : 1)));
  return (
    wanted.namespace === datum.namespace &&
    wanted.name === datum.name &&
    text(wanted.dimensions) === text(datum.dimensions) &&
    (wanted.unit === undefined || wanted.unit === datum.unit)
  );
}

/** Metric math: IF, FILL, comparisons with a number, OR. */
function calculate(
  expression: string,
  named: ReadonlyMap<string, Series>,
  count: number,
  fill: FillOfNothing,
): Series {
  const tokens = expression.match(/[A-Za-z]\w*|\d+(?:\.\d+)?|[<>(),]/g) ?? [];
  assert.equal(tokens.join(''), expression.replaceAll(' ', ''));
  let at = 0;
  const take = (expected?: string): string => {
    const token = tokens[at++] ?? '';
    if (expected !== undefined) assert.equal(token, expected);
    return token;
  };
  const constant = (value: number): Series => Array.from({ length: count }, () => value);
  const both = (one: Series, other: Series, join: (a: number, b: number) => number): Series =>
    one.map((a, i) => {
      const b = other[i];
      return a === undefined || b === undefined ? undefined : join(a, b);
    });
  const operand = (): Series => {
    const token = take();
    if (/^\d/.test(token)) return constant(Number(token));
    if (token !== 'IF' && token !== 'FILL') return named.get(token) ?? assert.fail(`no metric ${token}`);
    take('(');
    const args = [disjunction()];
    while (tokens[at] === ',') {
      take(',');
      args.push(disjunction());
    }
    take(')');
    const [first = [], second = [], third = []] = args;
    if (token === 'FILL') {
      const isNothing = first.every((value) => value === undefined);
      return isNothing && fill === 'nothing' ? first : first.map((value, i) => value ?? second[i]);
    }
    return first.map((value, i) => (value === undefined ? undefined : value !== 0 ? second[i] : third[i]));
  };
  const comparison = (): Series => {
    const left = operand();
    if (tokens[at] === '<') {
      take();
      return both(left, operand(), (a, b) => Number(a < b));
    }
    if (tokens[at] === '>') {
      take();
      return both(left, operand(), (a, b) => Number(a > b));
    }
    return left;
  };
  const disjunction = (): Series => {
    let left = comparison();
    while (tokens[at] === 'OR') {
      take();
      left = both(left, comparison(), (a, b) => Number(a !== 0 || b !== 0));
    }
    return left;
  };
  const result = disjunction();
  assert.equal(at, tokens.length);
  return result;
}
