/** Where a target differs from Prometheus' by intent: its path, its job, its messages, the identity on samples. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MAX_DURATION_MS, formatDuration, parseDuration } from '../../functions/core/duration.ts';
import { checkSampleLimits, sampleLabels } from '../../functions/core/relabel/sample-labels.ts';
import { populateLabels, type JobConfig } from '../../functions/core/relabel/target-labels.ts';
import fc from 'fast-check';
import { rulesOf, type VectorRule } from './relabel-vectors.ts';

const JOB: JobConfig = {
  jobName: 'nim',
  scrapeIntervalMs: 60_000,
  scrapeTimeoutMs: 10_000,
  scheme: 'http',
  metricsPath: '',
  params: {},
};

function populate(
  {
    address = 'nim:8000',
    labels = {},
    group = {},
    ...job
  }: Partial<JobConfig> & {
    readonly address?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly group?: Readonly<Record<string, string>>;
  },
  ...rules: readonly VectorRule[]
) {
  return populateLabels({ ...JOB, ...job }, { address, labels, groupLabels: group }, rulesOf(...rules));
}

function targetOf(...given: Parameters<typeof populate>) {
  const populated = populate(...given);
  assert(populated.code === 'target', JSON.stringify(populated));
  return populated.target;
}

describe('the path of a target', () => {
  const setPath = (replacement: string): VectorRule => ({ target_label: '__metrics_path__', replacement });
  const copyPath: VectorRule = { source_labels: ['__metrics_path__'], target_label: 'path' };
  const annotation: VectorRule = {
    source_labels: ['__meta_kubernetes_pod_annotation_prometheus_io_path'],
    regex: '(.+)',
    target_label: '__metrics_path__',
  };

  test('that no one configured is empty, though rules read /metrics as in Prometheus', () => {
    const target = targetOf({}, copyPath, annotation);
    assert.equal(target.path, '');
    assert.deepEqual(target.labels, ['instance', 'nim:8000', 'job', 'nim', 'path', '/metrics']);
  });

  test('is what job, group, discovery or a rule say, /metrics as well', () => {
    for (const path of ['/metrics', '/v1/metrics']) {
      assert.equal(targetOf({ metricsPath: path }).path, path);
      assert.equal(targetOf({ group: { __metrics_path__: path } }).path, path);
      assert.equal(targetOf({ labels: { __metrics_path__: path } }).path, path);
      assert.equal(targetOf({}, setPath(path)).path, path);
      const labels = { __meta_kubernetes_pod_annotation_prometheus_io_path: path };
      assert.equal(targetOf({ labels }, annotation).path, path);
    }
  });

  test('that an empty label of discovery takes from its group is none', () => {
    const given = { labels: { __metrics_path__: '' }, group: { __metrics_path__: '/group' } };
    assert.equal(targetOf(given).path, '');
  });

  test('that a rule removes is the root', () => {
    assert.equal(targetOf({}, setPath('')).path, '/');
    assert.equal(targetOf({ metricsPath: '/x' }, { action: 'labeldrop', regex: '__metrics.*' }).path, '/');
  });

  test('is plain text: what has a meaning in a URL is escaped', () => {
    assert.equal(targetOf({ metricsPath: '/a?b=c#d e%2F' }).path, '/a%3Fb=c%23d%20e%252F');
    assert.equal(targetOf({ metricsPath: 'metrics' }).path, '/metrics');
  });
});

describe('the identity of a target', () => {
  test('is job and instance after relabelling', () => {
    const target = targetOf({ labels: { job: 'other' } }, { target_label: 'instance', replacement: 'pod-0' });
    assert.equal(target.job, 'other');
    assert.equal(target.instance, 'pod-0');
    assert.equal(target.address, 'nim:8000');
  });

  test("keeps the job's name where a rule takes the label away", () => {
    const target = targetOf({}, { action: 'labeldrop', regex: 'job' });
    assert.equal(target.job, 'nim');
    assert.deepEqual(target.labels, ['instance', 'nim:8000']);
  });
});

describe('a target that cannot be scraped says why', () => {
  for (const [rule, message] of [
    [
      { target_label: '__address__', replacement: '' },
      'cannot scrape a target of the job nim: __address__ is no host and port; write host:port',
    ],
    [
      { target_label: '__address__', replacement: 'nim:99999' },
      'cannot scrape "nim:99999" of the job nim: __address__ is no host and port; write host:port',
    ],
    [
      { target_label: '__scheme__', replacement: 'ftp' },
      'cannot scrape "nim:8000" of the job nim: __scheme__ is neither http nor https; set one',
    ],
    [
      { target_label: '__scrape_interval__', replacement: '1 minute' },
      'cannot scrape "nim:8000" of the job nim: __scrape_interval__ is no duration above 0; write 30s or 1m',
    ],
    [
      { target_label: '__scrape_timeout__', replacement: '0s' },
      'cannot scrape "nim:8000" of the job nim: __scrape_timeout__ is no duration above 0; write 5s or 10s',
    ],
    [
      { target_label: '__scrape_timeout__', replacement: '2m' },
      'cannot scrape "nim:8000" of the job nim: its timeout 2m is longer than its interval 1m; shorten it',
    ],
  ] as readonly (readonly [VectorRule, string])[]) {
    test(message, () => {
      assert.deepEqual(populate({}, rule), { code: 'wrong', message });
    });
  }

  test('and never prints a user name or password', () => {
    for (const address of ['planted:planted@nim:8000', 'planted@nim']) {
      const populated = populate({ address });
      assert(populated.code === 'wrong');
      assert.doesNotMatch(populated.message, /planted/);
    }
  });

  test('half of a character is no text', () => {
    assert.equal(populate({ labels: { a: '\ud83d' } }).code, 'wrong');
    assert.equal(populate({ labels: { a: '\ud83d\ude00' } }).code, 'target');
  });
});

describe('a sample', () => {
  const limits = { labelLimit: 0, labelNameLengthLimit: 0, labelValueLengthLimit: 0 };
  const targetLabels = ['env', 'prod', 'instance', 'nim:8000', 'job', 'nim'];
  const series = { name: 'm', labels: ['job', 'other', 'le', '1'] };

  test('keeps job and instance only where they are not the target’s', () => {
    const keep = (honorLabels: boolean) =>
      sampleLabels(series, { targetLabels, honorLabels, rules: [], limits });
    assert.deepEqual(keep(false), {
      code: 'series',
      name: 'm',
      labels: ['env', 'prod', 'exported_job', 'other', 'le', '1'],
    });
    assert.deepEqual(keep(true), {
      code: 'series',
      name: 'm',
      labels: ['env', 'prod', 'job', 'other', 'le', '1'],
    });
  });

  test('without a name is dropped', () => {
    const rules = rulesOf({ target_label: '__name__', replacement: '' });
    assert.deepEqual(sampleLabels(series, { targetLabels, honorLabels: false, rules, limits }), {
      code: 'dropped',
    });
  });

  test('is held against the limits with all of its labels, job and instance among them', () => {
    const keep = (labelLimit: number) =>
      sampleLabels(series, {
        targetLabels,
        honorLabels: false,
        rules: [],
        limits: { ...limits, labelLimit },
      });
    assert.equal(keep(6).code, 'series');
    assert.deepEqual(keep(5), {
      code: 'label_limit',
      message:
        'cannot take the sample "m": it has 6 labels, label_limit is 5; raise the limit, or drop the label or the metric in metric_relabel_configs',
    });
  });

  test('names no value that is too long, and 50 characters of a name', () => {
    const labels = ['__name__', 'm', 'x'.repeat(60), 'planted'];
    const value = checkSampleLimits(labels, { ...limits, labelValueLengthLimit: 6 }) ?? '';
    assert.match(value, /its label "x{50}" has 7 bytes, label_value_length_limit is 6;/);
    assert.doesNotMatch(value, /planted/);
    const name = checkSampleLimits(labels, { ...limits, labelNameLengthLimit: 59 }) ?? '';
    assert.match(name, /the name of its label "x{50}" has 60 bytes, label_name_length_limit is 59;/);
  });
});

test('a duration is read as it was written', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: MAX_DURATION_MS }), (durationMs) => {
      assert.equal(parseDuration(formatDuration(durationMs)), durationMs);
    }),
  );
});
