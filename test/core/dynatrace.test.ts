import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import {
  MAX_DESCRIPTION_LENGTH,
  MAX_DIMENSIONS,
  MAX_DIMENSION_KEY_LENGTH,
  MAX_DIMENSION_VALUE_LENGTH,
  MAX_METRIC_KEY_LENGTH,
  MAX_UNIT_LENGTH,
  OWN_DIMENSIONS,
  description,
  dimensionKey,
  metricKey,
  pointAttributes,
  unit,
} from '../../functions/core/dynatrace.ts';

const IDENTITY = { 'service.name': 'nim', 'service.instance.id': '10.0.0.1:8000' };
/** Two UTF-16 units. */
const ROCKET = '\u{1f680}';

describe('metric keys', () => {
  const CASES: readonly [name: string, key: string | undefined][] = [
    ['vllm:prompt_tokens_total', 'vllm_prompt_tokens_total'],
    ['http.server.request-count', 'http.server.request-count'],
    ['DCGM_FI_DEV_GPU_UTIL', 'DCGM_FI_DEV_GPU_UTIL'],
    ['_private_total', 'private_total'],
    ['::a1', 'a1'],
    ['9_lives', 'lives'],
    ['größe_total', 'gr__e_total'],
    [`go ${ROCKET}`, 'go___'],
    ['ab', 'ab'],
    ['a', undefined],
    ['_a', undefined],
    ['', undefined],
    ['123', undefined],
    ['温度', undefined],
  ];
  for (const [name, key] of CASES) {
    test(`${JSON.stringify(name)} is ${key ?? 'unsendable'}`, () => assert.equal(metricKey(name), key));
  }

  test(`${MAX_METRIC_KEY_LENGTH} characters fit, one more does not`, () => {
    const longest = 'a'.repeat(MAX_METRIC_KEY_LENGTH);
    assert.equal(metricKey(longest), longest);
    assert.equal(metricKey(`_${longest}`), longest);
    assert.equal(metricKey(`${longest}a`), undefined);
  });
});

describe('dimension keys', () => {
  const CASES: readonly [name: string, key: string][] = [
    ['model_name', 'model_name'],
    ['Hostname', 'hostname'],
    ['DCGM_FI_DRIVER_VERSION', 'dcgm_fi_driver_version'],
    ['k8s.pod-name', 'k8s.pod-name'],
    ['with:colon', 'with_colon'],
    ['__name__', 'name__'],
    ['__proto__', 'proto__'],
    ['1st', 'st'],
    ['ключ', ''],
    ['', ''],
  ];
  for (const [name, key] of CASES) {
    test(`${JSON.stringify(name)} is ${JSON.stringify(key)}`, () => assert.equal(dimensionKey(name), key));
  }

  test(`cut at ${MAX_DIMENSION_KEY_LENGTH} characters`, () => {
    const longest = 'a'.repeat(MAX_DIMENSION_KEY_LENGTH);
    assert.equal(dimensionKey(longest), longest);
    assert.equal(dimensionKey(`${longest}b`), longest);
  });
});

describe('point attributes', () => {
  test('labels and identity', () => {
    const attributes = pointAttributes(['engine', '0', 'model_name', 'meta/llama'], IDENTITY);
    assert.deepEqual({ ...attributes }, { engine: '0', model_name: 'meta/llama', ...IDENTITY });
    assert.deepEqual({ ...pointAttributes([], IDENTITY) }, IDENTITY);
  });

  test('identity wins', () => {
    const labels = ['Service.Instance.ID', 'liar', 'service.name', 'impostor'];
    assert.deepEqual({ ...pointAttributes(labels, IDENTITY) }, IDENTITY);
  });

  test('of labels that become one key, the first stays', () => {
    assert.deepEqual({ ...pointAttributes(['A', '1', 'a', '2'], {}) }, { a: '1' });
  });

  test('labels of which no key is left are left out', () => {
    assert.deepEqual({ ...pointAttributes(['_', 'x', 'ok', 'y', 'ключ', 'z'], {}) }, { ok: 'y' });
  });

  test('names that JavaScript gives a meaning are labels like others', () => {
    const labels = [
      '__proto__',
      'a',
      'constructor',
      'b',
      'hasOwnProperty',
      'c',
      'toString',
      'd',
      'proto',
      'e',
    ];
    assert.deepEqual(Object.entries(pointAttributes(labels, IDENTITY) ?? {}), [
      ['proto__', 'a'],
      ['constructor', 'b'],
      ['hasownproperty', 'c'],
      ['tostring', 'd'],
      ['proto', 'e'],
      ...Object.entries(IDENTITY),
    ]);
  });

  test(`values are cut at ${MAX_DIMENSION_VALUE_LENGTH} characters, never inside a surrogate pair`, () => {
    const full = 'x'.repeat(MAX_DIMENSION_VALUE_LENGTH);
    const short = full.slice(1);
    const cut = (value: string) => pointAttributes(['a', value], {})?.['a'];
    assert.equal(cut(full), full);
    assert.equal(cut(`${full}y`), full);
    assert.equal(cut(`${short}${ROCKET}`), short);
    assert.equal(cut(`${short.slice(1)}${ROCKET}`), `${short.slice(1)}${ROCKET}`);
    assert.equal(cut(`${short.slice(1)}${ROCKET}y`), `${short.slice(1)}${ROCKET}`);
    assert.equal(pointAttributes([], { 'service.name': `${full}y` })?.['service.name'], full);
  });

  test(`${MAX_DIMENSIONS} dimensions, ours of them ${OWN_DIMENSIONS}, fit; one more does not`, () => {
    const labels = (count: number) => Array.from({ length: count }, (_, i) => [`label${i}`, 'x']).flat();
    const most = MAX_DIMENSIONS - OWN_DIMENSIONS;
    const attributes = pointAttributes(labels(most), IDENTITY);
    assert.equal(Object.keys(attributes ?? {}).length, most + 2);
    assert.equal(pointAttributes(labels(most + 1), IDENTITY), undefined);
    // What identity overrides, or what has no key, is no dimension more.
    assert.notEqual(pointAttributes([...labels(most), 'service.name', 'x', '_', 'x'], IDENTITY), undefined);
  });
});

describe('units and descriptions', () => {
  const CASES: readonly [word: string, ucum: string][] = [
    ['seconds', 's'],
    ['bytes', 'By'],
    ['ratio', '1'],
    ['percent', '%'],
    ['joules', 'J'],
    ['celsius', 'Cel'],
    ['tokens', 'tokens'],
    ['bytes_per_second', 'By/s'],
    ['tokens_per_second', 'tokens/s'],
    ['requests_per_fortnight', 'requests/fortnight'],
    ['', ''],
    ['µs', ''],
    ['two words', ''],
  ];
  for (const [word, ucum] of CASES) {
    test(`${JSON.stringify(word)} is ${JSON.stringify(ucum)}`, () => assert.equal(unit(word), ucum));
  }

  test(`a unit of ${MAX_UNIT_LENGTH} characters fits, a longer one is none`, () => {
    assert.equal(unit('u'.repeat(MAX_UNIT_LENGTH)).length, MAX_UNIT_LENGTH);
    assert.equal(unit('u'.repeat(MAX_UNIT_LENGTH + 1)), '');
  });

  test(`a description is cut at ${MAX_DESCRIPTION_LENGTH} characters, never inside a surrogate pair`, () => {
    const full = 'x'.repeat(MAX_DESCRIPTION_LENGTH);
    assert.equal(description(full), full);
    assert.equal(description(`${full}y`), full);
    assert.equal(description(`${full.slice(1)}${ROCKET}`), full.slice(1));
  });
});
