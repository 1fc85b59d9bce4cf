/** What a job says under `dynatrace:`, by its keys there, as far as it is not the default. */
import { formatDuration } from '../core/duration.ts';
import type { ScrapeSettings } from '../core/scrape-config.ts';
import { DEFAULT_OUTPUT } from '../core/output-text.ts';

type Settings = Pick<ScrapeSettings, 'initialValue' | 'attributes' | 'output'>;

const DEFAULTS: Settings = { initialValue: 'auto', attributes: {}, output: DEFAULT_OUTPUT };

export function dynatraceOptions(settings: Settings): Readonly<Record<string, unknown>> {
  const defaults = written(DEFAULTS);
  const own = Object.entries(written(settings)).filter(
    ([key, value]) => JSON.stringify(value) !== JSON.stringify(defaults[key]),
  );
  return Object.fromEntries(own);
}

function written({ initialValue, attributes, output }: Settings): Readonly<Record<string, unknown>> {
  return {
    initial_value: initialValue,
    attributes,
    metric_names: output.metricNames,
    preset: output.preset,
    include: output.include,
    exclude: output.exclude,
    skip_unchanged: output.skipUnchanged,
    heartbeat_interval: formatDuration(output.heartbeatMs),
    max_buckets: output.maxBuckets,
    points_budget: output.pointsBudget,
  };
}

/** For reading, a word per key and value: `preset: core`, `exclude: ["up"]`. */
export function dynatraceWords(settings: Settings): readonly string[] {
  const options = Object.entries(dynatraceOptions(settings));
  return options.map(([key, value], i) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    return `${key}: ${text}${i === options.length - 1 ? '' : ','}`;
  });
}
