/** Configurations of others become documents that say the same, and what does not carry over is named by line. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MAX_DOCUMENT_BYTES } from '../../functions/core/config-bounds.ts';
import { readDocuments } from '../../functions/core/documents.ts';
import type { Finding } from '../../functions/core/findings.ts';
import { commandText } from '../../functions/core/import-commands.ts';
import { MAX_STANDARD_BYTES } from '../../functions/core/import-documents.ts';
import { importConfiguration } from '../../functions/core/importing.ts';
import type { Imported } from '../../functions/core/importing.ts';
import { checkRelabel } from '../../functions/core/relabel.ts';
import { FLATTENED, REFERENCE, TWO_RECEIVERS, WITH_START_TIME } from './written-collectors.ts';
import { WRITTEN } from './written-documents.ts';

const PREFIX = '/nim-to-dynatrace';

function imported(text: string, given: Readonly<Record<string, string>> = {}): Imported {
  return importConfiguration(text, { prefix: PREFIX, job: 'nim', given: new Map(Object.entries(given)) });
}

function configsOf({ documents }: Pick<Imported, 'documents'>) {
  const read = readDocuments(documents, { checkRelabel });
  assert.deepEqual([read.problems, read.refused], [[], []]);
  return read.configs;
}

function lines(found: readonly Finding[]): readonly string[] {
  return found.map(({ at, message }) => `${at?.line ?? '-'} ${message}`);
}

/** The one job in a Collector with these processors and what they need. */
function collectorWith(processors: string, names: string, job = ''): string {
  return `
receivers:
  prometheus:
    config:
      scrape_configs:
        - job_name: nim
          static_configs: [{targets: ['10.0.0.1:8000'], labels: {model: llama}}]
${job}
processors:
${processors}
service:
  pipelines:
    metrics: {receivers: [prometheus], processors: [${names}], exporters: []}
`;
}

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
      '12 processor metric_start_time is not needed: restarts are known by process_start_time_seconds',
      '14 max_staleness is 25h, which is the default',
    ]);
  });
});

describe('Prometheus files', () => {
  for (const [name, text] of Object.entries(WRITTEN)) {
    test(`${name}: the documents say the same`, () => {
      const theirs = readDocuments([{ name: `${PREFIX}/targets/nim`, value: text }], { checkRelabel });
      const all = imported(text);
      assert.deepEqual(lines(all.problems), []);
      assert.deepEqual(configsOf(all), theirs.configs);
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

describe('a Collector with two receivers', () => {
  const all = imported(TWO_RECEIVERS);

  test('dollars are halved, settings and labels of its pipeline stand in each job', () => {
    const [nim, dcgm] = configsOf(all);
    assert.equal(nim?.scrapeIntervalMs, 120_000);
    assert.deepEqual(
      nim.relabelConfigs.map(({ targetLabel, replacement }) => [targetLabel, replacement]),
      [
        ['host', '$1'],
        ['deployment.environment', 'prod'],
      ],
    );
    assert.equal(nim.settings.initialValue, 'drop');
    assert.equal(dcgm?.scrapeIntervalMs, 60_000);
    assert.deepEqual(dcgm.staticConfigs, [
      { targets: ['10.0.0.1:9400'], labels: { 'deployment.environment': 'prod' } },
    ]);
  });

  test('a secret of the environment is stored once, and referred to', () => {
    const reference = 'ssm:/nim-to-dynatrace/secrets/nim-token';
    assert.deepEqual(
      configsOf(all).map(({ settings }) => settings.authorization?.credentials),
      [reference, reference],
    );
    assert.deepEqual(all.stored.map(commandText), [
      'aws ssm put-parameter --type String --name /nim-to-dynatrace/endpoint --value https://abc12345.live.dynatrace.com/api/v2/otlp',
      'aws ssm put-parameter --type SecureString --name /nim-to-dynatrace/secrets/dt-api-token --value "$DT_API_TOKEN"',
      'aws ssm put-parameter --type SecureString --name /nim-to-dynatrace/secrets/nim-token --value "$NIM_TOKEN"',
    ]);
    assert(!JSON.stringify(all).includes('NEVER'));
  });

  test('what does not carry over, by line', () => {
    assert.deepEqual(lines(all.problems), [
      '37 cannot carry over processor k8sattributes: there is nothing like it here; write what it changes as metric_relabel_configs or labels of the documents',
    ]);
    assert.deepEqual(lines(all.notes), [
      "3 receiver otlp is left out: who sends to it can send to Dynatrace's OTLP API directly",
      '24 receiver prometheus/unused is left out: no metrics pipeline has it, so nothing of it is sent',
      '29 processor batch is not needed: bodies are as large as Dynatrace takes them',
      '30 processor memory_limiter is not needed: what a page may take is bounded',
      '32 max_staleness belongs to the deployment, not to a document: give the construct NimToDynatrace in infra/app.ts maxStaleness: Duration.minutes(10); the default is 25h',
      '42 exporter debug is left out: points go to Dynatrace, and to one environment',
      '44 telemetry has no effect: the functions report themselves to CloudWatch',
    ]);
  });
});

describe('exporters', () => {
  const withExporters = (exporters: string, more = '') =>
    imported(
      `${REFERENCE.replace(/exporters:\n(?: {2}.*\n)*/, `exporters:\n${exporters}`).replace(/exporters: \[.*\]/, 'exporters: [otlphttp, otlp_http/b, debug]')}${more}`,
    );
  const stored = (exporters: string) => withExporters(exporters).stored.map(commandText);

  test('of several the one that goes to Dynatrace', () => {
    const all = withExporters(
      '  otlphttp: {endpoint: "http://tempo:4318"}\n  otlp_http/b: {endpoint: "https://a.live.dynatrace.com/api/v2/otlp", headers: {Authorization: "Api-Token ${env:T}"}}\n  debug:\n',
    );
    assert.deepEqual(all.stored.map(commandText), [
      'aws ssm put-parameter --type String --name /nim-to-dynatrace/endpoint --value https://a.live.dynatrace.com/api/v2/otlp',
      'aws ssm put-parameter --type SecureString --name /nim-to-dynatrace/secrets/dt-api-token --value "$T"',
    ]);
    assert.equal(
      lines(all.notes).filter((line) => /exporter (otlphttp|debug) is left out/.test(line)).length,
      2,
    );
  });

  test('a part of the endpoint in the environment', () => {
    assert.equal(
      stored('  otlphttp: {endpoint: "https://${env:TENANT}.live.dynatrace.com/api/v2/otlp"}\n')[0],
      'aws ssm put-parameter --type String --name /nim-to-dynatrace/endpoint --value https://"${TENANT}".live.dynatrace.com/api/v2/otlp',
    );
  });

  test('an endpoint of no use is named, and asked for', () => {
    const all = withExporters('  otlphttp: {endpoint: "https://a.apps.dynatrace.com"}\n');
    assert.match(
      lines(all.notes).join('\n'),
      /cannot use the Dynatrace endpoint: a\.apps\.dynatrace\.com serves the web interface/,
    );
    assert.match(all.stored.map(commandText)[0] ?? '', /--value "\$DT_ENDPOINT"$/);
  });

  test('a token of an authenticator, or of a file', () => {
    assert.match(
      stored('  otlphttp: {headers: {Authorization: "Api-Token ${file:/etc/token}"}}\n')[1] ?? '',
      /--value "\$\(cat -- \/etc\/token\)"$/,
    );
    const all = imported(
      REFERENCE.replace(/headers:\n.*\n/, 'auth: {authenticator: bearertokenauth}\n').replace(
        'health_check:',
        'bearertokenauth: {scheme: Api-Token, token: "${env:DT}"}',
      ),
    );
    assert.match(all.stored.map(commandText)[1] ?? '', /dt-api-token --value "\$DT"$/);
  });
});

test('a second pipeline with other processors is named', () => {
  const text =
    collectorWith('  batch: {}\n  transform: {}', 'batch') +
    '    metrics/b: {receivers: [prometheus], processors: [transform], exporters: []}\n';
  const all = imported(text);
  assert.deepEqual(lines(all.problems), [
    '15 cannot carry over the pipeline metrics/b: receiver prometheus is in metrics too, with other processors; its metrics go to Dynatrace once, as that pipeline says',
  ]);
  assert.equal(configsOf(all).length, 1);
});

describe("the Collector's environment", () => {
  const withTarget = (target: string): string => collectorWith('', '').replace('10.0.0.1:8000', target);

  test('an address is named as what is to be filled in, and can be', () => {
    const all = imported(withTarget('${env:NIM_HOST}:8000'));
    assert.deepEqual(lines(all.problems), [
      '7 cannot fill in an address: ${env:NIM_HOST} is not in the file; run again with --set NIM_HOST=VALUE, or edit the document, which has nim-host.invalid in its place',
    ]);
    assert.deepEqual(configsOf(all)[0]?.staticConfigs[0]?.targets, ['nim-host.invalid:8000']);
    for (const spelling of [
      '${env:NIM_HOST}:8000',
      '${NIM_HOST}:8000',
      '$NIM_HOST:8000',
      '${NIM_HOST:-x}:8000',
    ]) {
      const filled = imported(withTarget(spelling), { NIM_HOST: '10.0.0.7' });
      assert.deepEqual(lines(filled.problems), []);
      assert.deepEqual(configsOf(filled)[0]?.staticConfigs[0]?.targets, ['10.0.0.7:8000'], spelling);
    }
    assert.deepEqual(
      configsOf(imported(withTarget('${env:NIM_HOST:-nim}:8000')))[0]?.staticConfigs[0]?.targets,
      ['nim:8000'],
    );
  });

  test('any other value is needed before there is a document', () => {
    const text = collectorWith('', '').replace('llama', "'${env:MODEL}'");
    const all = imported(text);
    assert.deepEqual(all.documents, []);
    assert.deepEqual(lines(all.problems), [
      '7 cannot fill in a value: ${env:MODEL} is not in the file; run again with --set MODEL=VALUE',
    ]);
    assert.deepEqual(configsOf(imported(text, { MODEL: 'm' }))[0]?.staticConfigs[0]?.labels, { model: 'm' });
  });

  test('$$ is a dollar, $1 and $name are left', () => {
    const rule = (replacement: string) =>
      configsOf(
        imported(
          collectorWith(
            '',
            '',
            `          relabel_configs: [{target_label: a, replacement: '${replacement}'}]`,
          ),
        ),
      )[0]?.relabelConfigs[0]?.replacement;
    for (const [written, read] of [
      ['$$1', '$1'],
      ['$${1}-$$$$', '${1}-$$'],
      ['$1', '$1'],
      ['$name', '$name'],
      ['$${env:HOME}', '${env:HOME}'],
    ] as const) {
      assert.equal(rule(written), read, written);
    }
  });
});

describe('processors', () => {
  const withRules = (processors: string, names: string) => {
    const all = imported(collectorWith(processors, names));
    const rules = configsOf(all)[0]?.settings.metricRelabelConfigs ?? [];
    return { all, rules: rules.map(({ action, regex }) => `${action} ${regex}`) };
  };

  test('a filter of names is a rule on names, histograms as a whole', () => {
    for (const [filter, rule] of [
      [
        'metrics: {exclude: {match_type: strict, metric_names: [a, b_total]}}',
        'drop a(?:_bucket|_sum|_count)?|b_total(?:_bucket|_sum|_count)?',
      ],
      ['metrics: {include: {match_type: strict, metric_names: [a]}}', 'keep a(?:_bucket|_sum|_count)?'],
      [
        'metrics: {exclude: {match_type: regexp, metric_names: ["^python_", "gc$"]}}',
        'drop (?:python_).*|.*(?:gc)(?:_bucket|_sum|_count)?',
      ],
      [
        `metrics: {metric: ['name == "a"', 'IsMatch(name, "^go_.*$")']}`,
        'drop a(?:_bucket|_sum|_count)?|(?:go_.*)(?:_bucket|_sum|_count)?',
      ],
    ] as const) {
      const { all, rules } = withRules(`  filter: {${filter}}`, 'filter');
      assert.deepEqual([lines(all.problems), rules], [[], [rule]], filter);
    }
  });

  test('any other filter is named, and changes nothing', () => {
    for (const filter of [
      'metrics: {exclude: {match_type: expr, expressions: [x]}}',
      'metrics: {exclude: {match_type: regexp, metric_names: ["^a|b$"]}}',
      'metrics: {exclude: {match_type: regexp, metric_names: ["a\\\\b"]}}',
      `metrics: {datapoint: ['attributes["a"] == "b"']}`,
      `metrics: {metric: ['type == METRIC_DATA_TYPE_SUMMARY']}`,
    ]) {
      const { all, rules } = withRules(`  filter: {${filter}}`, 'filter');
      assert.deepEqual(rules, []);
      assert.match(
        lines(all.problems).join(),
        /^10 cannot carry over .* of processor filter: it has no exact/,
        filter,
      );
    }
    assert.deepEqual(
      withRules(`  filter: {traces: {span: [x]}, error_mode: ignore}`, 'filter').all.problems,
      [],
    );
  });

  test('constants become labels; what is more than that is named', () => {
    const labels = (actions: string) => {
      const all = imported(collectorWith(`  attributes: {actions: [${actions}]}`, 'attributes'));
      return [configsOf(all)[0]?.staticConfigs[0]?.labels, all.problems.length];
    };
    assert.deepEqual(labels('{key: env, value: prod, action: insert}'), [{ model: 'llama', env: 'prod' }, 0]);
    assert.deepEqual(labels('{key: model, value: m, action: insert}'), [{ model: 'llama' }, 0]);
    assert.deepEqual(labels('{key: model, value: m, action: upsert}'), [{ model: 'm' }, 0]);
    for (const action of [
      '{key: model, action: delete}',
      '{key: env, from_attribute: model, action: upsert}',
      '{key: service.name, value: x, action: upsert}',
    ]) {
      assert.deepEqual(labels(action), [{ model: 'llama' }, 1], action);
    }
  });

  test('what cumulativetodelta left out was refused by Dynatrace', () => {
    const all = imported(
      collectorWith(
        '  cumulativetodelta: {exclude: {metrics: [a], match_type: strict}}',
        'cumulativetodelta',
      ),
    );
    assert.deepEqual(all.problems, []);
    assert.match(
      lines(all.notes).join(),
      /^10 exclude has no effect: .* were refused by Dynatrace, and are sent now/,
    );
  });

  test('a processor that no pipeline has means nothing', () => {
    assert.deepEqual(imported(collectorWith('  transform: {}', '')).problems, []);
    assert.equal(imported(collectorWith('  transform: {}', 'transform')).problems.length, 1);
    assert.match(
      lines(imported(collectorWith('  transform: {}', 'transfrom')).problems).join(),
      /cannot find processor transfrom: it is not under processors/,
    );
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
    assert.match(lines(large.notes).join(), /2 the job has more than 4096 bytes even with a single target/);
    const tooLarge = imported(withTargets(2, rules(8_100)));
    assert.deepEqual([tooLarge.documents.length, tooLarge.problems.length], [0, 1]);
    assert.match(lines(tooLarge.problems).join(), /^2 cannot store the job: /);
  });
});
