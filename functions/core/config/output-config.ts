/** The options under `dynatrace:` that say what is sent, and how. */
import { MIN_BUCKETS } from '../buckets.ts';
import { MAX_HEARTBEAT_MS, MAX_NAME_PATTERN_LENGTH, MIN_HEARTBEAT_MS } from './config-bounds.ts';
import type { ReadKeys, Reading } from './config-reading.ts';
import { isNamePattern } from '../filter.ts';
import { quote } from './findings.ts';
import type { OutputSettings } from '../scrape-config.ts';
import { DEFAULT_HEARTBEAT_MS } from '../output-text.ts';

export function readOutput(
  { values, placeOf }: ReadKeys<'dynatrace'>,
  { findings }: Reading,
): OutputSettings {
  const { preset, max_buckets: maxBuckets } = values;
  const heartbeatMs = values.heartbeat_interval || DEFAULT_HEARTBEAT_MS;
  if (heartbeatMs < MIN_HEARTBEAT_MS || heartbeatMs > MAX_HEARTBEAT_MS) {
    findings.problem(
      placeOf('heartbeat_interval'),
      'cannot use heartbeat_interval: it is not from 1m to 1h; write 10m, or another time between them',
    );
  }
  if (maxBuckets > 0 && maxBuckets < MIN_BUCKETS) {
    findings.problem(
      placeOf('max_buckets'),
      `cannot use max_buckets: a histogram has ${MIN_BUCKETS} buckets or more; write 12, or 0 for no limit`,
    );
  }
  const readPatterns = (key: 'include' | 'exclude'): readonly string[] => {
    const patterns = values[key] ?? [];
    for (const pattern of patterns) {
      const cause = wrongWith(pattern);
      if (cause !== undefined) {
        findings.problem(
          placeOf(key),
          `cannot use an entry of ${key}: ${cause}; write a metric's name, with * at its ends for anything`,
        );
      }
    }
    return patterns;
  };
  return {
    metricNames: values.metric_names,
    ...(preset === undefined ? {} : { preset }),
    include: readPatterns('include'),
    exclude: readPatterns('exclude'),
    skipUnchanged: values.skip_unchanged,
    heartbeatMs,
    maxBuckets,
    pointsBudget: values.points_budget,
  };
}

function wrongWith(pattern: string): string | undefined {
  if (pattern.length > MAX_NAME_PATTERN_LENGTH)
    return `it is longer than ${MAX_NAME_PATTERN_LENGTH} characters`;
  if (isNamePattern(pattern)) return undefined;
  return pattern === '' ? 'it is empty' : `${quote(pattern)} has a * between other characters`;
}
