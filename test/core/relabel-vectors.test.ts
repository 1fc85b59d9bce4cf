/** Relabelling, and labels of targets and samples, as a real Prometheus decided them (test/core/vectors). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { formatDuration, parseDuration } from '../../functions/core/duration.ts';
import { labelsOf } from '../../functions/core/relabel/label-builder.ts';
import { checkRelabel, relabel, relabelSteps } from '../../functions/core/relabel/relabel.ts';
import {
  checkSampleLimits,
  mergeTargetLabels,
  sampleLabels,
  type LabelLimits,
} from '../../functions/core/relabel/sample-labels.ts';
import { populateLabels } from '../../functions/core/relabel/target-labels.ts';
import { urlOf } from '../../functions/core/targets.ts';
import { configOf, readVectors, rulesOf, type VectorRule } from './relabel-vectors.ts';
import { readSeriesText } from '../../functions/core/series-text.ts';
import { seriesKey } from '../../functions/core/series.ts';

interface RelabelCase {
  readonly in: readonly string[];
  readonly rules: readonly VectorRule[];
  /** null: dropped. */
  readonly out?: readonly string[] | null;
  /** Prometheus' own error: the rule does not load. */
  readonly wrong?: string;
}

const { relabel: CASES } = readVectors<{ relabel: readonly RelabelCase[] }>('relabel.json');

describe('rules as Prometheus runs them', () => {
  test(`${CASES.filter(({ wrong }) => wrong === undefined).length} cases end in the same labels`, () => {
    for (const { in: before, rules, out, wrong } of CASES) {
      if (wrong !== undefined) continue;
      const compiled = rulesOf(...rules);
      const text = JSON.stringify({ before, rules });
      assert.deepEqual(relabel(before, compiled) ?? null, out, text);
      const steps = relabelSteps(before, compiled);
      assert.deepEqual(steps.at(-1)?.after ?? null, out, text);
    }
  });

  for (const { rules, wrong } of CASES) {
    const [rule] = rules;
    if (wrong === undefined || rule === undefined) continue;
    test(`${JSON.stringify(rule)} does not load`, () => {
      assert.match(checkRelabel(configOf(rule)) ?? '', /^cannot relabel by \w+: .+; .+$/s, wrong);
    });
  }
});

interface TargetCase {
  readonly config: Readonly<Record<string, string>> & {
    readonly params?: Readonly<Record<string, readonly string[]>>;
  };
  readonly own: Readonly<Record<string, string>>;
  readonly group: Readonly<Record<string, string>>;
  readonly rules?: readonly VectorRule[];
  readonly dropped?: true;
  readonly wrong?: string;
  readonly labels?: readonly string[];
  readonly url?: string;
  readonly interval?: string;
  readonly timeout?: string;
}

interface SampleCase {
  readonly in: readonly string[];
  readonly target: readonly string[];
  readonly honor: boolean;
  readonly rules?: readonly VectorRule[];
  readonly out: readonly string[] | null;
}

const TARGETS = readVectors<{
  readonly targets: readonly TargetCase[];
  readonly samples: readonly SampleCase[];
  readonly limits: readonly {
    readonly in: readonly string[];
    readonly limits: readonly [number, number, number];
    readonly wrong?: string;
  }[];
  readonly durations: readonly { readonly text: string; readonly ms?: number; readonly formatted?: string }[];
}>('target-labels.json');

describe('targets as Prometheus makes them', () => {
  for (const { config, own, group, rules = [], ...expected } of TARGETS.targets) {
    test(JSON.stringify({ config, own, group, rules }), () => {
      const { __address__: address = '', ...labels } = own;
      const populated = populateLabels(
        {
          jobName: config['job_name'] ?? 'nim',
          scrapeIntervalMs: parseDuration(config['scrape_interval'] ?? '1m') ?? NaN,
          scrapeTimeoutMs: parseDuration(config['scrape_timeout'] ?? '10s') ?? NaN,
          scheme: config['scheme'] === 'https' ? 'https' : 'http',
          metricsPath: config['metrics_path'] ?? '',
          params: config.params ?? {},
        },
        { address, labels, groupLabels: group },
        rulesOf(...rules),
      );
      if (expected.wrong !== undefined) return assert.equal(populated.code, 'wrong', expected.wrong);
      if (expected.dropped === true) return assert.equal(populated.code, 'dropped');
      assert(populated.code === 'target', JSON.stringify(populated));
      const { target } = populated;
      assert.deepEqual(target.labels, expected.labels);
      // Of the path that no one configured we try two; the second one is Prometheus'.
      const url = new URL(urlOf(target, target.path === '' ? '/metrics' : target.path));
      const prometheus = new URL(expected.url ?? '');
      assert.equal(url.origin + url.pathname, prometheus.origin + prometheus.pathname);
      assert.deepEqual([...url.searchParams], [...prometheus.searchParams]);
      assert.equal(target.intervalMs, parseDuration(expected.interval ?? ''));
      assert.equal(target.timeoutMs, parseDuration(expected.timeout ?? ''));
    });
  }
});

describe('samples as Prometheus keeps them', () => {
  for (const { in: scraped, target, honor, rules = [], out } of TARGETS.samples) {
    test(JSON.stringify({ scraped, target, honor, rules }), () => {
      const at = scraped.indexOf('__name__');
      const series = readSeriesText(seriesKey(scraped[at + 1] as string, scraped.toSpliced(at, 2)));
      assert(series.code === 'series');
      const compiled = rulesOf(...rules);
      const steps = relabelSteps(mergeTargetLabels(series, target, honor), compiled);
      const merged = labelsOf(mergeTargetLabels(series, target, honor));
      assert.deepEqual(rules.length === 0 ? merged : (steps.at(-1)?.after ?? []), out ?? []);
      // What is kept is the same, less the name and the identity that is the target's own.
      const limits = { labelLimit: 0, labelNameLengthLimit: 0, labelValueLengthLimit: 0 };
      const kept = sampleLabels(series, {
        targetLabels: target,
        honorLabels: honor,
        rules: compiled,
        limits,
      });
      const pairs = pairsOf(out ?? []);
      const name = pairs.find(([label]) => label === '__name__')?.[1];
      if (name === undefined) return assert.deepEqual(kept, { code: 'dropped' });
      const own = new Map(pairsOf(target));
      const rest = pairs.filter(
        ([label, value]) =>
          label !== '__name__' && !(/^(job|instance)$/.test(label) && own.get(label) === value),
      );
      assert.deepEqual(kept, { code: 'series', name, labels: rest.flat() });
    });
  }
});

describe('label limits as Prometheus holds them', () => {
  for (const { in: labels, limits, wrong } of TARGETS.limits) {
    test(`${JSON.stringify(labels)} within ${limits.join(', ')}: ${wrong ?? 'fine'}`, () => {
      const [labelLimit, labelNameLengthLimit, labelValueLengthLimit] = limits;
      const message = checkSampleLimits(labels, {
        labelLimit,
        labelNameLengthLimit,
        labelValueLengthLimit,
      } satisfies LabelLimits);
      const named = /label_\w+/.exec(wrong ?? '')?.[0];
      assert.equal(/(label_\w+) is \d/.exec(message ?? '')?.[1], named);
    });
  }
});

describe('durations as Prometheus reads them', () => {
  for (const { text, ms, formatted } of TARGETS.durations) {
    test(`${JSON.stringify(text)} is ${formatted ?? 'none'}`, () => {
      assert.equal(parseDuration(text), ms);
      if (ms !== undefined) assert.equal(formatDuration(ms), formatted);
    });
  }
});

function pairsOf(labels: readonly string[]): readonly (readonly [string, string])[] {
  return labels.flatMap((text, i) => (i % 2 === 0 ? [[text, labels[i + 1] as string] as const] : []));
}
