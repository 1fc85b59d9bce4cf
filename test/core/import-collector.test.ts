/** A Collector's receivers, processors, exporters and environment, as documents and commands. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MAX_DIMENSION_VALUE_LENGTH } from '../../functions/core/dynatrace.ts';
import { commandText } from '../../functions/core/import/commands.ts';
import { collectorWith, configsOf, imported, lines } from './imported.ts';
import { REFERENCE, TWO_RECEIVERS } from './written-collectors.ts';

describe('a Collector with two receivers', () => {
  const all = imported(TWO_RECEIVERS);

  test('dollars are halved, settings and attributes of its pipeline stand in each job', () => {
    const [nim, dcgm] = configsOf(all);
    assert.equal(nim?.scrapeIntervalMs, 120_000);
    assert.deepEqual(
      nim.relabelConfigs.map(({ targetLabel, replacement }) => [targetLabel, replacement]),
      [['host', '$1']],
    );
    for (const job of [nim, dcgm])
      assert.deepEqual(job?.settings.attributes, { 'deployment.environment': 'prod' });
    assert.equal(nim.settings.initialValue, 'drop');
    assert.equal(dcgm?.scrapeIntervalMs, 60_000);
    assert.deepEqual(dcgm.staticConfigs, [{ targets: ['10.0.0.1:9400'], labels: {} }]);
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
      '- no metrics_path: /v1/metrics is tried first, then /metrics, where Prometheus asks /metrics alone',
      "3 receiver otlp is left out: who sends to it can send to Dynatrace's OTLP API directly",
      '24 receiver prometheus/unused is left out: no metrics pipeline has it, so nothing of it is sent',
      '29 processor batch is not needed: bodies are as large as Dynatrace takes them',
      '30 processor memory_limiter is not needed: what a page may take is bounded',
      '32 max_staleness belongs to the deployment, not to a document: deploy with -c maxStaleness=10m; the default is 25h',
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

  describe('constants', () => {
    const constants = (processors: string, names: string) => {
      const all = imported(collectorWith(processors, names));
      const [config] = configsOf(all);
      return {
        labels: config?.staticConfigs[0]?.labels,
        attributes: config?.settings.attributes,
        problems: lines(all.problems),
      };
    };
    const resource = (actions: string) => constants(`  resource: {attributes: [${actions}]}`, 'resource');
    const attributes = (actions: string) => constants(`  attributes: {actions: [${actions}]}`, 'attributes');
    const insert = (key: string, value: string) => `{key: ${key}, value: ${value}, action: insert}`;
    const upsert = (key: string, value: string) => `{key: ${key}, value: ${value}, action: upsert}`;
    const LABELS = { model: 'llama' };

    test('what leaves the page’s labels alone is an attribute of the points', () => {
      for (const [read, attribute] of [
        [attributes(insert('env', 'prod')), { env: 'prod' }],
        [attributes(upsert('k8s.cluster.name', 'prod')), { 'k8s.cluster.name': 'prod' }],
        [resource(insert('env', 'prod')), { env: 'prod' }],
        [resource(upsert('env', 'prod')), { env: 'prod' }],
        [resource(upsert('dt.cost.costcenter', '5')), { 'dt.cost.costcenter': '5' }],
        [resource(upsert('Env', 'prod')), { env: 'prod' }],
        [attributes(`${insert('env', 'a')}, ${insert('env', 'b')}`), { env: 'a' }],
        [resource(`${insert('env', 'a')}, ${upsert('env', 'b')}`), { env: 'b' }],
      ] as const)
        assert.deepEqual(read, { labels: LABELS, attributes: attribute, problems: [] });
    });

    test('what may win over the page is a label of the target', () => {
      assert.deepEqual(attributes(upsert('model', 'm')), {
        labels: { model: 'm' },
        attributes: {},
        problems: [],
      });
    });

    test('the data point’s wins over the resource’s, whichever comes first', () => {
      const both = `  resource: {attributes: [${upsert('env', 'r')}]}\n  attributes: {actions: [${insert('env', 'p')}]}`;
      for (const names of ['resource, attributes', 'attributes, resource'])
        assert.deepEqual(constants(both, names).attributes, { env: 'p' });
    });

    test('what is more than a constant is named', () => {
      for (const action of [
        '{key: model, action: delete}',
        '{key: env, from_attribute: model, action: upsert}',
        '{key: service.name, value: x, action: upsert}',
        '{key: server.address, value: x, action: insert}',
        '{key: "°", value: x, action: insert}',
        '{key: env, value: "", action: insert}',
        `{key: env, value: ${'x'.repeat(MAX_DIMENSION_VALUE_LENGTH + 1)}, action: insert}`,
      ]) {
        const { problems, ...read } = attributes(action);
        assert.deepEqual(read, { labels: LABELS, attributes: {} }, action);
        assert.equal(problems.length, 1, action);
        assert.match(problems[0] ?? '', /^10 cannot carry over an action of processor attributes: .*; write/);
      }
      assert.equal(attributes(insert('env', 'x'.repeat(MAX_DIMENSION_VALUE_LENGTH))).problems.length, 0);
      const chosen = constants(
        `  attributes: {include: {match_type: strict}, actions: [${insert('env', 'x')}]}`,
        'attributes',
      );
      assert.deepEqual(chosen.attributes, {});
      assert.match(chosen.problems[0] ?? '', /^10 cannot carry over include of processor attributes/);
      const detected = constants('  resourcedetection: {detectors: [eks]}', 'resourcedetection');
      assert.match(detected.problems[0] ?? '', /^10 cannot carry over processor resourcedetection/);
    });

    test('options that the job has already stay', () => {
      const job = '          dynatrace: {attributes: {env: own}, preset: core}';
      const text = collectorWith(`  resource: {attributes: [${insert('env', 'x')}]}`, 'resource', job);
      const [config] = configsOf(imported(text));
      assert.deepEqual(
        [config?.settings.attributes, config?.settings.output.preset],
        [{ env: 'own' }, 'core'],
      );
    });
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
      lines(all.notes).join('\n'),
      /^10 exclude has no effect: .* were refused by Dynatrace, and are sent now/m,
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
