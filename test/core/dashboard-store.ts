/** Pages through the pipeline, as Dynatrace would store what arrives, and the tiles that ask for it. */
import { type DataTileJson, buildDashboard } from '../../functions/core/dashboard/dashboard.ts';
import type { DecodedPoint } from '../../functions/cli/world/otlp-decoder.ts';
import { createWorld, target } from '../fakes/ports.ts';
import { T0_MS } from '../fakes/virtual-time.ts';
import type { PageFixture } from './dashboard-pages.ts';
import { SERVICE, type Truth } from './dashboard-truth.ts';
import type { Store, StoredPoint } from './dql-evaluator.ts';

const MINUTE_MS = 60_000;
export const PRICES = { PromptPrice: '0.15', GenerationPrice: '0.6' };

/** What the exporter tells of itself, and Dynatrace of the exporter: one value a tick. */
const SELF_METRICS: readonly (readonly [StoredPoint['kind'], string, number, StoredPoint['dimensions']])[] = [
  ['counter', 'nim_to_dynatrace.points.sent', 120, {}],
  ['counter', 'nim_to_dynatrace.points.dropped', 7, { reason: 'filtered' }],
  ['counter', 'nim_to_dynatrace.points.dropped', 2, { reason: 'initial' }],
  ['counter', 'nim_to_dynatrace.points.rejected', 3, { reason: 'VALUE_INVALID' }],
  ['gauge', 'nim_to_dynatrace.pending.points', 11, {}],
  ['gauge', 'nim_to_dynatrace.pending.age', 90, {}],
  ['counter', 'dt.sfm.active_gate.metrics.ingest.otlp.datapoints.rejected', 3, { reason: 'VALUE_INVALID' }],
];

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
  const own = SELF_METRICS.flatMap(([kind, metric, value, dimensions]) =>
    Array.from({ length: truth.ticks }, (_, tick): StoredPoint => {
      return { metric, kind, dimensions, timeMs: T0_MS + tick * MINUTE_MS, value };
    }),
  );
  return {
    points: [...sent, ...own],
    tables: { 'dt.davis.problems': PROBLEMS },
    variables: { ...PRICES, Service: [SERVICE], Model: [...new Set(models)] },
    fromMs: T0_MS,
    toMs: T0_MS + truth.ticks * MINUTE_MS,
  };
}

function storedPoint({ name, type, attributes, timeNs, value, histogram }: DecodedPoint): StoredPoint {
  const dimensions = Object.fromEntries(attributes.map(([key, text]) => [key, `${text as string}`]));
  const common = { metric: name, dimensions, timeMs: Number(timeNs / 1_000_000n) };
  if (histogram === undefined)
    return { ...common, kind: type === 'gauge' ? 'gauge' : 'counter', value: value ?? NaN };
  return { ...common, kind: 'histogram', histogram: { sum: NaN, ...histogram } };
}
