/** A page in numbers and names, before anything is done to it. */
import type { Page } from '../exposition.ts';
import type { Labels } from '../model.ts';
import { MAX_MODELS, type PageFacts } from './forecast-model.ts';

const SUFFIXES = ['', '_total', '_bucket', '_count', '_sum', '_created', '_info'] as const;
const MODEL_LABELS: ReadonlySet<string> = new Set(['model_name', 'model']);

export function pageFactsOf(page: Page, bytes: number, processStartMs: number | undefined): PageFacts {
  const { format, values, refused } = page;
  const { families, withSamples } = familiesOf(page);
  return {
    format,
    bytes,
    samples: values.length,
    families: [...families].sort(),
    familiesWithoutSamples: [...families].filter((family) => !withSamples.has(family)).sort(),
    models: modelsOf(page),
    processStartMs,
    refused: { lines: refused.count, examples: refused.examples },
  };
}

/** A series is of the family that a comment names without its suffix, else of one of its own. */
function familiesOf({ metadata, series }: Page) {
  const told = new Map<string, string>();
  for (const family of metadata.keys()) {
    // The Python client loses colons in samples, not in comments (core/families).
    const underscored = family.replaceAll(':', '_');
    if (!told.has(underscored)) told.set(underscored, family);
  }
  for (const family of metadata.keys()) told.set(family, family);
  const familyOf = (name: string): string => {
    for (const suffix of SUFFIXES) {
      const family = name.endsWith(suffix) ? told.get(name.slice(0, name.length - suffix.length)) : undefined;
      if (family !== undefined) return family;
    }
    return name;
  };
  const withSamples = new Set([...new Set(series.map(({ name }) => name))].map(familyOf));
  return { families: new Set([...metadata.keys(), ...withSamples]), withSamples };
}

function modelsOf({ series }: Page): readonly string[] {
  const models = new Set<string>();
  for (const { labels } of series) {
    if (models.size >= MAX_MODELS) break;
    for (const model of modelLabels(labels)) models.add(model);
  }
  return [...models].sort().slice(0, MAX_MODELS);
}

function modelLabels(labels: Labels): readonly string[] {
  return labels.filter((_, i) => i % 2 === 1 && MODEL_LABELS.has(labels[i - 1] as string));
}
