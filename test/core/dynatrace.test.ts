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
  clashingLabels,
  description,
  dimensionKey,
  metricKey,
  pointAttributes,
  unit,
  withoutNegativeBounds,
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
    ['dt.sfm.mine', 'dt_sfm.mine'],
    ['a..b', 'a.b'],
    ['a.-b', 'a.b'],
    ['a-.b', 'a-.b'],
    ['ab.1', 'ab.1'],
    ['ab.-.', 'ab'],
    ['dt..mine', 'dt_mine'],
    ['a.', undefined],
    ['a', undefined],
    ['_a', undefined],
    ['', undefined],
    ['123', undefined],
    ['温度', undefined],
  ];
  for (const [name, key] of CASES) {
    test(`${JSON.stringify(name)} is ${key ?? 'unsendable'}`, () => assert.equal(metricKey(name), key));
  }

  test(`${MAX_METRIC_KEY_LENGTH} characters fit, more end in a hash of all`, () => {
    const longest = 'a'.repeat(MAX_METRIC_KEY_LENGTH);
    assert.equal(metricKey(longest), longest);
    assert.equal(metricKey(`_${longest}`), longest);
    assert.equal(metricKey(`${longest}a`), `${longest.slice(12)}_1068xx36gs6`);
    assert.notEqual(metricKey(`${longest}b`), metricKey(`${longest}a`));
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
    ['a..b', 'a.b'],
    ['a.', 'a'],
    ['...', ''],
    ['1st', 'st'],
    ['ключ', ''],
    ['', ''],
  ];
  for (const [name, key] of CASES) {
    test(`${JSON.stringify(name)} is ${JSON.stringify(key)}`, () => assert.equal(dimensionKey(name), key));
  }

  test(`${MAX_DIMENSION_KEY_LENGTH} characters fit, more end in a hash of all`, () => {
    const longest = 'a'.repeat(MAX_DIMENSION_KEY_LENGTH);
    assert.equal(dimensionKey(longest), longest);
    assert.equal(dimensionKey(`${longest}b`), `${longest.slice(12)}_2g4ggil8x9a`);
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

  test('which is told', () => {
    assert.deepEqual(clashingLabels(['A', '1', 'B', '2', 'a', '3']), ['A', 'a']);
    assert.equal(clashingLabels(['_', '1', '__', '2', 'a', '3']), undefined);
  });

  test('what a job adds: a label says otherwise but for dt.*, identity is never changed', () => {
    const added = {
      'dt.security_context': 'team-a',
      'k8s.cluster.name': 'prod',
      model_name: 'other',
      'service.name': 'impostor',
    };
    const labels = ['dt.security_context', 'all', 'model_name', 'llama'];
    assert.deepEqual(
      { ...pointAttributes(labels, IDENTITY, added) },
      {
        'dt.security_context': 'team-a',
        model_name: 'llama',
        'k8s.cluster.name': 'prod',
        ...IDENTITY,
      },
    );
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

  test(`values of more than ${MAX_DIMENSION_VALUE_LENGTH} characters end in a hash of all, pairs stay whole`, () => {
    const full = 'x'.repeat(MAX_DIMENSION_VALUE_LENGTH);
    const kept = full.slice(12);
    const sent = (value: string) => pointAttributes(['a', value], {})?.['a'] ?? '';
    assert.equal(sent(full), full);
    assert.equal(sent(`${full}y`), `${kept}_0wiffses7gy`);
    assert.notEqual(sent(`${full}z`), sent(`${full}y`));
    const whole = `${full.slice(2)}${ROCKET}`;
    assert.equal(sent(whole), whole);
    const split = sent(`${kept.slice(1)}${ROCKET}${full}`);
    assert.equal(split.slice(0, -12), kept.slice(1));
    assert.equal(split.length, MAX_DIMENSION_VALUE_LENGTH - 1);
    assert.equal(pointAttributes([], { 'service.name': `${full}y` })?.['service.name'], sent(`${full}y`));
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

describe('bounds below zero', () => {
  const CASES: readonly [bounds: number[], buckets: number[], left: number[], sums: number[]][] = [
    [
      [-5, -1, 0, 1],
      [1, 2, 3, 4, 5],
      [0, 1],
      [6, 4, 5],
    ],
    [[-5, 2], [1, 2, 3], [2], [3, 3]],
    [[-5, -1], [1, 2, 3], [], [6]],
    [
      [0, 1],
      [1, 2, 3],
      [0, 1],
      [1, 2, 3],
    ],
    [[], [7], [], [7]],
  ];
  for (const [bounds, buckets, left, sums] of CASES) {
    test(`${bounds.join()} become ${left.join()}`, () =>
      assert.deepEqual(withoutNegativeBounds(bounds, buckets), { bounds: left, buckets: sums }));
  }
});
