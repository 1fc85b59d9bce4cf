/** Configurations of others become documents that say the same, and what does not carry over is named by line. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MAX_DOCUMENT_BYTES } from '../../functions/core/config/config-bounds.ts';
import { hasTargets } from '../../functions/core/config/document-yaml.ts';
import { readDocuments } from '../../functions/core/config/documents.ts';
import { commandText } from '../../functions/core/import/commands.ts';
import { MAX_STANDARD_BYTES } from '../../functions/core/import/documents.ts';
import type { Imported } from '../../functions/core/import/importing.ts';
import { checkRelabel } from '../../functions/core/relabel/relabel.ts';
import { PREFIX, configsOf, imported, lines } from './imported.ts';
import { FLATTENED, REFERENCE, TWO_RECEIVERS, WITH_START_TIME } from './written-collectors.ts';
import { WRITTEN_DISCOVERIES } from './written-discoveries.ts';
import { WRITTEN } from './written-documents.ts';

describe("the example of Dynatrace's documentation", () => {
  for (const [name, text] of Object.entries({ indented: REFERENCE, flattened: FLATTENED })) {
    test(`${name}: works as it stands`, () => {
      const all = imported(text);
      assert.deepEqual(all.problems, []);
      assert.deepEqual(
        all.documents.map((document) => [document.name, document.value]),
        [
          [
            '/nim-to-dynatrace/targets/nim-metrics',
            'job_name: nim-metrics\nscrape_interval: 10s\nhonor_labels: false\nstatic_configs:\n  - targets: [nim-endpoint.invalid:8000]\n',
          ],
        ],
      );
      assert.deepEqual(all.stored.map(commandText), [
        'aws ssm put-parameter --type String --name /nim-to-dynatrace/endpoint --value "$DT_ENDPOINT"',
        'aws ssm put-parameter --type SecureString --name /nim-to-dynatrace/secrets/dt-api-token --value "$DT_API_TOKEN"',
      ]);
      const [config] = configsOf(all);
      assert.equal(config?.scrapeIntervalMs, 10_000);
      assert.equal(config.metricsPath, '', 'the path is found out: NIM has its page under /v1/metrics');
    });

    test(`${name}: what is to be known has the line of the text`, () => {
      const lineOf = (part: string): number => text.split('\n').findIndex((line) => line.includes(part)) + 1;
      const notes = lines(imported(text).notes).filter((line) => !line.startsWith('-'));
      assert.deepEqual(notes, [
        `${lineOf('scrape_interval')} scrape_interval is 10s: the schedule fires every 60s, and the job is scraped once each time`,
        `${lineOf('NIM-endpoint')} fill in <NIM-endpoint>: run again with --set 'NIM-endpoint=HOST', or edit the document, which has nim-endpoint.invalid in its place`,
        `${lineOf('max_staleness')} max_staleness is 25h, which is the default`,
        `${lineOf('health_check')} extension health_check has no effect: there is no Collector process`,
        `${lineOf('metrics:')} metrics is read as a pipeline: pipelines: is missing above it`,
      ]);
    });
  }

  test('only the flattened one is told apart', () => {
    const rebuilt = '- the configuration has no indentation: its nesting was rebuilt from the keys';
    assert(lines(imported(FLATTENED).notes).includes(rebuilt));
    assert(!lines(imported(REFERENCE).notes).includes(rebuilt));
    assert(!lines(imported('scrape_configs:\n- job_name: nim\n').notes).includes(rebuilt));
  });

  for (const [name, text] of Object.entries({ REFERENCE, WITH_START_TIME, TWO_RECEIVERS })) {
    test(`${name}: without indentation it is the same`, () => {
      const flat = text.split('\n').map((line) => line.trim());
      const values = ({ documents, stored }: Imported) => [
        documents.map((document) => [document.name, document.value]),
        stored.map(commandText),
      ];
      assert.deepEqual(values(imported(flat.join('\n'))), values(imported(text)));
      assert.deepEqual(values(imported(flat.join('\n\n'))), values(imported(text)));
    });
  }

  test('with its placeholder filled in', () => {
    const all = imported(FLATTENED, { 'NIM-endpoint': '10.0.1.17' });
    assert.deepEqual(configsOf(all)[0]?.staticConfigs, [{ targets: ['10.0.1.17:8000'], labels: {} }]);
    assert(!lines(all.notes).some((line) => line.includes('fill in')));
  });

  test("Dynatrace's own Collector example with metric_start_time", () => {
    const all = imported(WITH_START_TIME);
    assert.deepEqual(all.problems, []);
    assert.equal(configsOf(all)[0]?.jobName, 'node-exporter');
    assert.deepEqual(lines(all.notes), [
      '- no metrics_path: /v1/metrics is tried first, then /metrics, where Prometheus asks /metrics alone',
      '12 processor metric_start_time is not needed: restarts are known by process_start_time_seconds',
      '14 max_staleness is 25h, which is the default',
    ]);
  });
});

describe('Prometheus files', () => {
  for (const [name, text] of Object.entries({ ...WRITTEN, ...WRITTEN_DISCOVERIES })) {
    test(`${name}: the documents say the same`, () => {
      const theirs = readDocuments([{ name: `${PREFIX}/targets/nim`, value: text }], { checkRelabel });
      const all = imported(text);
      // A job without targets is valid, and not stored.
      const scraped = theirs.configs.filter(hasTargets);
      assert.equal(all.problems.length, scraped.length === 0 ? 1 : 0);
      assert.deepEqual(configsOf(all), scraped);
    });
  }

  test('a flattened one', () => {
    const flat = `global:\nscrape_interval: 2m\nscrape_configs:\n- job_name: nim\nbasic_auth:\nusername: me\nstatic_configs:\n- targets:\n- 10.0.0.1:8000\n- 10.0.0.2:8000\nlabels:\nmodel: llama\n- targets: ['10.0.0.3:8000']\nmetric_relabel_configs:\n- source_labels: [__name__]\nregex: python_.*\naction: drop\n- job_name: dcgm\nstatic_configs:\n- targets: ['10.0.0.1:9400']\n`;
    const all = imported(flat.replace('basic_auth:\nusername: me\n', ''));
    assert.deepEqual(lines(all.problems), []);
    assert.deepEqual(
      configsOf(all).map(({ jobName, scrapeIntervalMs, staticConfigs, settings }) => [
        jobName,
        scrapeIntervalMs,
        staticConfigs,
        settings.metricRelabelConfigs.length,
      ]),
      [
        [
          'nim',
          120_000,
          [
            { targets: ['10.0.0.1:8000', '10.0.0.2:8000'], labels: { model: 'llama' } },
            { targets: ['10.0.0.3:8000'], labels: {} },
          ],
          1,
        ],
        ['dcgm', 120_000, [{ targets: ['10.0.0.1:9400'], labels: {} }], 0],
      ],
    );
  });

  test("external labels are the targets' own, and lose to what is there", () => {
    const all = imported(
      `global: {external_labels: {region: eu, model: none}}\nscrape_configs:\n- {job_name: nim, static_configs: [{targets: ['a:1'], labels: {model: llama}}]}\n- {job_name: dns, dns_sd_configs: [{names: [nim.example.com], type: A, port: 1}]}\n`,
    );
    assert.deepEqual(lines(all.problems), []);
    const [nim, dns] = configsOf(all);
    assert.deepEqual(nim?.staticConfigs[0]?.labels, { model: 'llama', region: 'eu' });
    assert.deepEqual(
      dns?.relabelConfigs.map(({ sourceLabels, regex, targetLabel, replacement }) => [
        sourceLabels,
        regex,
        targetLabel,
        replacement,
      ]),
      [
        [['region'], '', 'region', 'eu'],
        [['model'], '', 'model', 'none'],
      ],
    );
    assert.match(
      lines(imported('global: {external_labels: {a: $HOST}}\nscrape_configs: [{job_name: a}]').problems)[0] ??
        '',
      /^1 cannot fill in an external label: it stands for a variable/,
    );
  });

  test('a bad job is named by its line in the file, and does not stop the others', () => {
    const all = imported(
      `scrape_configs:\n- job_name: bad\n  file_sd_configs: [{files: [a.json]}]\n- job_name: good\n  static_configs: [{targets: ['a:1']}]\n- job_name: worse\n  scrap_interval: 1m\n`,
    );
    assert.deepEqual(lines(all.problems), [
      '3 cannot use file_sd_configs: there are no files beside a document; write their groups under static_configs; a parameter can be changed while all runs',
      '7 cannot use scrap_interval: it is no key of a scrape_config; write scrape_interval',
    ]);
    assert.deepEqual(
      configsOf(all).map(({ jobName }) => jobName),
      ['good'],
    );
  });

  test('a job without a name has that of the file, in all of its documents', () => {
    const targets = Array.from({ length: 300 }, (_, index) => `10.0.0.${index % 256}:${8_000 + index}`);
    const all = imported(`scheme: https\nstatic_configs: [{targets: ${JSON.stringify(targets)}}]`);
    assert(all.documents.length > 1);
    assert.deepEqual(
      configsOf(all).map(({ jobName, staticConfigs }) => [
        jobName,
        staticConfigs.flatMap((one) => one.targets).length,
      ]),
      [['nim', 300]],
    );
  });

  test('names that SSM does not take, or that are the same to it', () => {
    const jobs = ['a b', 'a/b', 'a-b', 'a-b-2', 'ü'].map(
      (name, index) => `- job_name: ${name}\n  static_configs: [{targets: ['10.0.0.${index}:1']}]\n`,
    );
    const all = imported(jobs.join(''));
    assert.deepEqual(
      all.documents.map(({ name }) => name.slice('/nim-to-dynatrace/targets/'.length)),
      ['a-b', 'a-b-2', 'a-b-3', 'a-b-2-2', '-'],
    );
    assert.deepEqual(
      configsOf(all).map(({ jobName }) => jobName),
      ['a b', 'a/b', 'a-b', 'a-b-2', 'ü'],
    );
  });

  test('what is no configuration', () => {
    for (const [text, message] of [
      ['10.0.0.1:8000 10.0.0.2:8000', /1 cannot find anything to scrape: there are no scrape_configs/],
      ['a: [', /^1 cannot read the file: this is indented/],
      ['apiVersion: v1\nkind: Pod\n', /1 cannot read the document: it is a Kubernetes object/],
      ['global: {scrape_interval: 1m}', /1 cannot find anything to scrape: there are no scrape_configs/],
      ['receivers: {otlp: }', /1 cannot find anything to scrape: no prometheus receiver/],
      [' '.repeat(MAX_DOCUMENT_BYTES + 1), /- cannot read the configuration: it is larger than 1 MiB/],
    ] as const) {
      const all = imported(text);
      assert.deepEqual(all.documents, []);
      assert.match(lines(all.problems).join('\n'), message);
    }
  });

  test('a Collector inside of a Kubernetes resource', () => {
    const inner = REFERENCE.split('\n')
      .map((line) => `    ${line}`)
      .join('\n');
    const resource = `apiVersion: opentelemetry.io/v1beta1\nkind: OpenTelemetryCollector\nspec:\n  config:\n${inner}`;
    assert.equal(configsOf(imported(resource))[0]?.jobName, 'nim-metrics');
  });
});

describe('4 KB of a parameter', () => {
  const withTargets = (count: number, more = ''): string => {
    const targets = Array.from({ length: count }, (_, index) => `10.0.${index >> 8}.${index & 255}:8000`);
    return `scrape_configs:\n- job_name: nim\n  ${more}\n  static_configs: [{targets: ${JSON.stringify(targets)}, labels: {model: llama}}]\n`;
  };

  test('a long list is spread over several documents that mean the same', () => {
    const text = withTargets(1_000, 'dns_sd_configs: [{names: [a.example.com], type: A, port: 1}]');
    const all = imported(text);
    assert.deepEqual(all.problems, []);
    assert(all.documents.length >= 4 && all.documents.length <= 8, `${all.documents.length} documents`);
    for (const { value, tier } of all.documents) {
      assert(new TextEncoder().encode(value).length <= MAX_STANDARD_BYTES);
      assert.equal(tier, undefined);
    }
    const [theirs] = readDocuments([{ name: '/x', value: text }]).configs;
    const [ours] = configsOf(all);
    const flat = (config: typeof ours) => config?.staticConfigs.flatMap(({ targets }) => targets);
    assert.deepEqual(flat(ours), flat(theirs));
    assert.deepEqual({ ...ours, staticConfigs: [] }, { ...theirs, staticConfigs: [] });
  });

  test('what cannot be split is said, and needs the advanced tier; past that it cannot be stored', () => {
    const rules = (size: number): string =>
      `metric_relabel_configs: [{source_labels: [__name__], regex: ${'a'.repeat(size)}, action: drop}]`;
    const large = imported(withTargets(2, rules(5_000)));
    assert.deepEqual(
      large.documents.map(({ tier }) => tier),
      ['Advanced'],
    );
    assert.match(
      lines(large.notes).join(),
      /2 the job does not fit into documents of 4096 bytes: it needs the advanced tier/,
    );
    const crowded = imported(withTargets(2_000, rules(3_900)));
    assert.deepEqual(
      [crowded.problems, new Set(crowded.documents.map(({ tier }) => tier))],
      [[], new Set(['Advanced'])],
    );
    assert.equal(configsOf(crowded)[0]?.staticConfigs.flatMap(({ targets }) => targets).length, 2_000);
    const tooLarge = imported(withTargets(2, rules(8_100)));
    assert.deepEqual([tooLarge.documents.length, tooLarge.problems.length], [0, 1]);
    assert.match(lines(tooLarge.problems).join(), /^2 cannot store the job: /);
  });
});
