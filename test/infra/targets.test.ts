/** Target documents that belong to the stack. */
import { CfnParameter } from 'aws-cdk-lib';
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readDocuments } from '../../functions/core/config/documents.ts';
import {
  MAX_DOCUMENT_BYTES,
  MAX_NAME_LENGTH,
  MAX_STANDARD_BYTES,
  MAX_TARGET_DOCUMENTS,
} from '../../infra/targets.ts';
import { flat, newStack, templateOf } from './construct.ts';

interface Stored {
  readonly Name: string;
  readonly Value: unknown;
  readonly Tier: string;
  readonly Type: string;
}

/** The parameters of the template. */
function storedBy(props: Parameters<typeof templateOf>[0], stack = newStack()): Stored[] {
  const found = templateOf(props, stack).findResources('AWS::SSM::Parameter');
  return Object.values(found).map(({ Properties }) => Properties as Stored);
}

const ascii = (bytes: number) => `10.0.1.17:8000${' '.repeat(bytes - 14)}`;

describe('targets', () => {
  test('none: nothing is made', () => {
    assert.deepEqual(storedBy({}), []);
    assert.deepEqual(storedBy({ targets: {} }), []);
  });

  test('text as it is, an object as JSON that reads as the same document', () => {
    const document = {
      scrape_configs: [
        {
          job_name: 'nim',
          authorization: { credentials: 'ssm:/nim-to-dynatrace/secrets/nim-token' },
          static_configs: [{ targets: ['10.0.1.17:8000'] }],
        },
      ],
    };
    const stored = storedBy({ targets: { 'nim-a': '10.0.1.17:8000 10.0.1.18:8000', 'nim.b_2': document } });
    assert.deepEqual(
      stored.map(({ Name, Tier, Type }) => [Name, Tier, Type]),
      [
        ['/nim-to-dynatrace/targets/nim-a', 'Standard', 'String'],
        ['/nim-to-dynatrace/targets/nim.b_2', 'Standard', 'String'],
      ],
    );
    assert.equal(stored[0]?.Value, '10.0.1.17:8000 10.0.1.18:8000');
    assert.deepEqual(JSON.parse(String(stored[1]?.Value)), document);
    const read = readDocuments(stored.map(({ Name: name, Value }) => ({ name, value: String(Value) })));
    assert.deepEqual(read.problems, []);
    assert.deepEqual(
      read.configs.map(({ jobName, staticConfigs }) => [
        jobName,
        ...staticConfigs.flatMap((one) => one.targets),
      ]),
      [
        ['nim-a', '10.0.1.17:8000', '10.0.1.18:8000'],
        ['nim', '10.0.1.17:8000'],
      ],
    );
  });

  test('what is known at deployment only passes, within an object too', () => {
    const stack = newStack();
    const address = new CfnParameter(stack, 'Address').valueAsString;
    const parameterPrefix = new CfnParameter(stack, 'Prefix').valueAsString;
    const targets = { text: address, object: { static_configs: [{ targets: [address] }] } };
    const stored = storedBy({ parameterPrefix, targets }, stack).map(({ Name, Value }) => [
      flat(Name),
      flat(Value),
    ]);
    assert.deepEqual(stored, [
      ['<Prefix>/targets/text', '<Address>'],
      ['<Prefix>/targets/object', '{"static_configs":[{"targets":["<Address>"]}]}'],
    ]);
  });

  test('beyond 4 KB the parameter is an advanced one, beyond 8 KB an error', () => {
    const tiers = [MAX_STANDARD_BYTES, MAX_STANDARD_BYTES + 1, MAX_DOCUMENT_BYTES].map(
      (bytes) => storedBy({ targets: { nim: ascii(bytes) } })[0]?.Tier,
    );
    assert.deepEqual(tiers, ['Standard', 'Advanced', 'Advanced']);
    assert.throws(() => storedBy({ targets: { nim: ascii(MAX_DOCUMENT_BYTES + 1) } }), {
      message:
        'cannot use targets: "nim" has 8193 bytes: SSM stores 8192 at most; ' +
        'split it, equal job names in several documents are one job',
    });
    assert.throws(() => storedBy({ targets: { nim: `# ${'ü'.repeat(4_096)}` } }), /has 8194 bytes/);
  });

  test('an object is indented as long as that costs nothing', () => {
    const object = (n: number) => ({ targets: Array.from({ length: n }, (_, i) => `10.0.1.${i}:8000`) });
    assert.match(String(storedBy({ targets: { nim: object(100) } })[0]?.Value), /\n {2}"targets"/);
    const [compact] = storedBy({ targets: { nim: object(210) } });
    assert.equal(compact?.Tier, 'Standard');
    assert.doesNotMatch(String(compact?.Value), /\n/);
  });

  test(`${MAX_TARGET_DOCUMENTS} documents are the most`, () => {
    const targets = Object.fromEntries(
      Array.from({ length: MAX_TARGET_DOCUMENTS + 1 }, (_, i) => [`t${i}`, '10.0.1.17:8000']),
    );
    assert.throws(
      () => storedBy({ targets }),
      /^Error: cannot use 101 targets: 100 documents are the most; join some/,
    );
    const { t0: _, ...most } = targets;
    assert.equal(storedBy({ targets: most }).length, MAX_TARGET_DOCUMENTS);
  });

  test('a name is one segment', () => {
    const longest = 'n'.repeat(MAX_NAME_LENGTH);
    assert.equal(storedBy({ targets: { [longest]: 'a:1' } }).length, 1);
    for (const name of ['', 'a/b', 'a b', 'a*', `${longest}n`, '/nim-to-dynatrace/targets/a']) {
      assert.throws(
        () => storedBy({ targets: { [name]: 'a:1' } }),
        /is no name of a document: it is not 1 to 128/,
      );
    }
  });
});

describe('no secret goes into a template, nor into the message', () => {
  const refused: readonly (readonly [string, string | object, RegExp])[] = [
    ['credentials', { authorization: { credentials: 'planted' } }, /holds a secret itself/],
    [
      'credentials in YAML',
      'scrape_configs:\n- authorization:\n    credentials: planted',
      /holds a secret itself/,
    ],
    ['credentials in flow YAML', "- { authorization: { credentials: 'planted' } }", /holds a secret itself/],
    ['a password', { basic_auth: { username: 'a', password: 'planted' } }, /holds a secret itself/],
    [
      'a private key',
      { tls_config: { key: '-----BEGIN EC PRIVATE KEY-----\nplanted' } },
      /holds a private key/,
    ],
    ['a Dynatrace token', '# dt0c01.PLANTED.planted', /holds a Dynatrace token/],
    ['a URL with a password', 'http://user:planted@10.0.1.17:8000', /holds a URL with a user or password/],
    [
      'what CloudFormation would resolve',
      '{{resolve:secretsmanager:planted}}',
      /holds \{\{, which SSM takes in no value/,
    ],
    ['nothing', ' \n', /is empty/],
  ];
  for (const [what, document, message] of refused) {
    test(what, () => {
      assert.throws(
        () => storedBy({ targets: { nim: document } }),
        (error: Error) => message.test(error.message) && !/planted/i.test(error.message),
      );
    });
  }

  test('references are what belongs there', () => {
    for (const credentials of [
      'ssm:/nim-to-dynatrace/secrets/nim',
      'arn:aws:secretsmanager:eu-central-1:111122223333:secret:nim-AbCdEf#a',
    ]) {
      const yaml = `- { authorization: { credentials: ${credentials} } }\n- basic_auth:\n    password: '${credentials}'`;
      assert.equal(storedBy({ targets: { yaml, object: { authorization: { credentials } } } }).length, 2);
    }
    assert.equal(storedBy({ targets: { file: 'basic_auth: { password_file: /etc/secret }' } }).length, 1);
  });
});
