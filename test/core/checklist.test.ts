/**
 * What Dynatrace asks of an exporter, row by row, held against the receiver of the local run, which judges by rules of
 * its own. Rows that are about the exchange itself are named by the tests of the export adapter.
 */
import { strict as assert } from 'node:assert';
import { readFileSync, readdirSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { judge } from '../../functions/cli/world/ingest-rules.ts';
import { type DecodedPoint, decodeMetricsRequest } from '../../functions/cli/world/otlp-decoder.ts';
import { createSeriesWindows } from '../../functions/cli/world/series-windows.ts';
import { bytesOf, halve, packBodies } from '../../functions/core/bodies.ts';
import { MAX_BODY_BYTES, MAX_BODY_POINTS, MAX_DIMENSIONS } from '../../functions/core/dynatrace.ts';
import { parseExposition } from '../../functions/core/exposition.ts';
import { groupFamilies } from '../../functions/core/families.ts';
import type { Target } from '../../functions/core/model.ts';
import { createMemory } from '../../functions/core/point-names.ts';
import { type Sendables, buildPoints } from '../../functions/core/points.ts';
import { reportGauges } from '../../functions/core/scrape-report.ts';
import { firstState, zeros } from '../../functions/core/series-state.ts';
import { resourceOf } from '../../functions/core/targets.ts';
import { target } from '../fakes/ports.ts';

const TICK_MS = Date.parse('2026-01-01T00:01:00Z');
const UP = { up: true, durationMs: 5, samples: 1, samplesPostRelabeling: 1, seriesAdded: 1 };

function build(page: string, changes: Partial<Target> = {}): Sendables & { readonly target: Target } {
  const memory = createMemory();
  const parsed = parseExposition(new TextEncoder().encode(page), memory.table, 100_000);
  assert(parsed.code === 'page');
  const families = groupFamilies(parsed.page, memory.table, new Map());
  const due = families.cumulative.map(({ series, kind, bounds, values }) =>
    firstState(series, kind, bounds, values, zeros(values), TICK_MS - 60_000),
  );
  const of = target('10.0.0.1:8000', changes);
  return { target: of, ...buildPoints(of, due, families, reportGauges(UP), TICK_MS, memory) };
}

function sent(page: string, changes: Partial<Target> = {}): readonly DecodedPoint[] {
  const { target: of, sendables } = build(page, changes);
  const bodies = packBodies([{ owner: of, resource: resourceOf(of), sendables }]);
  return bodies.flatMap((body) => decodeMetricsRequest(bytesOf(body)));
}

/** Nothing of it is rejected, changed without a word, or a second point of its series. */
function assertTaken(points: readonly DecodedPoint[]): void {
  const windows = createSeriesWindows();
  for (const point of points) {
    const judgement = judge(point, TICK_MS);
    assert(judgement.code === 'accepted', 'line' in judgement ? judgement.line : '');
    assert.deepEqual(judgement.violations, []);
    const { violations, secondInMinute } = windows.add(judgement.seriesKey, judgement.point);
    assert.deepEqual([violations, secondInMinute], [[], false], judgement.seriesKey);
  }
}

const named = (points: readonly DecodedPoint[], name: string) =>
  points.filter((point) => point.name === name);
const textOf = ({ attributes }: DecodedPoint) => Object.fromEntries(attributes) as Record<string, string>;

describe('the checklist', () => {
  test('row 3: 3,000 points or 3 MiB are one body, one more is two; a body of several series can be halved', () => {
    const gauges = (count: number, help = '') => {
      const { target: of, sendables } = build(
        `# TYPE gg gauge\n# HELP gg ${help}\n${Array.from({ length: count }, (_, i) => `gg{i="${i}"} 1\n`).join('')}`,
      );
      return packBodies([{ owner: of, resource: resourceOf(of), sendables }]);
    };
    const own = reportGauges(UP).length;
    assert.deepEqual(
      gauges(MAX_BODY_POINTS - own).map(({ points }) => points),
      [MAX_BODY_POINTS],
    );
    const two = gauges(MAX_BODY_POINTS - own + 1);
    assert.equal(two.length, 2);
    assert(two.every(({ length, points }) => length <= MAX_BODY_BYTES && points <= MAX_BODY_POINTS));
    assert.equal(halve(two[0] as (typeof two)[0])?.length, 2);
  });

  test('row 4: delta sums, gauges and delta histograms only; a summary is split', () => {
    const points = sent(`# TYPE c counter
c_total 1
# TYPE ss summary
ss{quantile="0.5"} 1
ss_count 3
ss_sum 4
# TYPE hh histogram
hh_bucket{le="1"} 1
hh_bucket{le="+Inf"} 2
hh_count 2
hh_sum 3
untyped 4
`);
    assertTaken(points);
    assert.deepEqual(
      points
        .filter(({ name }) => !/^(up|scrape_)/.test(name))
        .map(({ name, type, temporality }) => `${name} ${type} ${temporality}`)
        .toSorted(),
      [
        'c_total sum delta',
        'hh histogram delta',
        'ss gauge unspecified',
        'ss_count sum delta',
        'ss_sum sum delta',
        'untyped gauge unspecified',
      ],
    );
  });

  test('row 5: no NaN, no infinity, no bound that is not finite, sorted and above zero, no histogram without a sum', () => {
    const points = sent(`# TYPE gg gauge
gg{v="nan"} NaN
gg{v="inf"} +Inf
gg{v="-inf"} -Inf
gg{v="ok"} 1
# TYPE hh histogram
hh_bucket{le="2"} 3
hh_bucket{le="-1"} 1
hh_bucket{le="0.5"} 2
hh_bucket{le="+Inf"} 4
hh_count 4
hh_sum 5
# TYPE nn histogram
nn_bucket{le="1"} 3
nn_bucket{le="+Inf"} 4
nn_count 4
`);
    assertTaken(points);
    assert.deepEqual(
      named(points, 'gg').map((point) => textOf(point)['v']),
      ['ok'],
    );
    assert.deepEqual(
      named(points, 'hh').map(({ histogram }) => [histogram?.bounds, histogram?.buckets]),
      [
        [
          [0.5, 2],
          [2, 1, 1],
        ],
      ],
    );
    assert.deepEqual(named(points, 'nn'), []);
  });

  test('row 6: keys are cleaned by us, long ones stay apart, names carry no prefix, model_name is kept', () => {
    const long = `vllm:${'x'.repeat(300)}`;
    const points = sent(`# TYPE ${long}a gauge
${long}a{model_name="m"} 1
# TYPE ${long}b gauge
${long}b{model_name="m"} 2
# TYPE request_success_total counter
request_success_total{model_name="meta/llama"} 1
# TYPE s:${long} summary
s:${long}_count 1
s:${long}_sum 2
`);
    assertTaken(points);
    assert.equal(
      textOf(named(points, 'request_success_total')[0] as DecodedPoint)['model_name'],
      'meta/llama',
    );
    const keys = points.map(({ name }) => name).filter((name) => name.includes('xxx'));
    assert.equal(new Set(keys).size, 4);
    assert(keys.every((key) => key.length <= 255));
  });

  test('row 6: what Dynatrace could not tell apart is sent once, counted, and named', () => {
    const built = build(`# TYPE a:b counter
a:b 1
# TYPE a_b counter
a_b 2
# TYPE gg gauge
gg{Model="x",model="y"} 1
`);
    assert.deepEqual(Object.fromEntries(built.drops), { duplicate: 1 });
    assert.match(
      built.collision ?? '',
      /^Dynatrace could not tell a_b from a:b: the second is sent, as a_b$/,
    );
    const { collision } = build('# TYPE gg gauge\ngg{Model="x",model="y"} 1\n');
    assert.equal(
      collision,
      'Dynatrace could not tell the labels Model and model of gg{Model="x",model="y"} apart: the first is sent',
    );
    assert.equal(build('# TYPE gg gauge\ngg{model="y"} 1\n').collision, undefined);
  });

  test('row 7: identity stands on the point; values, keys and their number are within the limits', () => {
    const label = (i: number) => `${'k'.repeat(120)}${i}="${'v'.repeat(300)}${i}"`;
    const points = sent(`# TYPE gg gauge
gg{${Array.from({ length: MAX_DIMENSIONS - 7 }, (_, i) => label(i)).join(',')}} 1
gg{empty="",A="${'é'.repeat(256)}"} 2
`);
    assertTaken(points);
    for (const point of points) {
      assert.equal(textOf(point)['service.name'], 'nim');
      assert.equal(textOf(point)['service.instance.id'], '10.0.0.1:8000');
    }
    assert.equal(named(points, 'gg').length, 2);
  });

  test('row 8: units are ASCII UCUM, a long one is none; a description is cut', () => {
    const points = sent(`# TYPE t_seconds gauge
# UNIT t_seconds seconds
# HELP t_seconds ${'d'.repeat(2_000)}
t_seconds 1
# TYPE mm gauge
# UNIT mm m²
mm 1
# EOF
`);
    assertTaken(points);
    const [seconds] = named(points, 't_seconds');
    assert.deepEqual([seconds?.unit, seconds?.description.length], ['s', 1_023]);
    assert.equal(named(points, 'mm')[0]?.unit, '');
  });

  test('row 9: windows are exact, one point per series and minute, none an hour old or far ahead', () => {
    const at = (ms: number) =>
      `# TYPE gg gauge\ngg 1 ${TICK_MS + ms}\n# TYPE c counter\nc_total 1 ${TICK_MS + ms}\n`;
    for (const [ms, gauges] of [
      [-59 * 60_000, 1],
      [-59 * 60_000 - 1, 0],
      [9 * 60_000, 1],
      [9 * 60_000 + 1, 0],
    ] as const) {
      const points = sent(at(ms));
      assertTaken(points);
      assert.equal(named(points, 'gg').length, gauges, String(ms));
      const [counter] = named(points, 'c_total');
      assert.deepEqual(
        [Number(counter?.startNs) / 1e6, Number(counter?.timeNs) / 1e6],
        [TICK_MS - 60_000, TICK_MS],
      );
    }
  });

  test('row 14: the scope is constant and has no version', () => {
    for (const { scope } of sent('gg 1\n'))
      assert.deepEqual(scope, { name: 'nim-to-dynatrace', version: '', attributes: [] });
  });

  test('row 15: up and what Prometheus says of a scrape', () => {
    assert.deepEqual(
      sent('').map(({ name }) => name),
      [
        'up',
        'scrape_duration_seconds',
        'scrape_samples_scraped',
        'scrape_samples_post_metric_relabeling',
        'scrape_series_added',
      ],
    );
  });

  test('row 16: static attributes are on each point, and on no resource', () => {
    const attributes = {
      'dt.cost.costcenter': '4711',
      'dt.security_context': 'team-a',
      'k8s.cluster.name': 'prod',
    };
    const points = sent('# TYPE c counter\nc_total 1\n', { attributes });
    assertTaken(points);
    for (const point of points) {
      for (const [key, value] of Object.entries(attributes)) assert.equal(textOf(point)[key], value);
      assert(!point.resource.some(([key]) => key in attributes));
    }
  });

  test('rows 3 to 9: whatever stands on a page, nothing of it is refused, changed or counted twice', () => {
    const word = fc.string({
      unit: fc.constantFrom('a', 'B', '_', ':', '.', '-', 'é', '1', ' '),
      minLength: 1,
      maxLength: 6,
    });
    const quoted = (text: string) => JSON.stringify(text);
    const number = fc.constantFrom('0', '1', '2.5', '-3', 'NaN', '+Inf', '1e300');
    const sample = fc
      // A label that stands twice refuses the line.
      .tuple(word, fc.uniqueArray(fc.tuple(word, word), { maxLength: 3, selector: ([key]) => key }), number)
      .map(([name, labels, value]) => {
        const written = labels.map(([key, text]) => `,${quoted(key)}=${quoted(text)}`).join('');
        return { name, line: `{${quoted(name)}${written}} ${value}` };
      });
    const page = fc.array(
      fc
        .tuple(sample, fc.constantFrom('counter', 'gauge', 'untyped'))
        .map(([{ name, line }, type]) => `# TYPE ${quoted(name)} ${type}\n${line}\n`),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(page, (lines) => assertTaken(sent(lines.join('')))),
      { numRuns: 300 },
    );
  });
});

test('every row but those of the dashboard and the estimate is named by a test', () => {
  const folders = ['.', '../adapters'].map((folder) => new URL(`${folder}/`, import.meta.url));
  const texts = folders.flatMap((folder) =>
    readdirSync(folder)
      .filter((file) => file.endsWith('.test.ts'))
      .map((file) => readFileSync(new URL(file, folder), 'utf8')),
  );
  const all = texts.join('\n');
  const rows = Array.from({ length: 16 }, (_, i) => i + 1);
  assert.deepEqual(
    rows.filter((row) => !new RegExp(`'row ${row}: `).test(all)),
    [],
  );
});
