/** Pages of NIM 2.x under the names of Dynatrace's NIM page, read apart from the product: renamed, engines folded. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const NAMES: Readonly<Record<string, string>> = {
  'vllm:kv_cache_usage_perc': 'gpu_cache_usage_perc',
  'vllm:inter_token_latency_seconds': 'time_per_output_token_seconds',
  'sglang:token_usage': 'gpu_cache_usage_perc',
  'sglang:inter_token_latency_seconds': 'time_per_output_token_seconds',
  'sglang:num_running_reqs': 'num_requests_running',
  'sglang:num_queue_reqs': 'num_requests_waiting',
  'sglang:prompt_tokens_histogram': 'request_prompt_tokens',
  'sglang:generation_tokens_histogram': 'request_generation_tokens',
  'sglang:num_requests_total': 'request_finish_total',
  'sglang:num_aborted_requests_total': 'request_failure_total',
};
const PARTS = /_(bucket|count|sum)$/;

export function readEngines(page: readonly Sample[]): readonly Sample[] {
  const folded = new Map<string, Sample & { engines: number }>();
  for (const sample of page.flatMap(renamed)) {
    const key = JSON.stringify([sample.name, Object.entries(sample.labels)]);
    const before = folded.get(key) ?? { ...sample, value: 0, engines: 0 };
    folded.set(key, { ...before, value: before.value + sample.value, engines: before.engines + 1 });
  }
  return [...folded.values()].map(({ engines, ...sample }) =>
    sample.name === 'gpu_cache_usage_perc' ? { ...sample, value: sample.value / engines } : sample,
  );
}

function renamed({ name, labels, value }: Sample): readonly Sample[] {
  const { engine: _, engine_type: _type, dp_rank, tp_rank = '0', pp_rank: _pp, ...rest } = labels;
  // Two ranks for each engine on these pages.
  if (Number(tp_rank) % 2 !== 0 && dp_rank !== undefined) return [];
  const part = PARTS.exec(name)?.[0] ?? '';
  const family = name.slice(0, name.length - part.length);
  const plain = `${NAMES[family] ?? family.replace(/^(vllm|sglang):/, '')}${part}`;
  if (name !== 'vllm:request_success_total') return [{ name: plain, labels: rest, value }];
  const { finished_reason = '', ...bare } = rest;
  const isSuccess = finished_reason === 'stop' || finished_reason === 'length';
  return [
    { name: 'request_finish_total', labels: rest, value },
    { name: isSuccess ? 'request_success_total' : 'request_failure_total', labels: bare, value },
  ];
}
