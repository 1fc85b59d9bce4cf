/** Configurations inside of other files are recognized, and what is to be given instead is named. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readDocuments } from '../../functions/core/config/documents.ts';
import { configsOf, imported, lines } from './imported.ts';

const INNER = `scrape_configs:
- job_name: nim
  metrics_path: /metrics
  static_configs: [{targets: ['a:1']}]
`;
const indented = (text: string, by: number): string => text.replace(/^(?=.)/gm, ' '.repeat(by));

const WRAPPED: Readonly<Record<string, readonly [text: string, below: string]>> = {
  'values of a Helm chart of the Collector': [
    `mode: deployment\nconfig:\n  receivers:\n    prometheus:\n      config:\n${indented(INNER, 8)}`,
    'config',
  ],
  'a ConfigMap': [
    `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: prometheus}\ndata:\n  prometheus.yml: |\n${indented(INNER, 4)}`,
    'data: prometheus.yml',
  ],
  'a resource of the operator whose configuration is a text': [
    `apiVersion: opentelemetry.io/v1alpha1\nkind: OpenTelemetryCollector\nspec:\n  config: |\n    receivers:\n      prometheus:\n`,
    'spec: config',
  ],
  'extra jobs of a Helm chart of Prometheus': [
    `server: {retention: 15d}\nextraScrapeConfigs: |\n  - job_name: nim\n    static_configs: [{targets: ['a:1']}]\n`,
    'extraScrapeConfigs',
  ],
  'additional jobs as a list': [
    `prometheus:\n  prometheusSpec:\n    additionalScrapeConfigs:\n    - job_name: nim\n`,
    'prometheus: prometheusSpec: additionalScrapeConfigs',
  ],
};

for (const [name, [text, below]] of Object.entries(WRAPPED)) {
  test(`${name}: give the part below ${below}`, () => {
    const remedy = `the configuration is inside of another file; give the part below ${below}`;
    const { problems } = readDocuments([{ name: '/p/targets/nim', value: text }]);
    assert.deepEqual(
      problems.map(({ message }) => message),
      [`cannot read the document: ${remedy}`],
    );
    assert.deepEqual(lines(imported(text).problems), [`1 cannot read the file: ${remedy}`]);
  });
}

describe('what is not wrapped', () => {
  test('a Prometheus file, and a resource of the operator whose configuration is a mapping', () => {
    assert.deepEqual(lines(imported(INNER).problems), []);
    const resource = `apiVersion: opentelemetry.io/v1beta1\nkind: OpenTelemetryCollector\nspec:\n  config:\n    receivers:\n      prometheus:\n        config:\n${indented(INNER, 10)}`;
    assert.equal(configsOf(imported(resource))[0]?.jobName, 'nim');
  });

  test('a Kubernetes object without any configuration', () => {
    const value = 'apiVersion: v1\nkind: Service\nspec: {ports: [{port: 8000}]}';
    const { problems } = readDocuments([{ name: '/p/targets/nim', value }]);
    assert.match(problems[0]?.message ?? '', /it is a Kubernetes object/);
  });

  test('scrape_config for scrape_configs', () => {
    const text = INNER.replace('scrape_configs', 'scrape_config');
    const message = /^1 cannot use scrape_config: it is no key of a Prometheus file; write scrape_configs$/;
    assert.match(lines(imported(text).problems).join('\n'), message);
    for (const value of [text, `global: {}\n${text}`]) {
      const { problems } = readDocuments([{ name: '/p/targets/nim', value }]);
      assert.match(
        problems.map((problem) => problem.message).join('\n'),
        /scrape_config: .*; write scrape_configs$/,
      );
    }
  });
});
