import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { BASELINE_DICTIONARY } from '../../functions/core/baseline-dictionary.ts';
import { decodeBaseline, encodeBaseline } from '../../functions/core/baseline-format.ts';
import { NO_FLIPS } from '../../functions/core/flips.ts';
import type { Baseline } from '../../functions/core/baseline.ts';
import { createSeriesTable, internSeries } from '../../functions/core/series.ts';
import type { SeriesState } from '../../functions/core/series-state.ts';

const decoded = (bytes: Uint8Array): Baseline => {
  const read = decodeBaseline(bytes, createSeriesTable());
  assert(read.code === 'baseline', read.code === 'unreadable' ? read.message : '');
  return read.baseline;
};

const TICK_MS = Date.parse('2026-01-01T00:00:00Z');
const table = createSeriesTable();

/** One of everything that a baseline can hold. */
function example(): Baseline {
  const series = (name: string, ...labels: string[]) => internSeries(table, name, labels);
  const states: SeriesState[] = [
    {
      series: series('requests_total', 'reason', 'stop'),
      kind: 'counter',
      bounds: [],
      last: [41],
      windowStartMs: TICK_MS,
    },
    {
      series: series('vllm:tokens_total', 'le', '"quoted"\n\\'),
      kind: 'counter',
      bounds: [],
      last: [1.5],
      base: [0],
      carry: [2 ** 60],
      windowStartMs: TICK_MS - 60_000,
    },
    {
      series: series('ttft_seconds', 'model_name', 'meta/llama'),
      kind: 'histogram',
      bounds: [0.001, 0.5, 1, 1e22],
      last: [12.25, 0, 3, 4, 0, 1],
      base: [10, 0, 3, 3, 0, 1],
      windowStartMs: TICK_MS,
    },
    { series: series('bare_seconds'), kind: 'histogram', bounds: [], last: [0, 7], windowStartMs: TICK_MS },
    { series: series('rpc.größe'), kind: 'summary', bounds: [], last: [-3, 2], windowStartMs: TICK_MS },
  ];
  const sorted = [...states].sort((a, b) => (a.series.key < b.series.key ? -1 : 1));
  return {
    tickMs: TICK_MS,
    scrapedAtMs: TICK_MS + 31_000,
    startMs: TICK_MS - 86_400_123,
    earlierStartsMs: [TICK_MS - 200_000_000, TICK_MS - 100_000_000],
    createdMs: TICK_MS - 5,
    shape: 2 ** 53 - 1,
    gauges: 12,
    notWhole: new Set(['', 'ttft_seconds']),
    forgot: true,
    series: new Map(sorted.map((state) => [state.series.key, state])),
    flips: {
      falls: [{ key: 'requests_total{reason="stop"}', from: 41, scrapesAgo: 2, rose: true }],
      distrust: 3,
    },
    suspects: [{ key: 'requests_total{reason="stop"}', tries: 2, untilTickMs: TICK_MS + 240_000 }],
    draining: [{ ...(states[2] as SeriesState), bounds: [1, 2], last: [1, 1, 1, 1], base: [0, 0, 0, 0] }],
  };
}

describe('the kept fixture of version 1', () => {
  const fixture = readFileSync(new URL('fixtures/baseline-1.bin', import.meta.url));

  test('reads as what was written', () => {
    assert.deepEqual(JSON.parse(text(decoded(fixture))), JSON.parse(text(example())));
  });

  test('is written the same way today: stored baselines and new ones are alike', () => {
    assert.deepEqual(Buffer.from(encodeBaseline(example())), fixture);
  });
});

function text(baseline: Baseline): string {
  return JSON.stringify({ ...baseline, series: [...baseline.series], notWhole: [...baseline.notWhole] });
}

describe('any baseline', () => {
  const real = fc.double({ noNaN: true });
  const count = fc.oneof(
    fc.nat(),
    fc.maxSafeNat(),
    real,
    fc.constantFrom(0, 2 ** 52 - 1, 2 ** 52, 2 ** 53, -1, 0.5),
  );
  const bounds = fc.uniqueArray(fc.double({ noNaN: true, noDefaultInfinity: true }), { maxLength: 6 });
  const state = fc
    .record({
      name: fc.string({ minLength: 1, maxLength: 12 }),
      kind: fc.constantFrom('counter' as const, 'histogram' as const, 'summary' as const),
      bounds: bounds.map((all) =>
        all.map((bound) => (Object.is(bound, -0) ? 0 : bound)).sort((a, b) => a - b),
      ),
      values: fc.array(count, { minLength: 24, maxLength: 24 }),
      has: fc.nat(3),
      agoMs: fc.integer({ min: -1000, max: 10_000_000 }),
    })
    .map(({ name, kind, bounds: some, values, has, agoMs }): SeriesState => {
      const width = kind === 'counter' ? 1 : kind === 'summary' ? 2 : some.length + 2;
      return {
        series: internSeries(table, name, []),
        kind,
        bounds: kind === 'histogram' ? some : [],
        last: values.slice(0, width),
        ...(has & 1 ? { base: values.slice(8, 8 + width) } : {}),
        ...(has & 2 ? { carry: values.slice(16, 16 + width) } : {}),
        windowStartMs: TICK_MS - agoMs,
      };
    });

  test('comes back exactly, and its bytes do not depend on the order of its series', () => {
    const property = fc.property(
      fc.array(state, { maxLength: 8 }),
      fc.array(state, { maxLength: 3 }),
      (some, draining) => {
        const map = new Map(some.map((one) => [one.series.key, one]));
        const baseline = { ...example(), series: map, draining };
        const bytes = encodeBaseline(baseline);
        const back = decoded(bytes);
        assert.deepEqual(back, { ...baseline, series: back.series });
        for (const [key, value] of map) assert.deepEqual(back.series.get(key), value);
        assert.deepEqual(encodeBaseline({ ...baseline, series: new Map([...map].reverse()) }), bytes);
      },
    );
    fc.assert(property, { numRuns: 300 });
  });

  test('cut or damaged bytes never throw, and never pass unnoticed when cut', () => {
    const bytes = encodeBaseline(example());
    for (let length = 0; length < bytes.length; length++) {
      assert.equal(decodeBaseline(bytes.subarray(0, length), createSeriesTable()).code, 'unreadable');
    }
    assert.equal(decodeBaseline(Uint8Array.from([...bytes, 0]), createSeriesTable()).code, 'unreadable');
    const property = fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, byte) => {
      const damaged = Uint8Array.from(bytes);
      damaged[at] = byte;
      decodeBaseline(damaged, createSeriesTable());
    });
    fc.assert(property, { numRuns: 1000 });
  });

  test('a newer format is refused with the remedy, an unknown one too', () => {
    const bytes = encodeBaseline(example());
    const message = (version: number): string => {
      const read = decodeBaseline(Uint8Array.from([version, ...bytes.subarray(1)]), createSeriesTable());
      assert(read.code === 'unreadable');
      return read.message;
    };
    assert.match(
      message(2),
      /cannot read the baseline: format 2 is newer than 1; deploy the release that wrote it/,
    );
    assert.match(message(0), /no known format/);
  });
});

test('a million series announced in ten bytes costs no memory', () => {
  const bytes = encodeBaseline({
    ...example(),
    series: new Map(),
    draining: [],
    suspects: [],
    notWhole: new Set(),
  });
  const lying = Uint8Array.from([...bytes.subarray(0, -4), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x07]);
  assert.equal(decodeBaseline(lying, createSeriesTable()).code, 'unreadable');
});

test('the dictionary earns its keep: a NIM’s names cost a few bytes each', () => {
  const names = [
    'prompt_tokens_total',
    'generation_tokens_total',
    'request_success_total',
    'e2e_request_latency_seconds',
  ];
  const series = new Map(
    names.map((name): [string, SeriesState] => {
      const one = internSeries(table, name, ['model_name', 'meta/llama-3.1-8b-instruct']);
      return [one.key, { series: one, kind: 'counter', bounds: [], last: [1], windowStartMs: TICK_MS }];
    }),
  );
  const bytes = encodeBaseline({
    ...example(),
    series,
    draining: [],
    flips: NO_FLIPS,
    suspects: [],
    notWhole: new Set(),
  });
  const packed = deflateRawSync(bytes, { level: 9, dictionary: BASELINE_DICTIONARY });
  assert(packed.length < bytes.length / 3, `${packed.length} of ${bytes.length}`);
});
