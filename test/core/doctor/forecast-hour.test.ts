/** The doctor's estimate equals what the receiver counts in an hour of simulated traffic, per preset and generation. */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { createExport } from '../../../functions/adapters/export.ts';
import { systemClock } from '../../../functions/adapters/clock.ts';
import { type Http, createHttp } from '../../../functions/adapters/http.ts';
import { createNimProcess } from '../../../functions/cli/world/nim-process.ts';
import { createRandom } from '../../../functions/cli/world/random.ts';
import { type Receiver, startReceiver } from '../../../functions/cli/world/receiver.ts';
import { forecastPage } from '../../../functions/core/doctor/forecast.ts';
import type { Forecast } from '../../../functions/core/doctor/forecast-model.ts';
import type { Target } from '../../../functions/core/model.ts';
import { DEFAULT_OUTPUT } from '../../../functions/core/output-text.ts';
import { runShard } from '../../../functions/core/pipeline.ts';
import { createMemory } from '../../../functions/core/point-names.ts';
import { SELF_SERVICE } from '../../../functions/core/self-metrics.ts';
import { createWorld, target } from '../../fakes/ports.ts';
import { T0_MS } from '../../fakes/virtual-time.ts';

const HOUR_TICKS = 60;
const TICK_MS = 60_000;
const MODEL = 'meta/llama-3.1-8b-instruct';

/** The same process under the settings of four jobs. */
const TARGETS = {
  given: target('10.0.0.1:8000'),
  core: target('10.0.0.2:8000', { output: { ...DEFAULT_OUTPUT, preset: 'core' } }),
  default: target('10.0.0.3:8000', { output: { ...DEFAULT_OUTPUT, preset: 'default' } }),
  all: target('10.0.0.4:8000', { output: { ...DEFAULT_OUTPUT, preset: 'all' } }),
} as const;
type Preset = keyof typeof TARGETS;
const PRESETS = Object.keys(TARGETS) as readonly Preset[];

/** What is served at a tick; the first is tick 0. */
type Server = (tick: number) => string;

/** NIM 1.x that has served for `ageMs`. */
function nim1(ageMs: number): Server {
  const process = createNimProcess(MODEL, T0_MS - ageMs, createRandom(4));
  process.advance(ageMs);
  let served = 0;
  return (tick) => {
    process.advance((tick - served) * TICK_MS);
    served = tick;
    return process.page();
  };
}

/** NIM 2.x with two engines: the Python client's page, everything on it counted on but its moments. */
function nim2(): Server {
  const page = readFileSync(new URL('../../pages/nim/2-vllm-after.prom', import.meta.url), 'utf8');
  return (tick) =>
    page.replaceAll(/^(?!#|process_start_time)(\S+) (\S+)$/gm, (line, series: string, value: string) =>
      series.includes('_created') ? line : `${series} ${Number(value) * (tick + 1)}`,
    );
}

interface Count {
  readonly tick: number;
  readonly page: string;
  /** Points that the receiver took in the run, by settings. */
  readonly points: Readonly<Record<Preset, number>>;
  readonly self: number;
}

/** The shipped pipeline and exporter, a minute apart, into the strict receiver. */
async function serve(
  server: Server,
  receiver: Receiver,
  http: Http,
  at: { ms: number },
): Promise<readonly Count[]> {
  receiver.clear();
  const world = createWorld();
  const memory = createMemory();
  const post = createExport({
    http,
    clock: systemClock,
    endpoint: () => Promise.resolve(receiver.endpoint),
    token: () => Promise.resolve(undefined),
    tokenRequired: false,
  });
  const counts: Count[] = [];
  for (let tick = 0; tick <= HOUR_TICKS; tick++) {
    const page = server(tick);
    world.script.scrape = () => page;
    at.ms = T0_MS + tick * TICK_MS;
    const from = receiver.points.length;
    const work = {
      tickMs: at.ms,
      shard: 0,
      targets: Object.values(TARGETS),
      drains: [],
      maxStalenessMs: 25 * 3_600_000,
      writer: `run-${tick}`,
      selfMetrics: true,
      deadlineMs: systemClock.monotonicMs() + 60_000,
    };
    const report = await runShard(work, { ...world.ports, clock: systemClock, export: post }, memory);
    assert.deepEqual([report.code, report.pending, report.pointsRejected], ['ended', 0, 0]);
    const received = receiver.points.slice(from);
    const of = (instance: string): number =>
      received.filter(({ attributes }) => attributes['service.instance.id'] === instance).length;
    counts.push({
      tick,
      page,
      points: {
        given: of(TARGETS.given.instance),
        core: of(TARGETS.core.instance),
        default: of(TARGETS.default.instance),
        all: of(TARGETS.all.instance),
      },
      self: received.filter(({ attributes }) => attributes['service.name'] === SELF_SERVICE).length,
    });
  }
  assert.deepEqual(receiver.violations, []);
  return counts;
}

function forecast({ page, tick }: Count, of: Target = TARGETS.given): Forecast {
  const told = forecastPage(new TextEncoder().encode(page), of, T0_MS + tick * TICK_MS);
  assert(told.code === 'forecast');
  return told;
}

function perMinute({ points }: Forecast): Readonly<Record<Preset, number>> {
  const { given, core, default: preset, all } = points;
  return { given: given.perMinute, core: core.perMinute, default: preset.perMinute, all: all.perMinute };
}

describe('an hour of traffic', () => {
  const at = { ms: T0_MS };
  let receiver: Receiver;
  let http: Http;
  before(async () => {
    receiver = await startReceiver({ nowMs: () => at.ms });
    http = createHttp({ clock: systemClock });
  });
  after(async () => {
    await http.close();
    await receiver.close();
  });

  for (const [name, server] of [
    ['NIM 1.x, in service for two hours', () => nim1(2 * 3_600_000)],
    ['NIM 2.x on vLLM', nim2],
  ] as const) {
    test(`${name}: forecast once, times 60, is what is counted, for each preset`, async () => {
      const [first, ...hour] = await serve(server(), receiver, http, at);
      assert(first !== undefined && hour.length === HOUR_TICKS);
      const told = forecast(first);
      for (const preset of PRESETS) {
        const counted = hour.reduce((sum, { points }) => sum + points[preset], 0);
        assert.equal(told.points[preset].perMinute * HOUR_TICKS, counted, preset);
        const own: Forecast['points'] = forecast(first, TARGETS[preset]).points;
        assert.deepEqual(own.given, told.points[preset], `${preset}, written as the settings`);
      }
      const { core, default: preset, all } = perMinute(told);
      assert(1 < core && core < preset && preset < all, 'the presets differ');
      // The first run of the hour has no facts yet, the second tells of first sights.
      const self = hour.slice(2).map((count) => count.self);
      assert.deepEqual([...new Set(self)], [told.selfPointsPerMinute]);
    });
  }

  test('NIM 1.x from its start: the page as it stands tells the run, and the next while no series is new', async () => {
    const counts = await serve(nim1(0), receiver, http, at);
    let grown = 0;
    for (const [i, count] of counts.entries()) {
      const told = perMinute(forecast(count));
      if (i > 0) assert.deepEqual(told, count.points, `tick ${i}`);
      const next = counts[i + 1];
      if (next === undefined) continue;
      if (perMinute(forecast(next)).all === told.all) assert.deepEqual(next.points, told, `after tick ${i}`);
      else grown++;
    }
    assert(grown > 1, 'labels appear with the first requests, and with the first that is cancelled');
  });

  test('skip_unchanged: what an idle hour counts is the lower bound', async () => {
    const page = nim1(3_600_000)(0);
    const output = { ...DEFAULT_OUTPUT, skipUnchanged: true };
    const idle = target('10.0.0.1:8000', { output });
    const world = createWorld();
    world.script.scrape = () => page;
    for (let tick = 0; tick <= HOUR_TICKS; tick++) await world.run(tick * 60, [idle]);
    const points = world.bodies.filter(({ tickMs }) => tickMs > T0_MS).flatMap((body) => body.points).length;
    const told = forecastPage(new TextEncoder().encode(page), idle, T0_MS);
    assert(told.code === 'forecast');
    assert(Math.abs(told.points.given.idlePerMinute * HOUR_TICKS - points) < 1e-9);
    assert(told.points.given.idlePerMinute < told.points.given.perMinute);
  });
});
