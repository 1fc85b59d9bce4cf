import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { authorization, metricsUrl, tokenProblem } from '../../functions/core/endpoint.ts';

describe('metricsUrl', () => {
  const accepted: readonly (readonly [endpoint: string, url: string])[] = [
    ['https://abc.live.dynatrace.com/api/v2/otlp', 'https://abc.live.dynatrace.com/api/v2/otlp/v1/metrics'],
    ['https://abc.live.dynatrace.com/api/v2/otlp/', 'https://abc.live.dynatrace.com/api/v2/otlp/v1/metrics'],
    [
      ' https://abc.live.dynatrace.com/api/v2/otlp//\n',
      'https://abc.live.dynatrace.com/api/v2/otlp/v1/metrics',
    ],
    [
      'https://abc.live.dynatrace.com/api/v2/otlp/v1/metrics',
      'https://abc.live.dynatrace.com/api/v2/otlp/v1/metrics',
    ],
    [
      'https://abc.live.dynatrace.com/api/v2/otlp/v1/metrics/',
      'https://abc.live.dynatrace.com/api/v2/otlp/v1/metrics',
    ],
    [
      'https://abc.sprint.dynatracelabs.com/api/v2/otlp',
      'https://abc.sprint.dynatracelabs.com/api/v2/otlp/v1/metrics',
    ],
    [
      'https://gate.example.com:9999/e/abc/api/v2/otlp',
      'https://gate.example.com:9999/e/abc/api/v2/otlp/v1/metrics',
    ],
    [
      'https://gate.apps.cluster.example/e/abc/api/v2/otlp',
      'https://gate.apps.cluster.example/e/abc/api/v2/otlp/v1/metrics',
    ],
    ['http://127.0.0.1:4318', 'http://127.0.0.1:4318/v1/metrics'],
    ['http://[::1]:4318/', 'http://[::1]:4318/v1/metrics'],
  ];
  for (const [endpoint, url] of accepted) {
    test(`takes ${JSON.stringify(endpoint)}`, () => assert.deepEqual(metricsUrl(endpoint), { url }));
  }

  const fix = 'https://abc.live.dynatrace.com/api/v2/otlp';
  const refused: readonly (readonly [endpoint: string, remedy: string])[] = [
    ['https://abc.apps.dynatrace.com', fix],
    ['https://abc.apps.dynatrace.com/ui/apps/dynatrace.dashboards', fix],
    ['https://abc.live.apps.dynatrace.com/api/v2/otlp', fix],
    ['https://abc.sprint.apps.dynatracelabs.com', 'https://abc.sprint.dynatracelabs.com/api/v2/otlp'],
    ['https://abc.live.dynatrace.com', fix],
    ['https://abc.live.dynatrace.com/', fix],
    ['https://abc.live.dynatrace.com/v1/metrics', fix],
    ['https://abc.live.dynatrace.com/api/v2/metrics/ingest', fix],
    ['https://abc.live.dynatrace.com/api/v2/otlp/v1/traces', fix],
    ['https://gov.dynatrace.com/e/abc', 'https://gov.dynatrace.com/e/abc/api/v2/otlp'],
    ['http://abc.live.dynatrace.com/api/v2/otlp', fix],
    ['abc.live.dynatrace.com/api/v2/otlp', 'https://'],
    ['grpc://collector:4317', 'https://'],
    ['file:///etc/passwd', 'https://'],
    ['', 'https://'],
    ['https://', 'https://'],
  ];
  for (const [endpoint, remedy] of refused) {
    test(`refuses ${JSON.stringify(endpoint)} with the remedy`, () => {
      const result = metricsUrl(endpoint);
      assert.ok('problem' in result);
      assert.match(result.problem, /^cannot use the Dynatrace endpoint: .+; store .+$/);
      assert.ok(result.problem.includes(remedy), result.problem);
    });
  }

  test('never repeats what may be a secret', () => {
    for (const endpoint of [
      'https://planted:planted@abc.live.dynatrace.com/api/v2/otlp',
      'https://planted@gate.example.com/',
      'https://:planted@gate.example.com/',
      'https://gate.example.com/?api-token=planted',
      'https://gate.example.com/#planted',
      'not a url planted',
    ]) {
      const result = metricsUrl(endpoint);
      assert.ok('problem' in result, endpoint);
      assert.doesNotMatch(result.problem, /planted/);
    }
  });
});

test('the scheme of authorization follows the token', () => {
  assert.equal(authorization('dt0c01.PUBLIC.SECRET'), 'Api-Token dt0c01.PUBLIC.SECRET');
  assert.equal(authorization('dt0s16.PUBLIC.SECRET'), 'Bearer dt0s16.PUBLIC.SECRET');
  assert.equal(authorization('dt0s01.PUBLIC.SECRET'), 'Bearer dt0s01.PUBLIC.SECRET');
  assert.equal(authorization('dt0s1.PUBLIC'), 'Api-Token dt0s1.PUBLIC');
  assert.equal(authorization('anything'), 'Api-Token anything');
});

test('a token goes out by TLS only, but on this machine', () => {
  for (const url of [
    'https://gate:9999/v1/metrics',
    'http://localhost:4318/',
    'http://127.0.0.1/',
    'http://[::1]:1/',
  ])
    assert.equal(tokenProblem(url), undefined, url);
  for (const url of [
    'http://gate:9999/v1',
    'http://10.0.0.1/',
    'http://127.0.0.1.example.com/',
    'http://localhost.example.com/',
  ])
    assert.match(
      tokenProblem(url) ?? '',
      /^cannot use the Dynatrace endpoint: it would send the token unencrypted; store https:/,
      url,
    );
});
