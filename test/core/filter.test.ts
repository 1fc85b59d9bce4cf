/** Presets, and names in the grammar of Dynatrace's annotations. */
import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import { createFilter, isNamePattern, isSentByDefault } from '../../functions/core/filter.ts';
import { REFERENCE_METRICS } from '../../functions/core/nim.ts';
import { DEFAULT_OUTPUT } from '../../functions/core/output-text.ts';
import type { OutputSettings } from '../../functions/core/scrape-config.ts';

const sends = (output: Partial<OutputSettings>, pageName: string, sentName = pageName): boolean =>
  createFilter({ ...DEFAULT_OUTPUT, ...output })(pageName, sentName);

describe('presets', () => {
  test('core is the metrics of the NIM page, and up', () => {
    for (const name of Object.keys(REFERENCE_METRICS)) assert(sends({ preset: 'core' }, name), name);
    assert(sends({ preset: 'core' }, 'vllm:inter_token_latency_seconds', 'time_per_output_token_seconds'));
    assert(sends({ preset: 'core' }, 'up'));
    for (const name of ['vllm:num_preemptions_total', 'scrape_duration_seconds', 'DCGM_FI_DEV_GPU_UTIL'])
      assert(!sends({ preset: 'core' }, name), name);
  });

  test('core under raw names is what feeds those metrics', () => {
    const raw = { preset: 'core', metricNames: 'raw' } as const;
    assert(sends(raw, 'vllm:request_success_total', 'vllm_request_success_total'));
    assert(!sends(raw, 'vllm:num_preemptions_total', 'vllm_num_preemptions_total'));
  });

  test('a metric that the page has under two names is core once', () => {
    assert(!sends({ preset: 'core' }, 'vllm:num_requests_running', 'vllm_num_requests_running'));
  });

  test('all is all', () => {
    for (const name of ['python_info', 'process_cpu_seconds_total', 'x_created'])
      assert.deepEqual([sends({}, name), sends({ preset: 'all' }, name)], [false, true]);
  });
});

describe('include and exclude', () => {
  test('beside a preset, and alone', () => {
    const include = ['DCGM_*'];
    const DCGM = 'DCGM_FI_DEV_GPU_UTIL';
    assert(sends({ preset: 'core', include }, DCGM));
    assert(sends({ preset: 'core', include }, 'num_request_max'));
    assert(sends({ include }, DCGM));
    assert(!sends({ include }, 'num_request_max'));
    assert(sends({ include }, 'up'));
  });

  test('exclude has the last word', () => {
    assert(!sends({ preset: 'all', include: ['a*'], exclude: ['*b'] }, 'ab'));
    assert(!sends({ exclude: ['up'] }, 'up'));
  });

  test('names of the page and of Dynatrace alike', () => {
    for (const exclude of [['vllm:num*'], ['num_requests_running']])
      assert(!sends({ exclude }, 'vllm:num_requests_running', 'num_requests_running'));
  });

  for (const [pattern, matching, other] of [
    ['abc', 'abc', 'abcd'],
    ['ab*', 'abc', 'xab'],
    ['*bc', 'abc', 'bcd'],
    ['*b*', 'abc', 'acd'],
    ['*', 'abc', undefined],
    ['**', 'abc', undefined],
  ] as const) {
    test(pattern, () => {
      assert(isNamePattern(pattern));
      assert(sends({ include: [pattern] }, matching));
      if (other !== undefined) assert(!sends({ include: [pattern] }, other));
    });
  }

  test('a * between other characters is none of the grammar, nor is nothing', () => {
    for (const text of ['a*c', '*a*c', '']) assert(!isNamePattern(text), text);
  });
});

describe('what is sent by default', () => {
  test('families of the models and their machines', () => {
    for (const name of [
      'vllm:prompt_tokens_total',
      'num_requests_running',
      'sglang:num_running_reqs',
      'nv_inference_count',
      'DCGM_FI_DEV_GPU_UTIL',
      'gpu_power_usage_watts',
      'http_requests_total',
      'reprocess_total',
      'created_total',
    ])
      assert(isSentByDefault(name), name);
  });

  test('not those of the interpreter, and not _created', () => {
    for (const name of [
      'python_info',
      'process_cpu_seconds_total',
      'process_start_time_seconds',
      'x_created',
    ])
      assert(!isSentByDefault(name), name);
  });
});
