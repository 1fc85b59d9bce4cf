/** Single values of target documents: sizes, numbers, references, misspellings. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseByteSize } from '../../functions/core/config/byte-size.ts';
import { readCount } from '../../functions/core/config/config-reading.ts';
import { editDistance, MAX_COMPARED_LENGTH, nearestKey } from '../../functions/core/config/key-spelling.ts';
import {
  isSecretReference,
  looksLikeReference,
  MAX_FIELD_LENGTH,
  MAX_PARAMETER_NAME_LENGTH,
  storingSecret,
} from '../../functions/core/config/secret-reference.ts';

describe('a size', () => {
  // What ParseBase2Bytes of alecthomas/units says of each; run with the version that Prometheus v0.316.0 has.
  for (const [text, bytes] of [
    ['0', 0],
    ['+0', 0],
    ['1B', 1],
    ['10MB', 10_485_760],
    ['10MiB', 10_485_760],
    ['1.5GiB', 1_610_612_736],
    ['.5KB', 512],
    ['1.KB', 1024],
    ['1GiB512MiB', 1_610_612_736],
    ['1MB512KB', 1_572_864],
    ['1KiB1B', 1025],
    ['1KB1B', 1025],
    ['1B1B', 2],
    ['0.3B', 0],
    ['+1KB', 1024],
    ['1EiB', 2 ** 60],
    ['', undefined],
    ['+', undefined],
    ['1', undefined],
    ['1000', undefined],
    ['1kB', undefined],
    ['1K', undefined],
    ['1MiB512KB', undefined],
    ['1KB1KiB', undefined],
    ['MB', undefined],
    ['.MB', undefined],
    ['1 MB', undefined],
    ['1mb', undefined],
    ['1iB', undefined],
    ['1e3B', undefined],
  ] as const) {
    test(`${JSON.stringify(text)} is ${bytes}`, () => assert.equal(parseByteSize(text), bytes));
  }
  // Prometheus takes a negative size for no limit, and 2^63 for a negative one: here both are mistakes.
  for (const text of ['-1MB', '8EiB'])
    test(`${text} is none`, () => assert.equal(parseByteSize(text), undefined));
});

describe('a whole number', () => {
  for (const [text, number] of [
    ['0', 0],
    ['50', 50],
    ['+50', 50],
    ['1_000', 1000],
    ['1e3', 1000],
    ['0x10', 16],
    ['9007199254740991', 2 ** 53 - 1],
    ['9007199254740992', undefined],
    ['', undefined],
    ['-1', undefined],
    ['1.5', undefined],
    ['010', undefined],
    ['1e99', undefined],
    ['ten', undefined],
    ['_', undefined],
  ] as const) {
    test(`${JSON.stringify(text)} is ${number}`, () => assert.equal(readCount(text), number));
  }
});

describe('a reference', () => {
  const ARN = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:';
  for (const text of [
    'ssm:/nim-to-dynatrace/secrets/nim-token',
    'ssm:/a',
    `ssm:/${'a'.repeat(MAX_PARAMETER_NAME_LENGTH - 1)}`,
    `${ARN}nim-AbCdEf`,
    `${ARN}nim/token+1@x=y.z-AbCdEf#token`,
    `${ARN.replace('aws', 'aws-us-gov')}nim-AbCdEf#${'f'.repeat(MAX_FIELD_LENGTH)}`,
  ]) {
    test(`${text.slice(0, 90)} is one`, () => assert(isSecretReference(text)));
  }
  for (const text of [
    '',
    'token',
    'ssm:',
    'ssm:token',
    'ssm:/',
    'ssm:/a/',
    'ssm://a',
    'ssm:/a b',
    'SSM:/a',
    `ssm:/${'a'.repeat(MAX_PARAMETER_NAME_LENGTH)}`,
    'arn:aws:ssm:eu-central-1:123456789012:parameter/a',
    ARN,
    `${ARN}nim-AbCdEf#`,
    `${ARN}nim-AbCdEf#a#b`,
    `${ARN}nim-AbCdEf#${'f'.repeat(MAX_FIELD_LENGTH + 1)}`,
    `${ARN.replace('123456789012', '1')}nim-AbCdEf`,
  ]) {
    test(`${JSON.stringify(text.slice(0, 90))} is none`, () => assert(!isSecretReference(text)));
  }

  test('that is none may still have been meant as one', () => {
    assert(looksLikeReference('ssm:token') && looksLikeReference('arn:aws:ssm:x'));
    assert(!looksLikeReference('token'));
  });

  test('is what the command that stores the secret makes', () => {
    for (const [job, key] of [
      ['nim', 'credentials'],
      ['my job/ä', 'X-Api-Key'],
      ['j'.repeat(300), 'key'],
    ] as const) {
      const { command, reference } = storingSecret('/nim-to-dynatrace', job, key);
      assert(isSecretReference(reference));
      assert(command.includes(` --name ${reference.slice('ssm:'.length)} `));
      assert.match(command, /^aws ssm put-parameter --type SecureString --name [\w/.-]+ --value "\$SECRET"$/);
    }
  });
});

describe('a misspelt key', () => {
  const KEYS = [
    'job_name',
    'scrape_interval',
    'scrape_timeout',
    'metrics_path',
    'static_configs',
    'params',
    'scheme',
  ];
  for (const [word, meant] of [
    ['scrape_intervall', 'scrape_interval'],
    ['scrape_intreval', 'scrape_interval'],
    ['scrapeInterval', 'scrape_interval'],
    ['scrape-interval', 'scrape_interval'],
    ['SCRAPE_INTERVAL', 'scrape_interval'],
    ['interval', 'scrape_interval'],
    ['static_config', 'static_configs'],
    ['metric_path', 'metrics_path'],
    ['job', 'job_name'],
    ['path', 'metrics_path'],
    ['param', 'params'],
    ['shceme', 'scheme'],
    ['url', undefined],
    ['', undefined],
    ['x'.repeat(MAX_COMPARED_LENGTH + 1), undefined],
    [`job_name${'_'.repeat(MAX_COMPARED_LENGTH - 8)}`, undefined],
  ] as const) {
    test(`${word.slice(0, 60)} means ${meant}`, () => assert.equal(nearestKey(word, KEYS), meant));
  }

  test('is as far as the letters that are wrong', () => {
    assert.deepEqual(
      [
        editDistance('', 'abc'),
        editDistance('abc', 'abc'),
        editDistance('abc', 'acb'),
        editDistance('kitten', 'sitting'),
      ],
      [3, 0, 1, 3],
    );
  });
});

test('a size of a million digits is refused in linear time', () => {
  assert.equal(parseByteSize('9'.repeat(1_000_000)), undefined);
});
