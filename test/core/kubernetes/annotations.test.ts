/** Each of Dynatrace's annotations, well written and not. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MAX_FILTER_NAMES, readScrapeAnnotations } from '../../../functions/core/kubernetes/annotations.ts';
import { annotated } from '../../fakes/kubernetes.ts';

const read = (annotations: Readonly<Record<string, string>>) => {
  const found = readScrapeAnnotations(annotated(annotations));
  assert.ok(found);
  return found;
};
const faultsOf = (annotations: Readonly<Record<string, string>>) => read(annotations).faults;

const NOTHING = { secure: false, insecureSkipVerify: false, references: {}, faults: [] };

describe('scrape', () => {
  test('"true" asks, nothing else does', () => {
    assert.deepEqual(read({}), NOTHING);
    for (const scrape of ['false', 'True', '1', 'yes', '', ' true'])
      assert.equal(readScrapeAnnotations(annotated({ scrape })), undefined, scrape);
    assert.equal(readScrapeAnnotations({}), undefined);
    assert.equal(readScrapeAnnotations({ 'prometheus.io/scrape': 'true' }), undefined);
  });
});

describe('port', () => {
  for (const port of ['1', '8000', '65535', 'http', 'http-metrics', 'p8000', '1e3', '0x1f'])
    test(`${port} is one`, () => assert.deepEqual(read({ port: ` ${port}\n` }), { ...NOTHING, port }));

  for (const port of ['0', '65536', '-1', '8000.5', '8000/tcp', 'HTTP', 'a'.repeat(16), '123456', '', '٨'])
    test(`${JSON.stringify(port)} is none`, () =>
      assert.deepEqual(faultsOf({ port }), [
        'the annotation metrics.dynatrace.com/port is no port; write its number, such as "8000"',
      ]));
});

describe('path', () => {
  test('is taken as it is, but for the slash that every path begins with; none is found out', () => {
    for (const path of ['/metrics', '/v1/metrics', '/', '/a b'])
      assert.deepEqual(read({ path }), { ...NOTHING, path });
    assert.equal(read({ path: 'v1/metrics' }).path, '/v1/metrics');
    assert.deepEqual(read({ path: ' ' }), NOTHING);
  });
});

describe('secure and insecure_skip_verify', () => {
  test('true and false, and nothing that looks like them', () => {
    assert.equal(read({ secure: 'true' }).secure, true);
    assert.equal(read({ insecure_skip_verify: 'true' }).insecureSkipVerify, true);
    assert.deepEqual(read({ secure: 'false', insecure_skip_verify: 'false' }), NOTHING);
    for (const flag of ['secure', 'insecure_skip_verify']) {
      for (const value of ['True', '1', 'yes', ''])
        assert.deepEqual(faultsOf({ [flag]: value }), [
          `the annotation metrics.dynatrace.com/${flag} is neither true nor false; write "true" or "false"`,
        ]);
    }
  });
});

describe('filter', () => {
  const filterOf = (filter: unknown) => read({ filter: JSON.stringify(filter) });

  test('names with * at their ends', () => {
    const names = ['num_requests_running', 'num_*', '*_total', '*tokens*', '*'];
    for (const mode of ['include', 'exclude'])
      assert.deepEqual(filterOf({ mode, names }), { ...NOTHING, filter: { mode, names } });
    assert.deepEqual(filterOf({ mode: 'exclude', names: [] }).faults, []);
  });

  test('as many names as a job may list, not one more', () => {
    const names = Array.from({ length: MAX_FILTER_NAMES }, (_, n) => `name_${n}`);
    assert.deepEqual(filterOf({ mode: 'include', names }).faults, []);
    assert.equal(filterOf({ mode: 'include', names: [...names, 'more'] }).faults.length, 1);
  });

  for (const filter of [
    '',
    'num_*',
    '{"mode": "include", "names": ["a"]',
    'null',
    '[]',
    '"include"',
    '{}',
    '{"mode": "INCLUDE", "names": ["a"]}',
    '{"names": ["a"]}',
    '{"mode": "include"}',
    '{"mode": "include", "names": "a"}',
    '{"mode": "include", "names": [1]}',
    '{"mode": "include", "names": [""]}',
    '{"mode": "include", "names": ["a*b"]}',
    '{"mode": "include", "names": []}',
  ])
    test(`${filter || 'nothing'} is none`, () =>
      assert.deepEqual(faultsOf({ filter }), [
        `the annotation metrics.dynatrace.com/filter is no filter; write {"mode": "include", "names": ["num_requests_*"]}, with up to ${MAX_FILTER_NAMES} names and * at their ends only`,
      ]));
});

describe('references', () => {
  const KEYS = [
    ...(['tls.ca.crt', 'tls.crt', 'tls.key'] as const),
    ...(['http.auth', 'http.auth.basic.username', 'http.auth.basic.password'] as const),
  ];

  for (const key of KEYS) {
    test(`${key}: a Secret or a ConfigMap`, () => {
      assert.deepEqual(read({ [key]: 'secret:nim:llm-tls:ca.crt' }).references, {
        [key]: { kind: 'secret', namespace: 'nim', name: 'llm-tls', field: 'ca.crt' },
      });
      assert.deepEqual(read({ [key]: 'configmap:nim:trust:ca_1' }).references, {
        [key]: { kind: 'configmap', namespace: 'nim', name: 'trust', field: 'ca_1' },
      });
    });
  }

  for (const [reference, cause] of [
    ['', 'neither a secret nor a configmap'],
    ['PLANTED', 'neither a secret nor a configmap'],
    ['Secret:nim:a:b', 'neither a secret nor a configmap'],
    ['secret:nim:PLANTED', 'no whole reference'],
    ['secret:nim:a:PLANTED:c', 'no whole reference'],
    ['secret:nim:a:', 'no whole reference'],
    ['secret:nim:../../b:c', 'no whole reference'],
    ['secret:nim:..:c', 'no whole reference'],
    ['secret:..:b:c', 'no whole reference'],
    ['secret:nim.x:b:c', 'no whole reference'],
    [`secret:nim:${'a'.repeat(254)}:c`, 'no whole reference'],
    ['builtin:default', "the ActiveGate's own account, which there is not here"],
  ] as const)
    test(`${reference.slice(0, 30) || 'nothing'} is none, and is not printed`, () => {
      for (const key of KEYS)
        assert.deepEqual(faultsOf({ [key]: reference }), [
          `the annotation metrics.dynatrace.com/${key} is ${cause}; write secret:<namespace>:<name>:<field>`,
        ]);
    });
});
