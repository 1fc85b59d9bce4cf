import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { placeOf, refusalOf, tokenNameOf } from '../../functions/core/secrets.ts';

const ARN = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:nim/prod-AbCdEf';
const PARTIAL = ARN.slice(0, -'-AbCdEf'.length);
const PREFIX = '/nim-to-dynatrace';

describe('a reference', () => {
  const good: readonly (readonly [string, ReturnType<typeof placeOf>])[] = [
    [
      'ssm:/nim-to-dynatrace/secrets/nim-token',
      { store: 'ssm', name: '/nim-to-dynatrace/secrets/nim-token' },
    ],
    ['ssm:token', { store: 'ssm', name: 'token' }],
    [ARN, { store: 'secrets_manager', arn: ARN }],
    [`${ARN}#password`, { store: 'secrets_manager', arn: ARN, field: 'password' }],
    [
      `${ARN.replace('arn:aws:', 'arn:aws-us-gov:')}#a b`,
      { store: 'secrets_manager', arn: ARN.replace('arn:aws:', 'arn:aws-us-gov:'), field: 'a b' },
    ],
    [
      'eks://prod/secret/nim/llm.tls/tls.crt',
      {
        store: 'kubernetes',
        id: 'eks://prod/secret/nim/llm.tls/tls.crt',
        object: { cluster: 'prod', kind: 'secret', namespace: 'nim', name: 'llm.tls', field: 'tls.crt' },
      },
    ],
    [
      'eks://prod_1/configmap/nim/trust/CA_1',
      {
        store: 'kubernetes',
        id: 'eks://prod_1/configmap/nim/trust/CA_1',
        object: { cluster: 'prod_1', kind: 'configmap', namespace: 'nim', name: 'trust', field: 'CA_1' },
      },
    ],
  ];
  for (const [reference, place] of good) {
    test(reference, () => assert.deepEqual(placeOf(reference), place));
  }

  // A second spelling of a name would pass by what is granted and refused by name.
  const bad = [
    '',
    'planted',
    'ssm:',
    'ssm:/',
    'ssm:/a/',
    'ssm://a',
    'ssm:/a//b',
    'ssm:/a:1',
    'ssm:/a#b',
    'ssm:/a b',
    'ssm:/a\n',
    'ssm:arn:aws:ssm:eu-central-1:123456789012:parameter/a',
    'SSM:/a',
    'arn:aws:ssm:eu-central-1:123456789012:parameter/a',
    'arn:aws:secretsmanager:eu-central-1:123:secret:a',
    'arn:aws:secretsmanager:eu-central-1:123456789012:secret:',
    `${ARN}#`,
    `${ARN}:*`,
    'eks://prod',
    'eks://prod/nim',
    'eks://prod/secret/nim/llm',
    'eks://prod/pod/nim/llm/a',
    'eks:///secret/nim/llm/a',
    'eks://prod/secret/nim/../a',
    'eks://prod/secret/../llm/a',
    'eks://prod/secret/nim/llm/a/b',
    'eks://prod/secret/nim/llm/a?b',
  ];
  for (const reference of bad)
    test(`no: ${JSON.stringify(reference)}`, () => assert.equal(placeOf(reference), undefined));
});

describe('what a document may ask for', () => {
  const refusal = (
    reference: string,
    granted: readonly string[] = [],
    tokenAt = `ssm:${tokenNameOf(PREFIX)}`,
  ) => {
    const [place, token] = [placeOf(reference), placeOf(tokenAt)];
    assert(place && token && token.store !== 'kubernetes');
    return refusalOf(place, { prefix: PREFIX, granted, token, kubernetes: [] });
  };

  test('everything below <prefix>/secrets/, and what was granted by name', () => {
    assert.equal(refusal(`ssm:${PREFIX}/secrets/nim-token`), undefined);
    assert.equal(refusal(`ssm:${PREFIX}/secrets/team/nim-token`), undefined);
    assert.equal(refusal('ssm:/other/token', ['/other/token']), undefined);
    assert.equal(refusal('ssm:/other/token', ['ssm:/other/token']), undefined);
    assert.equal(refusal('ssm:token', ['/token']), undefined);
    for (const granted of [ARN, PARTIAL, `${PARTIAL}-??????`]) {
      assert.equal(refusal(ARN, [granted]), undefined, granted);
      assert.equal(refusal(`${ARN}#password`, [granted]), undefined, granted);
      assert.equal(refusal(PARTIAL, [granted]), undefined, granted);
    }
  });

  test('nothing else, and the prop that grants it is named', () => {
    const others = [
      '/other/token',
      `${PREFIX}/endpoint`,
      `${PREFIX}/secretsx/a`,
      `${PREFIX}/secrets`,
      'token',
    ];
    for (const name of others) {
      assert.match(
        refusal(`ssm:${name}`, ['/other/token2', '/other', ARN]) ?? '',
        /^cannot read .*; .*prop secrets \(-c secrets=\S+\)$/,
      );
    }
    for (const granted of [[], [`${PARTIAL}x`], [`${ARN}x`], [`${PARTIAL}-AbCdEg`], ['/nim/prod']]) {
      assert.match(refusal(ARN, granted) ?? '', /not granted; .*prop secrets \(-c secrets=arn:\S+\)$/);
    }
  });

  test('of a cluster: the objects of namespaces that were granted by name', () => {
    const ofCluster = (kubernetes: readonly string[]) => {
      const place = placeOf('eks://prod/secret/nim/llm/token');
      assert(place);
      return refusalOf(place, {
        prefix: PREFIX,
        granted: ['eks://prod'],
        token: { store: 'ssm', name: '/x' },
        kubernetes,
      });
    };
    assert.equal(ofCluster(['prod/other', 'prod/nim']), undefined);
    for (const kubernetes of [[], ['prod'], ['prod/ni'], ['prod/nim-2'], ['test/nim'], ['prod/*']])
      assert.match(
        ofCluster(kubernetes) ?? '',
        /^cannot read .*: it is not granted; set readSecrets .*discovery.eks$/,
      );
  });

  test('never the Dynatrace API token: a target would be sent it', () => {
    const name = tokenNameOf(PREFIX);
    assert.match(refusal(`ssm:${name}`, [name]) ?? '', /Dynatrace API token/);
    assert.match(refusal('ssm:token', ['/token'], 'ssm:/token') ?? '', /Dynatrace API token/);
    assert.match(refusal('ssm:/token', ['token'], 'ssm:token') ?? '', /Dynatrace API token/);
    assert.equal(refusal(`ssm:${name}2`), undefined);
  });

  test('nor a Secrets Manager secret that holds it, whatever the field; nor the default place', () => {
    for (const tokenAt of [ARN, PARTIAL, `${ARN}#apiToken`]) {
      for (const reference of [ARN, PARTIAL, `${ARN}#apiToken`, `${ARN}#other`]) {
        assert.match(
          refusal(reference, [ARN], tokenAt) ?? '',
          /Dynatrace API token/,
          `${reference} ${tokenAt}`,
        );
      }
      assert.match(refusal(`ssm:${tokenNameOf(PREFIX)}`, [], tokenAt) ?? '', /Dynatrace API token/);
    }
    assert.equal(refusal(ARN, [ARN], `${PARTIAL}-other-AbCdEf`), undefined);
  });
});
