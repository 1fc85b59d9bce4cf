import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { createRegistry, floatText, labelText } from '../../../functions/cli/world/nim-page.ts';
import { MAX_ADVANCE_MS, startSimulatedNim } from '../../../functions/cli/world/simulated-nim.ts';
import type { SimulatedNim, SimulatedNimOptions } from '../../../functions/cli/world/simulated-nim.ts';

const START = 1_730_312_854_907;
const MODEL = 'meta/llama-3.1-8b-instruct';

async function started(t: TestContext, options: Partial<SimulatedNimOptions> = {}): Promise<SimulatedNim> {
  const nim = await startSimulatedNim({ model: MODEL, seed: 1, clock: () => START, ...options });
  t.after(nim.close);
  return nim;
}

async function pageOf(nim: SimulatedNim): Promise<string> {
  const response = await fetch(`${nim.url}/v1/metrics`);
  assert.equal(response.status, 200);
  return response.text();
}

/** A reader of its own: every sample by its text, buckets made not cumulative. */
function readPage(page: string): Map<string, number> {
  const samples = new Map<string, number>();
  let before = { series: '', cumulative: 0 };
  for (const line of page.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const space = line.lastIndexOf(' ');
    const key = line.slice(0, space);
    const value = Number(line.slice(space + 1));
    const bound = /le="[^"]*",/.exec(key);
    if (bound === null) {
      samples.set(key, value);
      continue;
    }
    const series = key.replace(bound[0], '');
    samples.set(key, value - (series === before.series ? before.cumulative : 0));
    before = { series, cumulative: value };
  }
  return samples;
}

function assertServed(nim: SimulatedNim, pages: readonly string[]): void {
  const total = new Map<string, number>();
  for (const page of pages) {
    for (const [key, value] of readPage(page)) total.set(key, (total.get(key) ?? 0) + value);
  }
  const served = nim.served();
  assert.ok(served.size > 0);
  for (const [key, value] of served) assert.equal(total.get(key), value, key);
}

const counted = (totals: ReadonlyMap<string, number>, name: string) =>
  totals.get(`${name}{model_name="${MODEL}"}`) ?? 0;

describe('the page', () => {
  test('before the first request: families without labelled samples', async (t) => {
    const nim = await started(t);
    const page = await pageOf(nim);
    assert.match(page, /# TYPE prompt_tokens_total counter\n# HELP generation_tokens_total/);
    assert.ok(!page.includes('model_name'));
    assert.match(page, /^process_start_time_seconds 1\.7303128549e\+09$/m);
    assert.match(page, /^process_virtual_memory_bytes 1\.15891634176e\+011$/m);
    assert.match(page, /^process_max_fds 1\.048576e\+06$/m);
    assert.match(page, /^python_gc_objects_uncollectable_total\{generation="2"\} 0\.0$/m);
  });

  test('after requests: every family has samples, labels sorted, whole numbers with .0', async (t) => {
    const nim = await started(t);
    nim.advance(600_000);
    const page = await pageOf(nim);
    const families = [...page.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type = '']) => ({
      name,
      type,
    }));
    assert.equal(families.length, 24);
    for (const { name, type } of families) {
      const sample = type === 'histogram' ? `${name}_bucket{le="` : name;
      assert.ok(page.includes(`\n${sample}`), name);
    }
    assert.ok(page.includes(`\ntime_to_first_token_seconds_bucket{le="0.001",model_name="${MODEL}"} `));
    assert.ok(page.includes(`\ntime_to_first_token_seconds_bucket{le="+Inf",model_name="${MODEL}"} `));
    assert.ok(page.includes(`\nrequest_prompt_tokens_bucket{le="100000.0",model_name="${MODEL}"} `));
    assert.ok(page.includes(`\nrequest_finish_total{finished_reason="stop",model_name="${MODEL}"} `));
    for (const line of page.trimEnd().split('\n')) {
      assert.match(line, /^# (HELP|TYPE) \w+ .+$|^\w+(\{(\w+="[^"]*",?)+\})? -?\d\S*$/);
      assert.ok(line.startsWith('#') || /\.\d|e/.test(line.slice(line.lastIndexOf(' '))), line);
    }
  });

  test('gzip when asked, the right type, 404 elsewhere, ready', async (t) => {
    const nim = await started(t);
    const plain = await fetch(`${nim.url}/v1/metrics`, { headers: { 'accept-encoding': 'identity' } });
    assert.equal(plain.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
    assert.equal(plain.headers.get('content-encoding'), null);
    assert.equal(plain.headers.get('date'), new Date(START).toUTCString());
    const packed = await fetch(`${nim.url}/v1/metrics`, { headers: { 'accept-encoding': 'gzip' } });
    assert.equal(packed.headers.get('content-encoding'), 'gzip');
    assert.equal(await packed.text(), await plain.text());
    assert.equal((await fetch(`${nim.url}/metrics`)).status, 404);
    assert.equal((await fetch(`${nim.url}/`)).status, 404);
    assert.equal((await fetch(`${nim.url}/v1/health/ready`)).status, 200);
  });

  test('numbers as the Python client prints them', () => {
    const texts = [
      0,
      3,
      44.87,
      0.0002848,
      0.00001,
      -2,
      999_999,
      1e6,
      1_048_576,
      1_730_312_854.9,
      1e16,
      Infinity,
    ];
    assert.deepEqual(texts.map(floatText), [
      '0.0',
      '3.0',
      '44.87',
      '0.0002848',
      '1e-05',
      '-2.0',
      '999999.0',
      '1e+06',
      '1.048576e+06',
      '1.7303128549e+09',
      '1e+16',
      '+Inf',
    ]);
    assert.equal(labelText('a', 'x"\\\n'), String.raw`a="x\"\\\n"`);
  });
});

test('a value at a bound counts below it, one past the last in the last bucket', () => {
  const registry = createRegistry();
  for (const value of [1, 1.5, 60, 60.5]) registry.observe('e2e_request_latency_seconds', 'a="b"', value);
  const totals = registry.totals();
  const bucket = (le: string) => totals.get(`e2e_request_latency_seconds_bucket{le="${le}",a="b"}`);
  assert.deepEqual(['1.0', '2.5', '60.0', '+Inf'].map(bucket), [1, 1, 1, 1]);
  assert.equal(totals.get('e2e_request_latency_seconds_count{a="b"}'), 4);
  assert.equal(totals.get('e2e_request_latency_seconds_sum{a="b"}'), 123);
  assert.match(registry.page(), /le="\+Inf",a="b"\} 4\.0\n.*_count\{a="b"\} 4\.0\n.*_sum\{a="b"\} 123\.0\n/);
});

describe('what it counts', () => {
  test('tokens, requests and histograms agree with each other', async (t) => {
    const nim = await started(t);
    nim.advance(3_600_000);
    const truth = nim.truth();
    const success = counted(truth, 'request_success_total');
    const failure = counted(truth, 'request_failure_total');
    assert.ok(success > 1000 && failure > 0);
    const finishes = [...truth].filter(([key]) => key.startsWith('request_finish_total'));
    assert.deepEqual(
      finishes.reduce((sum, [, value]) => sum + value, 0),
      success + failure,
    );
    const firstTokens = counted(truth, 'time_to_first_token_seconds_count');
    const generated = counted(truth, 'generation_tokens_total');
    const gaps = counted(truth, 'time_per_output_token_seconds_count');
    const running = firstTokens - counted(truth, 'e2e_request_latency_seconds_count');
    assert.ok(running >= 0 && running <= 16);
    // Each token but a request's first follows a gap; the next gap of a running request is observed already.
    assert.equal(generated, gaps + firstTokens - running);
    assert.ok(counted(truth, 'prompt_tokens_total') >= counted(truth, 'request_prompt_tokens_sum'));
    const buckets = [...truth].filter(([key]) => key.startsWith('e2e_request_latency_seconds_bucket'));
    assert.equal(buckets.length, 11);
    assert.equal(
      buckets.reduce((sum, [, value]) => sum + value, 0),
      counted(truth, 'e2e_request_latency_seconds_count'),
    );
  });

  test('gauges move within their bounds', async (t) => {
    const nim = await started(t);
    const running = new Set<number>();
    for (let i = 0; i < 60; i++) {
      nim.advance(10_000);
      const samples = readPage(await pageOf(nim));
      const cache = counted(samples, 'gpu_cache_usage_perc');
      assert.ok(cache >= 0 && cache <= 1);
      running.add(counted(samples, 'num_requests_running'));
    }
    assert.ok(running.size > 3);
  });

  test('truth runs ahead of the page, served does not', async (t) => {
    const nim = await started(t);
    assert.equal(nim.served().size, 0);
    nim.advance(120_000);
    assert.equal(nim.served().size, 0);
    const page = await pageOf(nim);
    assertServed(nim, [page]);
    assert.deepEqual(nim.served(), nim.truth());
    nim.advance(120_000);
    assertServed(nim, [page]);
    const lost = counted(nim.truth(), 'prompt_tokens_total') - counted(nim.served(), 'prompt_tokens_total');
    assert.ok(lost > 0);
  });

  test('a restart begins at zero, and truth keeps what no page showed', async (t) => {
    let nowMs = START;
    const nim = await started(t, { clock: () => nowMs });
    nim.advance(120_000);
    const first = await pageOf(nim);
    nim.advance(60_000);
    const truthBefore = nim.truth();
    nowMs += 180_000;
    nim.restart();
    assert.equal(nim.restarts(), 1);
    const fresh = await pageOf(nim);
    assert.ok(!fresh.includes('model_name'));
    assert.match(fresh, /^process_start_time_seconds 1\.7303130349e\+09$/m);
    assert.deepEqual(nim.truth(), truthBefore);
    nim.advance(60_000);
    const second = await pageOf(nim);
    assertServed(nim, [first, second]);
    const name = 'generation_tokens_total';
    assert.ok(counted(readPage(second), name) < counted(readPage(first), name));
    assert.ok(counted(nim.truth(), name) > counted(nim.served(), name));
  });

  test('equal seeds give equal pages, however the time is cut; another seed does not', async (t) => {
    const [a, b, other] = [await started(t), await started(t), await started(t, { seed: 2 })];
    a.advance(300_000);
    for (let i = 0; i < 300; i++) b.advance(1_000);
    b.advance(0);
    other.advance(300_000);
    assert.equal(await pageOf(a), await pageOf(b));
    assert.notEqual(await pageOf(a), await pageOf(other));
  });

  test('live: time passes with the clock', async (t) => {
    let nowMs = START;
    const nim = await started(t, { live: true, clock: () => nowMs });
    const twin = await started(t);
    nowMs += 60_000;
    twin.advance(60_000);
    assert.deepEqual(readPage(await pageOf(nim)), readPage(await pageOf(twin)));
    nowMs -= 30_000;
    assert.deepEqual(readPage(await pageOf(nim)), readPage(await pageOf(twin)));
  });

  test('live: a long sleep is made up for by ten minutes only', async (t) => {
    let nowMs = START;
    const nim = await started(t, { live: true, clock: () => nowMs });
    const twin = await started(t);
    nowMs += 36_000_000;
    twin.advance(600_000);
    assert.deepEqual(readPage(await pageOf(nim)), readPage(await pageOf(twin)));
  });

  test('bad times are refused', async (t) => {
    const nim = await started(t);
    for (const elapsedMs of [-1, 0.5, Number.NaN, MAX_ADVANCE_MS + 1]) {
      assert.throws(() => nim.advance(elapsedMs), /cannot advance the simulated NIM/);
    }
  });
});

describe('faults', () => {
  test('another answer, which serves nothing', async (t) => {
    let broken = true;
    const nim = await started(t, {
      answer: (path) =>
        broken && path === '/v1/metrics' ? { status: 500, body: 'no', headers: { 'x-a': 'b' } } : undefined,
    });
    nim.advance(60_000);
    const response = await fetch(`${nim.url}/v1/metrics`);
    assert.deepEqual([response.status, response.headers.get('x-a'), await response.text()], [500, 'b', 'no']);
    assert.equal(nim.served().size, 0);
    broken = false;
    await pageOf(nim);
    assert.ok(nim.served().size > 0);
  });

  test('no answer, and close ends the connection', async (t) => {
    let asked = () => {};
    const wasAsked = new Promise<void>((resolve) => (asked = resolve));
    const nim = await started(t, {
      answer: () => {
        asked();
        return { hang: true };
      },
    });
    const pending = assert.rejects(fetch(`${nim.url}/v1/metrics`));
    await wasAsked;
    await nim.close();
    await pending;
  });
});
