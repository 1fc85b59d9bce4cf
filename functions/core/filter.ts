/** Which metrics are sent: presets, and lists of names in the grammar of Dynatrace's annotations. */
import { isReferenceSource, referenceMetric } from './nim.ts';
import type { OutputSettings } from './scrape-config.ts';

/**
 * Whether a metric is sent, by its name on the page and the one under which it would go out. Its state is kept in any
 * case, so that asking for it later makes no jump (D11).
 */
export type Filter = (pageName: string, sentName: string) => boolean;

/**
 * Sent is what the preset names and what `include` names, less what `exclude` names. Without either of the first two
 * it is the preset `default`; `include` alone is only that, as `mode: include` of the annotations. `up` is always
 * there unless it is excluded.
 */
export function createFilter({ metricNames, preset, include, exclude }: OutputSettings): Filter {
  const included = include.map(compile);
  const excluded = exclude.map(compile);
  const chosen = preset ?? (include.length === 0 ? 'default' : undefined);
  return (pageName, sentName) => {
    const matches = (pattern: Pattern): boolean => pattern(pageName) || pattern(sentName);
    if (excluded.some(matches)) return false;
    // Nothing else tells a target that is down from one that has nothing to say.
    if (included.some(matches) || sentName === 'up') return true;
    switch (chosen) {
      case 'all':
        return true;
      case 'default':
        return isSentByDefault(sentName);
      case 'core':
        return metricNames === 'raw' ? isReferenceSource(pageName) : referenceMetric(sentName) !== undefined;
      case undefined:
        return false;
    }
  };
}

/** Families that are not sent unless asked for: they would cost more than NIM's own. */
export function isSentByDefault(name: string): boolean {
  return !name.startsWith('python_') && !name.startsWith('process_') && !name.endsWith('_created');
}

type Pattern = (name: string) => boolean;

/**
 * The grammar of the annotation `metrics.dynatrace.com/filter` (docs.dynatrace.com, "Monitor Prometheus metrics"):
 * a name, with `*` at its ends for whatever may stand there.
 */
export function isNamePattern(text: string): boolean {
  return text.length > 0 && !text.slice(1, -1).includes('*');
}

function compile(text: string): Pattern {
  const [first, last] = [text.startsWith('*'), text.endsWith('*')];
  const middle = text.slice(first ? 1 : 0, last && text.length > 1 ? -1 : undefined);
  if (first && last) return (name) => name.includes(middle);
  if (first) return (name) => name.endsWith(middle);
  if (last) return (name) => name.startsWith(middle);
  return (name) => name === middle;
}
