/**
 * What a page would send, told by the pipeline's own stages: the page is taken in as the second scrape of a process
 * that shows the same page minute after minute. No rule of naming, filtering or dropping stands here a second time.
 */
import { settle } from '../baseline.ts';
import type { Target } from '../model.ts';
import type { DropReason } from '../outcome.ts';
import { type Memory, createMemory } from '../point-names.ts';
import { type Sendables, buildPoints } from '../points.ts';
import { addDrops } from '../report.ts';
import type { OutputSettings } from '../scrape-config.ts';
import { reportGauges } from '../scrape-report.ts';
import { type ScrapedPage, type Taken, takeIn } from '../take-in.ts';
import { DEFAULT_INTERVAL_MS, DEFAULT_PATHS } from '../targets.ts';
import { alterationsOf } from './alterations.ts';
import { createDropRecord } from './drop-record.ts';
import { type Forecast, MAX_ALTERATIONS, type PointsPerMinute, type Unusable } from './forecast-model.ts';
import { metricsOf } from './forecast-metrics.ts';
import { warningsOf } from './forecast-warnings.ts';
import { pageFactsOf } from './page-facts.ts';
import { selfPointsOf } from './self-forecast.ts';

export interface ForecastOptions {
  /** Whether HTTP told where the page ends; if not, it may be cut. Default: it did. */
  readonly complete?: boolean;
  /** Whether the packed baseline fits one item, as the store says (`State.fits`). Default: it does. */
  readonly fits?: (baseline: Uint8Array) => boolean;
}

/** A page that comes each minute is never stale. */
const NEVER_STALE_MS = 0;

/** Forecasts the run at `tickMs`: the timestamps on a page decide with it whether its gauges are too old to send. */
export function forecastPage(
  body: Uint8Array,
  target: Target,
  tickMs: number,
  { complete = true, fits = () => true }: ForecastOptions = {},
): Forecast | Unusable {
  if (body.length >= target.bodySizeLimitBytes) return tooLarge(target);
  const memory = createMemory();
  const page: ScrapedPage = { code: 'page', body, path: target.path || DEFAULT_PATHS[0], complete };
  const at = (momentMs: number) => ({ tickMs: momentMs, maxStalenessMs: NEVER_STALE_MS });
  const firstMs = tickMs - target.intervalMs;
  const first = takeIn({ target, baseline: undefined }, page, firstMs, at(firstMs), fits, memory);
  if (first.code !== 'taken') return first;

  const baseline = settle(first.baseline, new Set(first.due), firstMs);
  const record = createDropRecord();
  const taken = takeIn({ target, baseline }, page, tickMs, at(tickMs), fits, memory, record.witness);
  if (taken.code !== 'taken') return taken;

  const build = (changes: Partial<OutputSettings>): Sendables =>
    pointsOf(
      { ...target, output: { ...target.output, ...changes, skipUnchanged: false } },
      taken,
      tickMs,
      memory,
    );
  const presets = (['core', 'default', 'all'] as const).map(
    (preset) => [preset, perMinute(build({ preset }), target)] as const,
  );
  // Last, so that what the memory holds is how the settings as given name each series.
  const given = { ...target, output: { ...target.output, skipUnchanged: false } };
  const built = pointsOf(given, taken, tickMs, memory, record.witness);
  const facts = pageFactsOf(taken.raw, body.length, taken.families.startMs);
  const metrics = metricsOf(built.sendables, taken.families, given, memory);
  const alterations = alterationsOf(taken.families, given, memory);
  const drops = new Map<DropReason, number>();
  for (const counted of [taken.families.drops, taken.drops, built.drops]) addDrops(drops, counted);
  return {
    code: 'forecast',
    page: facts,
    metrics,
    dropped: record.dropped(taken.raw, memory.views),
    altered: alterations.slice(0, MAX_ALTERATIONS),
    alterations: alterations.length,
    points: {
      ...(Object.fromEntries(presets) as Record<'core' | 'default' | 'all', PointsPerMinute>),
      given: perMinute(built, target),
    },
    selfPointsPerMinute: selfPointsOf(given, taken, built, drops, tickMs, memory),
    warnings: warningsOf({ target, facts, taken, built, metrics, complete }),
  };
}

function tooLarge({ bodySizeLimitBytes }: Target): Unusable {
  const cause = `it reached body_size_limit, ${bodySizeLimitBytes} bytes`;
  return {
    code: 'body_size_limit',
    message: `cannot read the page: ${cause}; raise body_size_limit if the page is meant to be so large`,
  };
}

/** As the pipeline builds them, `up` and the `scrape_*` gauges with them; how long the scrape took is no matter here. */
function pointsOf(
  target: Target,
  taken: Taken,
  tickMs: number,
  memory: Memory,
  witness?: Parameters<typeof buildPoints>[6],
): Sendables {
  const { raw, samplesPostRelabeling, seriesAdded } = taken;
  const report = reportGauges({
    up: true,
    durationMs: 0,
    samples: raw.values.length,
    samplesPostRelabeling,
    seriesAdded,
  });
  return buildPoints(target, taken.due, taken.families, report, tickMs, memory, witness);
}

function perMinute({ sendables }: Sendables, { intervalMs, output }: Target): PointsPerMinute {
  let gauges = 0;
  let increases = 0;
  for (const { states, points } of sendables) {
    if (states.length === 0) gauges += points.length;
    else increases += points.length;
  }
  const betweenMs = Math.max(intervalMs, DEFAULT_INTERVAL_MS);
  const runsPerMinute = DEFAULT_INTERVAL_MS / betweenMs;
  const runsPerHeartbeat = Math.max(1, Math.ceil(output.heartbeatMs / betweenMs));
  return {
    perMinute: (gauges + increases) * runsPerMinute,
    idlePerMinute: (gauges + increases / runsPerHeartbeat) * runsPerMinute,
  };
}
