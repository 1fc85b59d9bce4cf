/** Query parameters that are secrets by their names: refused wherever they stand, and never printed. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readAddress } from '../../functions/core/config/address.ts';
import { readDocuments } from '../../functions/core/config/documents.ts';
import { hasSecretQuery, isSecretParam } from '../../functions/core/config/secret-param.ts';
import { configsOf, imported, lines } from './imported.ts';

const REMEDY =
  'it is a secret by its name; send it as a header by a reference, under http_headers and secrets, or as authorization';

function problemsOf(value: string): readonly string[] {
  const { problems } = readDocuments([{ name: '/p/targets/nim', value }]);
  return problems.map(({ line, column, message }) => `${line ?? '-'}:${column ?? '-'} ${message}`);
}

test('which names are secrets', () => {
  const secrets =
    'token api_key apikey api-key key access_key access_token X-Auth-Token password passwd pwd pass secret client_secret sig signature Authorization';
  for (const name of secrets.split(' ')) assert(isSecretParam(name), name);
  // snmp_exporter names a block of its own file by `auth`.
  for (const name of 'auth module target collect[] match[] monkey design author format'.split(' '))
    assert(!isSecretParam(name), name);
});

test('a query of an address that is none yet, in linear time', () => {
  for (const address of ['a?token=x', 'a?x=1&api_key=y', 'a?b?token=x', 'a??token=x'])
    assert(hasSecretQuery(address), address);
  for (const address of ['a', 'a?', 'a?module=token', '?'.repeat(1_000_000)])
    assert(!hasSecretQuery(address), address.slice(0, 20));
});

describe('a document', () => {
  const JOB = "job_name: snmp\nstatic_configs: [{targets: ['a:1']}]\n";
  for (const [document, place] of [
    [`${JOB}params: {module: [a], token: [PLANTED]}`, '3:23'],
    ["job_name: snmp\nstatic_configs: [{targets: ['a:1'], labels: {__param_token: PLANTED}}]", '2:46'],
    [`${JOB}relabel_configs: [{target_label: __param_token, replacement: PLANTED}]`, '3:34'],
  ] as const) {
    test(`refused at ${place}: ${document.split('\n').at(-1)}`, () => {
      assert.deepEqual(problemsOf(document), [
        `${place} cannot use the parameter token of the job "snmp": ${REMEDY}`,
      ]);
    });
  }

  test('an address with one is refused, and does not stop the others; of its text nothing is printed', () => {
    const text = '10.0.0.1:8000/metrics?api_key=PLANTED 10.0.0.2:8000/metrics?module=x';
    const read = readDocuments([{ name: '/p/targets/nim', value: text }]);
    assert.deepEqual(
      read.problems.map(({ message }) => message),
      [`cannot use the parameter api_key of the job "nim": ${REMEDY}`],
    );
    assert.equal(read.configs[0]?.staticConfigs[0]?.targets[0], '10.0.0.2:8000');
    assert.doesNotMatch(JSON.stringify(readAddress('no host?token=PLANTED', 'nim')), /PLANTED/);
    assert.doesNotMatch(
      problemsOf("static_configs: [{targets: ['a:1/m?token=PLANTED', '?a=PLANTED']}]").join(),
      /PLANTED/,
    );
  });

  test('a target with one is refused, also where rules would make an address of it', () => {
    const rules = 'relabel_configs: [{source_labels: [__address__], target_label: __param_target}]';
    const problemsWith = (target: string) =>
      problemsOf(`static_configs: [{targets: ['${target}']}]\n${rules}`);
    assert.deepEqual(problemsWith('https://a/m?x=1&token=PLANTED'), [
      `1:29 cannot use the target "https://a/m": its query holds ${REMEDY.replace('it is ', '')}`,
    ]);
    assert.deepEqual(problemsWith('https://a/m?x=1&module=token'), []);
  });

  test('a name that may be a value is not printed', () => {
    const [problem] = problemsOf(`${JOB}params: {"token=PLANTED": [a]}`);
    assert.equal(problem, `3:10 cannot use a parameter of the job "snmp": ${REMEDY}`);
  });

  test('an unknown key is printed only if it may be one', () => {
    const longest = `k${'x'.repeat(40)}`;
    assert.match(problemsOf(`${longest}: 1\njob_name: a`)[0] ?? '', new RegExp(`cannot use ${longest}:`));
    assert.match(problemsOf(`${longest}x: 1\njob_name: a`)[0] ?? '', /cannot use a key:/);
  });

  test('those of snmp_exporter are no secrets', () => {
    assert.deepEqual(problemsOf(`${JOB}params: {auth: [lab_v3], module: [if_mib]}`), []);
  });
});

describe('an import', () => {
  const file = (params: string) =>
    `scrape_configs:\n- job_name: snmp\n  metrics_path: /snmp\n  params: {${params}}\n  static_configs: [{targets: ['a:1']}]\n- job_name: nim\n  metrics_path: /metrics\n  static_configs: [{targets: ['b:1']}]\n`;

  test('carries over the block name of snmp_exporter', () => {
    const all = imported(file('auth: [lab_v3], module: [if_mib]'));
    assert.deepEqual(lines(all.problems), []);
    assert.deepEqual(configsOf(all)[0]?.params, { auth: ['lab_v3'], module: ['if_mib'] });
  });

  test('names the parameter, the job and what becomes of it; the other jobs carry over', () => {
    const all = imported(file('auth: [a], token: [PLANTED]'));
    assert.deepEqual(lines(all.problems), [
      `4 cannot use the parameter token of the job "snmp": ${REMEDY}; the job is left out`,
    ]);
    assert.deepEqual(
      configsOf(all).map(({ jobName }) => jobName),
      ['nim'],
    );
    assert.doesNotMatch(JSON.stringify(all), /PLANTED/);
  });
});
