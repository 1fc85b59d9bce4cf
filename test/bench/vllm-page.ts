/** Pages like those of a vLLM server with two engines: some 700 samples, whose values move from version to version. */

const ENGINES = ['0', '1'];
const MODEL = 'meta/llama-3.1-8b-instruct';

const GAUGES = ['num_requests_running', 'num_requests_waiting', 'kv_cache_usage_perc'];
const COUNTERS = [
  'num_preemptions',
  'prompt_tokens',
  'generation_tokens',
  'prefix_cache_queries',
  'prefix_cache_hits',
  'mm_cache_queries',
  'mm_cache_hits',
];
const REASONS = ['stop', 'length', 'abort', 'error'];

const TOKENS = [0, 1, 2, 3, 4].flatMap((power) => [1, 2, 5].map((step) => step * 10 ** power));
const PARTS = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80,
];
const SECONDS = [
  0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680,
];
const HISTOGRAMS: readonly (readonly [name: string, bounds: readonly number[]])[] = [
  ['iteration_tokens_total', [1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384]],
  ['time_to_first_token_seconds', PARTS],
  ['time_per_output_token_seconds', PARTS],
  ['inter_token_latency_seconds', PARTS],
  ['request_time_per_output_token_seconds', PARTS],
  ['e2e_request_latency_seconds', SECONDS],
  ['request_queue_time_seconds', SECONDS],
  ['request_inference_time_seconds', SECONDS],
  ['request_prefill_time_seconds', SECONDS],
  ['request_decode_time_seconds', SECONDS],
  ['request_prompt_tokens', TOKENS],
  ['request_generation_tokens', TOKENS],
  ['request_max_num_generation_tokens', TOKENS],
  ['request_params_max_tokens', TOKENS],
  ['request_params_n', [1, 2, 5, 10, 20]],
];

/** The page as text format 0.0.4 after `version` scrapes. */
export function vllmPage(version: number): string {
  const lines: string[] = [];
  const head = (name: string, type: string): void => {
    lines.push(`# HELP vllm:${name} ${name.replaceAll('_', ' ')}.`, `# TYPE vllm:${name} ${type}`);
  };
  const sample = (name: string, engine: string, more: string, value: number): void => {
    lines.push(`vllm:${name}{engine="${engine}",${more}model_name="${MODEL}"} ${floatText(value)}`);
  };
  const created = (name: string): void => {
    head(`${name}_created`, 'gauge');
    for (const engine of ENGINES) sample(`${name}_created`, engine, '', 1767225600.25);
  };
  GAUGES.forEach((name, i) => {
    head(name, 'gauge');
    for (const engine of ENGINES) sample(name, engine, '', ((version * 7 + i) % 13) / (i + 1));
  });
  COUNTERS.forEach((name, i) => {
    head(`${name}_total`, 'counter');
    for (const engine of ENGINES) sample(`${name}_total`, engine, '', 1000 * i + version * 317 * (i + 1));
    created(name);
  });
  head('request_success_total', 'counter');
  for (const engine of ENGINES) {
    REASONS.forEach((reason, i) =>
      sample('request_success_total', engine, `finished_reason="${reason}",`, version * (40 - 9 * i)),
    );
  }
  for (const [name, bounds] of HISTOGRAMS) {
    head(name, 'histogram');
    for (const engine of ENGINES) {
      [...bounds, Infinity].forEach((bound, i) =>
        sample(`${name}_bucket`, engine, `le="${floatText(bound)}",`, version * (i + 3) * 11),
      );
      sample(`${name}_count`, engine, '', version * (bounds.length + 3) * 11);
      sample(`${name}_sum`, engine, '', version * 1234.5678912);
    }
    created(name);
  }
  return `${lines.join('\n')}\n`;
}

/** As Python prints a float. */
function floatText(value: number): string {
  if (value === Infinity) return '+Inf';
  return Number.isInteger(value) ? `${value}.0` : String(value);
}
