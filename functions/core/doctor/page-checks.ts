/** What the page and the answers beside it say, as checks. */
import { START_JITTER_MS } from '../delta.ts';
import type { Target } from '../model.ts';
import { unreachable } from '../outcome.ts';
import { type Check, type TargetDiagnosis, failed, ok, told, warning } from './checks.ts';
import { type ForecastOptions, forecastPage } from './forecast.ts';
import type { Forecast, ForecastWarning, Unusable } from './forecast-model.ts';
import { type Answers, recogniseGeneration } from './generation.ts';

/** A target's clock may differ by this much before restarts are judged wrongly (D7). */
export const MAX_CLOCK_SKEW_MS = 30_000;

export function checkClock(dateMs: number, nowMs: number, side: 'target' | 'dynatrace'): Check {
  const whose = side === 'target' ? "the target's clock" : "Dynatrace's clock";
  const skewMs = dateMs - nowMs;
  const seconds = Math.round(Math.abs(skewMs) / 1_000);
  // `Date` has whole seconds, and a moment passes on the way.
  if (seconds <= 1) return ok('clock', `${whose} and this one agree`);
  const message = `${whose} is ${seconds} s ${skewMs > 0 ? 'ahead of' : 'behind'} this one`;
  return Math.abs(skewMs) > MAX_CLOCK_SKEW_MS
    ? warning('clock', message, CLOCK_REMEDIES[side])
    : ok('clock', message);
}

const CLOCK_REMEDIES = {
  target: 'set both by NTP: by their clocks it is judged when a process started',
  dynatrace: 'set this one by NTP: Dynatrace refuses points older than an hour or ten minutes ahead',
} as const;

export type PageDiagnosis = Pick<TargetDiagnosis, 'checks' | 'generation' | 'forecast'>;

/** Format, generation and names. Pure: also for a saved page. */
export function diagnosePage(
  body: Uint8Array,
  target: Target,
  tickMs: number,
  { answers, ...options }: ForecastOptions & { readonly answers?: Answers } = {},
): PageDiagnosis {
  const forecast: Forecast | Unusable = forecastPage(body, target, tickMs, options);
  if (forecast.code !== 'forecast') return { checks: [told('format', 'failed', forecast.message)] };
  const { page, warnings } = forecast;
  const of = (name: Check['name']) => warnings.filter(({ code }) => placeOf(code).name === name).map(checkOf);
  const generation = recogniseGeneration(page, answers);
  const models = generation.models.length === 0 ? '' : `, ${listed(generation.models)}`;
  const version = generation.version === undefined ? '' : ` ${generation.version}`;
  const size = `${page.samples} samples of ${page.families.length} families, ${page.bytes} bytes`;
  return {
    generation,
    forecast,
    checks: [
      ...orOk(
        of('format'),
        ok('format', `${page.format === 'text' ? 'text format' : 'OpenMetrics'}, ${size}`),
      ),
      ok('generation', `${generation.name}${version}${models}: ${generation.because}`),
      ...orOk(of('names'), ok('names', namesMessage(forecast))),
      ...of('process'),
    ],
  };
}

/** Names that one line has room for. */
const MAX_LISTED = 3;

function listed(names: readonly string[]): string {
  const more = names.length - MAX_LISTED;
  return more > 0 ? `${names.slice(0, MAX_LISTED).join(', ')} and ${more} more` : names.join(', ');
}

function orOk(checks: readonly Check[], otherwise: Check): readonly Check[] {
  return checks.length > 0 ? checks : [otherwise];
}

function namesMessage({ metrics, alterations }: Forecast): string {
  const series = metrics.reduce((sum, metric) => sum + metric.series, 0);
  const changed =
    alterations === 0
      ? 'all as Dynatrace takes them'
      : `${alterations} names or values changed to what Dynatrace takes`;
  return `${metrics.length} metrics, ${series} series go out, ${changed}`;
}

function checkOf({ code, message }: ForecastWarning): Check {
  return { ...placeOf(code), message };
}

/** Which check a warning of the forecast is a finding of. */
function placeOf(code: ForecastWarning['code']): Pick<Check, 'name' | 'status'> {
  switch (code) {
    case 'page_cut':
    case 'refused_lines':
    case 'near_limit':
      return { name: 'format', status: 'warning' };
    case 'collision':
    case 'points_over_budget':
    case 'model_name_missing':
    case 'many_series':
    case 'families_without_samples':
      return { name: 'names', status: 'warning' };
    case 'nothing_sent':
      return { name: 'names', status: 'failed' };
    case 'no_process_start':
      return { name: 'process', status: 'warning' };
    default:
      return unreachable(code);
  }
}

/** What one look at the page tells of the process that made it. */
export interface Look {
  readonly processStartMs: number | undefined;
  /** Totals of counters and counts, by series. */
  readonly totals: ReadonlyMap<string, number>;
}

/** What several looks tell, each on a connection of its own; undefined where that is nothing. */
export function checkProcess(looks: readonly Look[]): Check | undefined {
  if (looks.length < 2) return undefined;
  const starts = [...new Set(looks.flatMap(({ processStartMs }) => processStartMs ?? []))];
  const [first = 0] = starts;
  const isFlip = starts.some((startMs) => Math.abs(startMs - first) > START_JITTER_MS);
  const cure =
    'scrape each replica by its own address: dns_sd_configs (type A) of a headless service, or list them; not their load balancer';
  if (isFlip) {
    return failed(
      'process',
      `several processes answer on this address: ${looks.length} looks met ${starts.length} start times`,
      cure,
    );
  }
  const fell = looks.flatMap((look, i) => fallen(looks[i - 1], look));
  if (fell.length > 0) {
    return failed(
      'process',
      `a counter fell from one look to the next: ${listed(fell)}; several processes answer, or it restarted just now`,
      cure,
    );
  }
  return ok('process', `${looks.length} looks met one process`);
}

function fallen(before: Look | undefined, now: Look): readonly string[] {
  if (before === undefined) return [];
  return [...now.totals].flatMap(([key, total]) => (total < (before.totals.get(key) ?? total) ? [key] : []));
}
