import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readAddress } from '../../functions/core/config/address.ts';
import { MAX_DIMENSION_VALUE_LENGTH } from '../../functions/core/dynatrace.ts';
import { createTarget, identityOf, resourceOf, shapeOf, urlOf } from '../../functions/core/targets.ts';

function targetOf(text: string, job = 'nim') {
  const target = readAddress(text, job);
  assert.ok(typeof target === 'object', `${text} is no target`);
  return target;
}

test('a key is the whole identity (D11): what differs in any part of it is another target', () => {
  const texts = [
    'a:1',
    'a:2',
    'b:1',
    'https://a:1',
    'a:1/metrics',
    'a:1?x=1',
    'a:1?x=2',
    'a:1?y=1',
    'a:1?x=1&y=1',
  ];
  const keys = [...texts.map((text) => targetOf(text).key), targetOf('a:1', 'other').key];
  assert.equal(new Set(keys).size, keys.length);
  assert.equal(targetOf('a:1/metrics?x=1&y=2').key, 'target/nim/a%3A1/http://a:1/metrics?x=1&y=2');
});

test('a key cannot be forged by slashes in a job or an instance', () => {
  const about = { scheme: 'http', address: 'a:1', path: '', params: [] } as const;
  const one = createTarget({ ...about, job: 'x/y', instance: 'z' });
  const other = createTarget({ ...about, job: 'x', instance: 'y/z' });
  assert.notEqual(one.key, other.key);
});

test("a target has Prometheus' interval and timeout, and limits that its state item holds", () => {
  const { intervalMs, timeoutMs, sampleLimit, bodySizeLimitBytes, initialValue } = targetOf('a:1');
  assert.deepEqual(
    [intervalMs, timeoutMs, sampleLimit, bodySizeLimitBytes, initialValue],
    [60_000, 10_000, 50_000, 8_388_608, 'auto'],
  );
  const { followRedirects, enableCompression, honorLabels, honorTimestamps, labels } = targetOf('a:1');
  assert.deepEqual(
    [followRedirects, enableCompression, honorLabels, honorTimestamps],
    [true, true, false, true],
  );
  assert.deepEqual(labels, []);
});

test('urlOf writes a query once more as it was meant', () => {
  const target = targetOf('https://a:1/m?match[]=up{x="1 2"}&match[]=b&e=');
  const url = urlOf(target, target.path);
  assert.equal(url, 'https://a:1/m?match%5B%5D=up%7Bx%3D%221%202%22%7D&match%5B%5D=b&e=');
  assert.deepEqual([...new URL(url).searchParams], target.params);
  assert.equal(urlOf(targetOf('a:1'), '/v1/metrics'), 'http://a:1/v1/metrics');
});

describe('attributes', () => {
  for (const [text, address, port] of [
    ['10.0.1.17:8000', '10.0.1.17', '8000'],
    ['nim', 'nim', '80'],
    ['https://nim', 'nim', '443'],
    ['[2001:db8::17]:8000', '2001:db8::17', '8000'],
    ['https://[2001:db8::17]', '2001:db8::17', '443'],
  ] as const) {
    test(`of the resource of ${text}`, () => {
      const target = targetOf(text);
      assert.deepEqual(resourceOf(target), {
        'service.name': 'nim',
        'service.instance.id': target.instance,
        'server.address': address,
        'server.port': port,
        'url.scheme': text.startsWith('https') ? 'https' : 'http',
      });
    });
  }

  test('of the point are those that tell targets apart', () => {
    assert.deepEqual(identityOf(targetOf('a:1')), { 'service.name': 'nim', 'service.instance.id': 'a:1' });
  });

  test(`a name of ${MAX_DIMENSION_VALUE_LENGTH} characters fits, a longer one is shortened alike in both`, () => {
    const longest = 'j'.repeat(MAX_DIMENSION_VALUE_LENGTH);
    assert.equal(identityOf(targetOf('a:1', longest))['service.name'], longest);
    const target = { ...targetOf('a:1', `${longest}j`), instance: `${longest}i` };
    const { 'service.name': job, 'service.instance.id': instance, ...rest } = resourceOf(target);
    assert.equal(job?.length, MAX_DIMENSION_VALUE_LENGTH);
    assert.equal(instance?.length, MAX_DIMENSION_VALUE_LENGTH);
    assert.deepEqual(identityOf(target), { 'service.name': job, 'service.instance.id': instance });
    assert.deepEqual(rest, { 'server.address': 'a', 'server.port': '1', 'url.scheme': 'http' });
  });
});

test('a shape changes with path, format and reading, and with nothing else (D5)', () => {
  const shapes = [
    shapeOf('/v1/metrics', 'text', ''),
    shapeOf('/metrics', 'text', ''),
    shapeOf('/v1/metrics', 'openmetrics', ''),
    shapeOf('/v1/metrics,text', '', ''),
    shapeOf('/v1/metrics', 'text', 'other labels'),
  ];
  assert.equal(new Set(shapes).size, 5);
  assert.equal(shapeOf('/v1/metrics', 'text', ''), shapes[0]);
});
