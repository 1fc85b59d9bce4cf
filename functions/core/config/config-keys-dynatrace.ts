/** Keys of our own, under `dynatrace:`. */
import { MAX_ATTRIBUTES, MAX_MERGED_BUCKETS, MAX_NAME_PATTERNS, MAX_POINTS_BUDGET } from './config-bounds.ts';
import type { KeyTable } from './config-key.ts';

export const DYNATRACE_KEYS = {
  initial_value: {
    use: 'honoured',
    kind: 'choice',
    choices: ['auto', 'keep', 'drop'],
    default: 'auto',
    about: 'What becomes of the first value of a target: rule D6 of guarantees.md.',
  },
  attributes: {
    use: 'honoured',
    kind: 'mapping',
    max: MAX_ATTRIBUTES,
    example: 'attributes: {dt.cost.costcenter: genai, k8s.cluster.name: prod}',
    about:
      'Dimensions of each point of the job; a label of the page wins, but over dt.*; identity never changes.',
  },
  metric_names: {
    use: 'honoured',
    kind: 'choice',
    choices: ['nim', 'raw'],
    default: 'nim',
    about:
      'Names of vllm:* and sglang:* metrics: those of NIM, engines summed (metrics.md), or those of the page.',
  },
  preset: {
    use: 'honoured',
    kind: 'choice',
    choices: ['core', 'default', 'all'],
    absent: 'default, if there is no include',
    about: 'What is sent: the 14 metrics of metrics.md; all but python_*, process_* and *_created; or all.',
  },
  include: {
    use: 'honoured',
    kind: 'texts',
    absent: 'none',
    max: MAX_NAME_PATTERNS,
    example: 'include: ["num_requests_*", "DCGM_*"]',
    about:
      'Metrics that are sent beside the preset, or alone where none is written; names with * at their ends.',
  },
  exclude: {
    use: 'honoured',
    kind: 'texts',
    absent: 'none',
    max: MAX_NAME_PATTERNS,
    example: 'exclude: ["*_created", "scrape_*"]',
    about: 'Metrics that are not sent, whatever preset and include say; names with * at their ends.',
  },
  skip_unchanged: {
    use: 'honoured',
    kind: 'flag',
    default: 'false',
    about:
      'Whether counters and histograms without an increase wait for the next heartbeat; gauges never do (metrics.md).',
  },
  heartbeat_interval: {
    use: 'honoured',
    kind: 'duration',
    default: '10m',
    about: 'How long skip_unchanged leaves a series out, from 1m to 1h; 0 is the default.',
  },
  max_buckets: {
    use: 'honoured',
    kind: 'count',
    default: '0',
    max: MAX_MERGED_BUCKETS,
    about: 'Neighbours are merged until a histogram has so many; 12 for Dynatrace Managed, 0 is no limit.',
  },
  points_budget: {
    use: 'honoured',
    kind: 'count',
    default: '1000',
    max: MAX_POINTS_BUDGET,
    about: 'With more points in one scrape of a target there is a warning, and all are sent; 0 is none.',
  },
} as const satisfies KeyTable;
