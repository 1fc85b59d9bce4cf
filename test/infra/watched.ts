/** A deployment whose alarms are watched minute by minute: the template's alarms, judged by what the functions print. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { type Deployment, type DeploymentOptions, startDeployment } from '../fakes/deployment.ts';
import type { Invocation } from '../fakes/lambda.ts';
import { type AlarmOfTemplate, type AlarmState, type Datum, evaluate } from './alarm-rules.ts';
import { templateOf } from './construct.ts';

const MINUTE_MS = 60_000;
/** A tick's functions have ended by this second of its minute. */
const DONE_MS = 20_000;

export const template = templateOf({ dashboard: true });

/** By the name that begins its description. */
export const alarms: ReadonlyMap<string, AlarmOfTemplate> = new Map(
  Object.values(template.findResources('AWS::CloudWatch::Alarm')).map(({ Properties }) => {
    const alarm = Properties as AlarmOfTemplate;
    return [/^nim-to-dynatrace, (\w+): /.exec(alarm.AlarmDescription)?.[1] ?? '?', alarm];
  }),
);

/** Ids of the template, as `flat` writes references to them. */
export function idOf(type: string, prefix: string): string {
  const id = Object.keys(template.findResources(type)).find((one) => one.startsWith(prefix));
  assert.ok(id !== undefined);
  return id;
}

/** What CloudWatch takes from lines in embedded metric format. */
export function dataOf(invocations: readonly Invocation[], atMs: number): readonly Datum[] {
  return invocations.flatMap(({ metrics }) =>
    metrics.flatMap((line) => {
      const { CloudWatchMetrics } = line['_aws'] as EmfMetadata;
      return CloudWatchMetrics.flatMap(({ Namespace, Dimensions, Metrics }) =>
        Dimensions.flatMap((names) =>
          Metrics.map(({ Name, Unit }) => ({
            namespace: Namespace,
            name: Name,
            dimensions: Object.fromEntries(names.map((name) => [name, String(line[name])])),
            unit: Unit,
            value: Number(line[Name]),
            atMs,
          })),
        ),
      );
    }),
  );
}

interface EmfMetadata {
  readonly CloudWatchMetrics: readonly {
    readonly Namespace: string;
    readonly Dimensions: readonly (readonly string[])[];
    readonly Metrics: readonly { readonly Name: string; readonly Unit: string }[];
  }[];
}

export interface Minute {
  readonly dispatched: Invocation;
  readonly worked: readonly Invocation[];
}

export interface WatchedDeployment extends Deployment {
  readonly data: readonly Datum[];
  /** So many minutes with a tick each; NIM goes on serving. Answers with the last one. */
  readonly run: (minutes: number) => Promise<Minute>;
  /** So many minutes in which the schedule does not fire. */
  readonly pass: (minutes: number) => void;
  /** What another service publishes in this minute. */
  readonly publish: (datum: Omit<Datum, 'atMs'>) => void;
  readonly state: (name: string) => AlarmState;
  /** Of all that are in state ALARM. */
  readonly ringing: () => readonly string[];
}

export async function watch(
  context: Pick<TestContext, 'after'>,
  options: DeploymentOptions,
): Promise<WatchedDeployment> {
  const firstMs = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS;
  let minute = 0;
  const nowMs = () => firstMs + minute * MINUTE_MS;
  const deployment = await startDeployment(context, {
    ...options,
    receiver: { nowMs: () => nowMs() + DONE_MS, ...options.receiver },
  });
  const data: Datum[] = [];
  const states = new Map<string, AlarmState>([...alarms.keys()].map((name) => [name, 'INSUFFICIENT_DATA']));
  /** CloudWatch evaluates once a minute. */
  const endMinute = () => {
    minute++;
    for (const [name, alarm] of alarms) {
      const before = states.get(name) ?? 'INSUFFICIENT_DATA';
      const [one, other] = (['filled', 'nothing'] as const).map((fill) =>
        evaluate(alarm, data, nowMs(), before, fill),
      );
      assert.equal(one, other, `${name} hangs on what FILL makes of nothing`);
      states.set(name, one ?? before);
    }
  };
  return {
    ...deployment,
    data,
    run: async (minutes) => {
      let last: Minute | undefined;
      for (let i = 0; i < minutes; i++) {
        const { dispatched } = await deployment.schedule(nowMs());
        const worked = await deployment.workOff({ aheadMs: nowMs() + DONE_MS - Date.now() });
        data.push(...dataOf([dispatched, ...worked], nowMs() + DONE_MS));
        for (const nim of deployment.nims) nim.advance(MINUTE_MS);
        last = { dispatched, worked };
        endMinute();
      }
      assert.ok(last !== undefined);
      return last;
    },
    pass: (minutes) => {
      for (let i = 0; i < minutes; i++) endMinute();
    },
    publish: (datum) => void data.push({ ...datum, atMs: nowMs() }),
    state: (name) => states.get(name) ?? assert.fail(`no alarm ${name}`),
    ringing: () => [...states].flatMap(([name, state]) => (state === 'ALARM' ? [name] : [])),
  };
}
