/** What can happen at a tick, and how fast-check, the only source of chance, lets it happen. */
import fc from 'fast-check';
import type { NimKind, PageFault } from './nim.ts';

/** One member of a union per kind. */
type Each<K extends string, T> = K extends string ? { readonly kind: K } & Readonly<T> : never;

/** Something that happens at one tick; `of`: to which target; `at`: a part of 1,000, of whatever it is. */
export type Event =
  // the processes
  | {
      readonly kind: 'restart';
      readonly of: number;
      readonly times: 1 | 2;
      readonly surge: boolean;
      readonly bounds: boolean;
    }
  | { readonly kind: 'flip'; readonly of: number; readonly at: number }
  | Each<'grow' | 'bounds' | 'jitter' | 'upgrade', { of: number; at: number }>
  | { readonly kind: 'page'; readonly of: number; readonly how: PageFault['how']; readonly at: number }
  | { readonly kind: 'scrape'; readonly of: number; readonly how: 'connect' | 'hangs' | 'html' | 'kills' }
  | { readonly kind: 'vanish'; readonly of: number; readonly ticks: number }
  // the store
  | Each<'claim' | 'end', { how: 'failed' | 'lost' | 'hangs' | 'late' }>
  | { readonly kind: 'load'; readonly of: number; readonly how: 'unread' | 'unreadable' }
  | {
      readonly kind: 'commit';
      readonly of: number;
      readonly how: 'failed' | 'lost' | 'hangs' | 'late' | 'conflict';
    }
  // Dynatrace
  | { readonly kind: 'answer'; readonly nth: number; readonly how: AnswerFault }
  | { readonly kind: 'outage'; readonly ticks: number; readonly how: Outage }
  | { readonly kind: 'poison'; readonly of: number; readonly at: number; readonly ticks: number }
  | { readonly kind: 'limit'; readonly points: number }
  // the documents
  | { readonly kind: 'names'; readonly how: 'nim' | 'raw' }
  // the cluster
  | Each<'replace' | 'evict', { of: number }>
  | { readonly kind: 'roll' }
  | { readonly kind: 'scale'; readonly pods: number }
  | { readonly kind: 'discovery'; readonly ticks: number; readonly cold: boolean }
  // the scheduler, the queue, the workers
  | { readonly kind: 'schedule'; readonly how: 'dropped' | 'doubled' | 'late' }
  | { readonly kind: 'delay'; readonly seconds: number }
  | { readonly kind: 'pause'; readonly hours: number; readonly expires: boolean; readonly vanishes: boolean }
  | { readonly kind: 'dispatch'; readonly how: 'unread' | 'unsent' | 'lost' }
  | { readonly kind: 'twice'; readonly at: number }
  | Each<'kill' | 'deploy', { at: number; after: boolean }>;

/** `lost`: Dynatrace has it, the answer never came. `hangs`: neither. `partial`: every other point is refused. */
export type AnswerFault = 'lost' | 'unknown' | 'hangs' | 'partial' | 'late' | Outage;
export type Outage = 'refused' | 'retry' | 'malformed' | 'waiting_for_token' | 'waiting_for_endpoint';

export interface Step {
  /** How much the processes count before the tick; 0: nothing. */
  readonly load: number;
  readonly events: readonly Event[];
}

/** A Kubernetes cluster with one workload. */
export interface ClusterKind {
  readonly workload: 'Deployment' | 'StatefulSet';
  readonly chosenBy: 'annotations' | 'rules';
  /** What tells its pods apart in Dynatrace; the pods of a StatefulSet keep their names. */
  readonly instance: 'address' | 'pod name';
}

export interface Plan {
  /** The targets are its pods, found by discovery; absent: they are written in a list. */
  readonly cluster?: ClusterKind;
  readonly nims: readonly NimKind[];
  readonly steps: readonly Step[];
}

/** Every kind of event that must happen in a campaign. */
export const FAULTS: readonly string[] = `
restart, restart twice, restart surge, restart bounds, flip, grow, bounds, jitter, upgrade, vanish, given up, names nim, names raw,
page half, page no_types, page gauge, page nan, page empty, page hides,
scrape connect, scrape hangs, scrape html, scrape kills,
claim failed, claim lost, claim hangs, claim late, end failed, end lost, end hangs, end late,
load unread, load unreadable, commit failed, commit lost, commit hangs, commit late, commit conflict, expire,
answer lost, answer unknown, answer hangs, answer partial, answer late, answer refused, answer retry,
answer malformed, answer waiting_for_token, answer waiting_for_endpoint, outage, poison, limit,
schedule dropped, schedule doubled, schedule late, delay, delay long, pause,
roll, rolled, replace, evict, scale up, scale down, crash, discovery failed, discovery cold,
another pod answers, successor waits, dispatch unread, dispatch unsent, dispatch lost, twice, redelivered, kill, deploy`
  .trim()
  .split(/,\s/);

const MAX_TARGETS = 3;
/** Targets, living or gone, that the store's faults can be about. */
export const MAX_RECENT = 6;
const of = fc.nat({ max: MAX_TARGETS - 1 });
/** Those that are gone among them. */
const ofRecent = fc.nat({ max: MAX_RECENT - 1 });
const at = fc.nat({ max: 999 });
const ticks = fc.integer({ min: 1, max: 6 });
const OUTAGES = ['refused', 'retry', 'malformed', 'waiting_for_token', 'waiting_for_endpoint'] as const;

const event = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('restart' as const),
      of,
      times: fc.constantFrom(1 as const, 2 as const),
      surge: fc.boolean(),
      bounds: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('flip' as const), of, at }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom('grow' as const, 'bounds' as const, 'jitter' as const, 'upgrade' as const),
      of,
      at,
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('page' as const),
      of,
      how: fc.constantFrom<PageFault['how'][]>('half', 'no_types', 'gauge', 'nan', 'empty', 'hides'),
      at,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('scrape' as const),
      of,
      how: fc.constantFrom('connect' as const, 'hangs' as const, 'html' as const, 'kills' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('vanish' as const), of, ticks }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('names' as const),
      how: fc.constantFrom('nim' as const, 'raw' as const),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom('claim' as const, 'end' as const),
      how: fc.constantFrom('failed' as const, 'lost' as const, 'hangs' as const, 'late' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('load' as const),
      of: ofRecent,
      how: fc.constantFrom('unread' as const, 'unreadable' as const),
    }),
  },
  {
    weight: 7,
    arbitrary: fc.record({
      kind: fc.constant('commit' as const),
      of: ofRecent,
      how: fc.constantFrom<('failed' | 'lost' | 'hangs' | 'late' | 'conflict')[]>(
        'failed',
        'lost',
        'hangs',
        'late',
        'conflict',
      ),
    }),
  },
  {
    weight: 9,
    arbitrary: fc.record({
      kind: fc.constant('answer' as const),
      nth: fc.nat({ max: 3 }),
      how: fc.constantFrom<AnswerFault[]>('lost', 'unknown', 'hangs', 'partial', 'late', ...OUTAGES),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('outage' as const), ticks, how: fc.constantFrom(...OUTAGES) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('poison' as const), of, at, ticks }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('limit' as const), points: fc.nat({ max: 12 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('schedule' as const),
      how: fc.constantFrom('dropped' as const, 'doubled' as const, 'late' as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('delay' as const), seconds: fc.nat({ max: 150 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('pause' as const),
      hours: fc.integer({ min: 1, max: 60 }),
      expires: fc.boolean(),
      vanishes: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('dispatch' as const),
      how: fc.constantFrom('unread' as const, 'unsent' as const, 'lost' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('twice' as const), at: fc.nat({ max: 12 }) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom('kill' as const, 'deploy' as const),
      at: fc.nat({ max: 14 }),
      after: fc.boolean(),
    }),
  },
);

const clusterEvent: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom('replace' as const, 'evict' as const), of }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'roll' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('scale' as const), pods: fc.integer({ min: 1, max: 4 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('discovery' as const), ticks, cold: fc.boolean() }),
  },
);

const stepOf = (of: fc.Arbitrary<Event>): fc.Arbitrary<Step> =>
  fc.record({
    load: fc.nat({ max: 10_000 }),
    events: fc.array(of, { maxLength: 2, size: 'max' }),
  });
const step = stepOf(event as fc.Arbitrary<Event>);
const clusterStep = stepOf(
  fc.oneof({ weight: 1, arbitrary: clusterEvent }, { weight: 2, arbitrary: event as fc.Arbitrary<Event> }),
);

const cluster: fc.Arbitrary<ClusterKind> = fc.record({
  workload: fc.constantFrom('Deployment' as const, 'StatefulSet' as const),
  chosenBy: fc.constantFrom('annotations' as const, 'rules' as const),
  instance: fc.constantFrom('address' as const, 'pod name' as const),
});

const nim: fc.Arbitrary<NimKind> = fc.record({
  format: fc.constantFrom('text' as const, 'openmetrics' as const),
  startTime: fc.boolean(),
  aheadS: fc.option(fc.integer({ min: -300, max: 300 }), { nil: undefined }),
  framed: fc.constantFrom(true, true, true, false),
  // On both sides of the hour of D6, as seen at the first tick.
  ageS: fc.constantFrom(100_000, 600, 3_500, 3_600),
  release: fc.constantFrom(0 as const, 1 as const, 2 as const, 2 as const),
});

/** Worlds of up to `maxSteps` ticks, the longest ones often. */
export function plans(maxSteps: number): fc.Arbitrary<Plan> {
  const nims = fc.array(nim, { minLength: 1, maxLength: MAX_TARGETS, size: 'max' });
  const steps = (of: fc.Arbitrary<Step>) => fc.array(of, { maxLength: maxSteps, size: 'max' });
  return fc.oneof(
    { weight: 2, arbitrary: fc.record({ nims, steps: steps(step) }) },
    { weight: 1, arbitrary: fc.record({ cluster, nims, steps: steps(clusterStep) }) },
  );
}

/** One line a step. */
export function printPlan({ cluster, nims, steps }: Plan): string {
  const targets = nims.map((kind, i) => `target ${i}: ${JSON.stringify(kind)}`);
  const lines = steps.map(
    ({ load, events }, i) =>
      `tick ${i}: load ${load}${events.map((one) => `\n  ${JSON.stringify(one)}`).join('')}`,
  );
  const head = cluster === undefined ? [] : [`cluster: ${JSON.stringify(cluster)}`];
  return [...head, ...targets, ...lines].join('\n');
}
