/** Documents as people write them: read as Prometheus v0.316.0 reads them, but for what the product promises otherwise. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { MAX_ATTRIBUTES } from '../../functions/core/config/config-bounds.ts';
import { readDocuments } from '../../functions/core/config/documents.ts';
import type { HttpClientSettings, ScrapeConfig } from '../../functions/core/scrape-config.ts';
import { WRITTEN_DISCOVERIES } from './written-discoveries.ts';
import { WRITTEN as WRITTEN_DOCUMENTS } from './written-documents.ts';

const WRITTEN = { ...WRITTEN_DOCUMENTS, ...WRITTEN_DISCOVERIES };

/**
 * What config.Load of Prometheus v0.316.0 makes of each document, wrapped into `scrape_configs:` where it is none; made
 * by a small Go program that prints the fields of each ScrapeConfig in our words.
 */
const THEIRS = JSON.parse(
  readFileSync(new URL('fixtures/prometheus-scrape-configs.json', import.meta.url), 'utf8'),
) as Record<string, readonly Readonly<Record<string, unknown>>[]>;

function read(name: string) {
  return readDocuments([{ name: '/prefix/targets/nim', value: WRITTEN[name] ?? '' }]);
}

/** A scrape_config with the names of the vectors, and what is ours put back to what is Prometheus'. */
function asTheirs({ settings, ...own }: ScrapeConfig, theirs: Readonly<Record<string, unknown>>) {
  const ours: Record<string, unknown> = { ...own, ...settings };
  // Ours are bounded, and an absent path is looked for.
  if (theirs['sampleLimit'] === 0) assert.equal(settings.sampleLimit, 50_000);
  if (theirs['bodySizeLimitBytes'] === 0) assert.equal(settings.bodySizeLimitBytes, 8 * 1024 * 1024);
  if (own.metricsPath === '') assert.equal(theirs['metricsPath'], '/metrics');
  else assert.equal(own.metricsPath, String(theirs['metricsPath']).replace(/^\/?/, '/'));
  const alike = {
    ...ours,
    metricsPath: theirs['metricsPath'],
    params: Object.keys(own.params).length === 0 ? null : own.params,
    httpSdConfigs: own.httpSdConfigs.map(clientAsTheirs),
    kubernetesSdConfigs: own.kubernetesSdConfigs.map(({ annotations, ...config }) => {
      assert.equal(annotations, false);
      return clientAsTheirs(config);
    }),
  };
  const bounded = ['sampleLimit', 'bodySizeLimitBytes'].map((key) => [
    key,
    theirs[key] === 0 ? 0 : ours[key],
  ]);
  const all: Record<string, unknown> = { ...alike, ...Object.fromEntries(bounded) };
  return Object.fromEntries(Object.keys(theirs).map((key) => [key, all[key]]));
}

/** Headers are ours to sort, and the vectors have none. */
function clientAsTheirs<T extends { readonly client: HttpClientSettings }>({ client, ...config }: T) {
  const { httpHeaders, ...rest } = client;
  assert.deepEqual(httpHeaders, []);
  return { ...config, client: rest };
}

describe('a document as people write it', () => {
  for (const name of Object.keys(WRITTEN)) {
    test(`${name}: what Prometheus reads`, () => {
      const { configs, problems, refused } = read(name);
      assert.deepEqual([problems, refused], [[], []]);
      const theirs = THEIRS[name] ?? [];
      assert.equal(configs.length, theirs.length);
      assert(theirs.length > 0);
      assert.deepEqual(
        configs.map((config, index) => asTheirs(config, theirs[index] ?? {})),
        theirs,
      );
    });
  }

  test('there are enough of them', () => assert(Object.keys(WRITTEN).length >= 25));
});

describe('what Prometheus has otherwise, or the vectors do not show', () => {
  test('TLS by inline PEM and by reference', () => {
    assert.deepEqual(read('mutual TLS').configs[0]?.settings.tlsConfig, {
      ca: '-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUK\n-----END CERTIFICATE-----\n',
      cert: { secret: 'ssm:/nim-to-dynatrace/secrets/nim-cert' },
      key: { secret: 'ssm:/nim-to-dynatrace/secrets/nim-key' },
      serverName: 'nim.example.com',
      insecureSkipVerify: false,
      minVersion: 'TLS12',
      maxVersion: 'TLS13',
    });
    assert.deepEqual(read('any certificate will do').configs[0]?.settings.tlsConfig, {
      insecureSkipVerify: true,
    });
  });

  test('headers, sorted by name', () => {
    assert.deepEqual(read('headers').configs[0]?.settings.httpHeaders, [
      { name: 'X-Api-Key', values: [], secrets: ['ssm:/nim-to-dynatrace/secrets/nim-key'] },
      { name: 'X-Scope-OrgID', values: ['acme'], secrets: [] },
    ]);
  });

  test('what means nothing here is noted with its place, and why', () => {
    const { notes } = read('what means nothing here');
    assert.deepEqual(
      notes.map(({ line, message }) => `${line} ${message}`),
      [
        '4 scrape_failure_log_file has no effect: failed scrapes are in the log of the function',
        '5 fallback_scrape_protocol has no effect: the text format is asked for, and what comes is read by its content',
        '6 scrape_native_histograms has no effect: native histograms come in protobuf only, and pages are read as text',
        '7 native_histogram_bucket_limit has no effect: native histograms come in protobuf only, and pages are read as text',
        '8 native_histogram_min_bucket_factor has no effect: native histograms come in protobuf only, and pages are read as text',
        '9 extra_scrape_metrics has no effect: the scrape_* gauges are always the same',
        '12 remote_write has no effect: samples go to Dynatrace',
        '14 storage has no effect: nothing is stored but baselines',
      ],
    );
  });

  test('an interval below the tick of the schedule is noted', () => {
    const value = 'scrape_interval: 30s\nstatic_configs: [{targets: ["a:1"]}]';
    const document = { name: '/p/targets/nim', value };
    assert.deepEqual(
      readDocuments([document]).notes.map(({ message }) => message),
      ['scrape_interval is 30s: the schedule fires every 60s, and the job is scraped once each time'],
    );
    assert.deepEqual(readDocuments([document], { tickMs: 30_000 }).notes, []);
  });

  test('our own options stand under dynatrace', () => {
    const { configs } = readDocuments([
      { name: '/p/targets/nim', value: 'dynatrace: {initial_value: keep}' },
    ]);
    assert.equal(configs[0]?.settings.initialValue, 'keep');
  });

  test('static attributes are texts, in the order of their keys', () => {
    const value = `
dynatrace:
  attributes:
    k8s.cluster.name: prod
    dt.cost.costcenter: 4711
    dt.security_context: team-a
    spot: true`;
    assert.deepEqual(readDocuments([{ name: '/p/targets/nim', value }]).configs[0]?.settings.attributes, {
      'dt.cost.costcenter': '4711',
      'dt.security_context': 'team-a',
      'k8s.cluster.name': 'prod',
      spot: 'true',
    });
  });

  test(`${MAX_ATTRIBUTES} static attributes are read, one more is not`, () => {
    const read = (count: number) =>
      readDocuments([
        {
          name: '/p/targets/nim',
          value: `dynatrace: {attributes: {${Array.from({ length: count }, (_, i) => `a${i}: x`).join(', ')}}}`,
        },
      ]);
    assert.equal(
      Object.keys(read(MAX_ATTRIBUTES).configs[0]?.settings.attributes ?? {}).length,
      MAX_ATTRIBUTES,
    );
    assert.match(read(MAX_ATTRIBUTES + 1).problems[0]?.message ?? '', /attributes.*20/);
  });

  test('job_name may be left to the name of the parameter by one scrape_config alone', () => {
    const jobs = (value: string) => readDocuments([{ name: '/p/targets/deep/nim', value }]);
    for (const text of [
      'scheme: https',
      '[{"scheme": "https"}]',
      'scrape_configs: [{scheme: https}]',
      '- scheme: https',
    ]) {
      assert.deepEqual(
        jobs(text).configs.map(({ jobName }) => jobName),
        ['nim'],
      );
    }
    assert.equal(jobs('- scheme: https\n- job_name: b').problems[0]?.line, 1);
    assert.match(jobs('job_name: ""').problems[0]?.message ?? '', /^cannot use job_name: it is empty/);
  });
});
