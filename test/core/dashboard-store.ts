/** Pages through the pipeline, as Dynatrace would store what arrives, and the tiles that ask for it. */
import { type DataTileJson, buildDashboard } from '../../functions/core/dashboard/dashboard.ts';
import { SELF_PREFIX } from '../../functions/core/self-metrics.ts';
import type { DecodedPoint } from '../../functions/cli/world/otlp-decoder.ts';
import { createWorld, target } from '../fakes/ports.ts';
import { T0_MS } from '../fakes/virtual-time.ts';
import type { PageFixture } from './dashboard-pages.ts';
import { SERVICE, type Truth } from './dashboard-truth.ts';
import type { Store, StoredPoint } from './dql-evaluator.ts';

const MINUTE_MS = 60_000;
export const PRICES = { PromptPrice: '0.15', GenerationPrice: '0.6' };

const PROBLEMS = [
  { 'event.id': 'P-1', 'event.status': 'ACTIVE' },
  { 'event.id': 'P-2', 'event.status': 'CLOSED' },
];

export function tilesOf(variant: 'grail' | 'summary'): readonly DataTileJson[] {
  const options = { variant, histogramSuffix: '', promptPrice: '0', generationPrice: '0' } as const;
  return Object.values(buildDashboard(options).tiles).filter((tile) => tile.type === 'data');
}

export async function storeOf({ pages }: PageFixture, truth: Truth): Promise<Store> {
  const world = createWorld();
  const targets = Object.keys(pages).map((instance) => target(instance));
  for (let tick = 0; tick < truth.ticks; tick++) {
    world.script.scrape = ({ instance }) => pages[instance]?.[tick] ?? { fails: 'connect' };
    await world.run(60 * tick, targets);
  }
  const sent = world.bodies.flatMap(({ stored }) => stored.map(storedPoint));
  const models = truth.shown.get('num_requests_running')?.map((labels) => labels['model_name'] ?? '') ?? [];
  return {
    points: [...sent, ...(await selfMetrics()), ...REJECTED_BY_DYNATRACE],
    tables: { 'dt.davis.problems': PROBLEMS },
    variables: { ...PRICES, Service: [SERVICE], Model: [...new Set(models)] },
    fromMs: T0_MS,
    toMs: T0_MS + truth.ticks * MINUTE_MS,
  };
}

/** What Dynatrace counts itself. */
const REJECTED_BY_DYNATRACE = [0, 1].map((minute): StoredPoint => {
  const metric = 'dt.sfm.active_gate.metrics.ingest.otlp.datapoints.rejected';
  const dimensions = { reason: 'VALUE_INVALID' };
  return { metric, kind: 'counter', dimensions, timeMs: T0_MS + minute * MINUTE_MS, value: 3 };
});

/**
 * What a shard says of itself in the first two minutes: at T0 of the run that set the baselines and of the one after
 * it, which Dynatrace did not answer; a minute later of T0's own, of which Dynatrace rejected a point.
 */
async function selfMetrics(): Promise<readonly StoredPoint[]> {
  const world = createWorld();
  let value = 0;
  world.script.scrape = () => `# TYPE a_total counter\na_total ${++value}\npython_info 1\n`;
  const partial = { partial: 1, message: "Metric dropped. key: 'up' - Reason: VALUE_INVALID" };
  for (const [minute, answer] of [
    [-2, 'accepted'],
    [-1, 'retry'],
    [0, partial],
    [1, 'accepted'],
  ] as const) {
    world.script.answer = () => answer;
    await world.run(60 * minute, [target('10.0.0.1:8000')], { selfMetrics: true });
  }
  const stored = world.bodies.flatMap((body) => body.stored.map(storedPoint));
  return stored.filter(({ metric, timeMs }) => metric.startsWith(SELF_PREFIX) && timeMs >= T0_MS);
}

function storedPoint({ name, type, attributes, timeNs, value, histogram }: DecodedPoint): StoredPoint {
  const dimensions = Object.fromEntries(attributes.map(([key, text]) => [key, `${text as string}`]));
  const common = { metric: name, dimensions, timeMs: Number(timeNs / 1_000_000n) };
  if (histogram === undefined)
    return { ...common, kind: type === 'gauge' ? 'gauge' : 'counter', value: value ?? NaN };
  return { ...common, kind: 'histogram', histogram: { sum: NaN, ...histogram } };
}
