import { Stack } from 'aws-cdk-lib';
import { Match } from 'aws-cdk-lib/assertions';
import type { Template } from 'aws-cdk-lib/assertions';
import * as kms from 'aws-cdk-lib/aws-kms';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { placeOf, refusalOf } from '../../functions/core/secrets.ts';
import type { SecretReference } from '../../functions/core/scrape-config.ts';
import type { NimToDynatraceProps } from '../../infra/props.ts';
import { settingsOf } from '../../infra/props.ts';
import { MAX_SECRETS, MAX_SECRETS_KEYS } from '../../infra/secrets.ts';
import type { TargetSecret } from '../../infra/secrets.ts';
import { flat, newStack, permissionsOf, templateOf } from './construct.ts';

const ARN = 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:nim/prod-AbCdEf';
const KEY = 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';
const ENV = { account: '111122223333', region: 'eu-central-1' };

/** What the props grant beyond a deployment without them. */
function grantedBy(template: Template): string[] {
  const always = new Set(permissionsOf(templateOf()));
  return permissionsOf(template).filter((permission) => !always.has(permission));
}

/** The variable `SECRETS` of the scrape function. */
function secretsOf(template: Template): string | undefined {
  const functions = Object.values(template.findResources('AWS::Lambda::Function'));
  const variables = functions.map(({ Properties }) => Properties.Environment.Variables);
  const { SECRETS } = variables.find((one) => 'UV_THREADPOOL_SIZE' in one) as { readonly SECRETS?: unknown };
  return SECRETS === undefined ? undefined : flat(SECRETS);
}

const parameter = (stack: Stack, parameterName: string) =>
  StringParameter.fromSecureStringParameterAttributes(stack, `Parameter${parameterName}`, { parameterName });

describe('secrets', () => {
  test('none are granted unless they are named', () => {
    const template = templateOf({ secrets: [] });
    assert.deepEqual(grantedBy(template), []);
    assert.equal(secretsOf(template), undefined);
  });

  test('of either store: reading is granted, nothing else, and the function is told', () => {
    const stack = newStack();
    const secrets = [
      parameter(stack, '/team/nim-token'),
      Secret.fromSecretCompleteArn(stack, 'Complete', ARN),
      parameter(stack, 'plain'),
      StringParameter.fromStringParameterName(stack, 'Certificate', '/team/ca'),
    ];
    const template = templateOf({ secrets }, stack);
    assert.deepEqual(grantedBy(template), [
      'ScrapeRole: Allow ssm:GetParameter on parameter/plain',
      'ScrapeRole: Allow ssm:GetParameter on parameter/team/ca',
      'ScrapeRole: Allow ssm:GetParameter on parameter/team/nim-token',
      `ScrapeRole: Allow secretsmanager:GetSecretValue on ${ARN}`,
    ]);
    assert.equal(secretsOf(template), `/team/nim-token,${ARN},plain,/team/ca`);
  });

  test('known by name only: the six characters that Secrets Manager adds are left open', () => {
    const stack = newStack();
    const partial = 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:nim';
    const secrets = [
      Secret.fromSecretNameV2(stack, 'ByName', 'nim/prod'),
      Secret.fromSecretPartialArn(stack, 'ByPartialArn', partial),
    ];
    assert.deepEqual(grantedBy(templateOf({ secrets }, stack)), [
      `ScrapeRole: Allow secretsmanager:GetSecretValue on ${partial}-??????`,
      'ScrapeRole: Allow secretsmanager:GetSecretValue on secret:nim/prod-??????',
    ]);
  });

  test('made by the same stack', () => {
    const stack = newStack();
    const secrets = [
      new Secret(stack, 'Made'),
      new StringParameter(stack, 'MadeToo', { stringValue: 'public', parameterName: '/made' }),
    ] as TargetSecret[];
    const template = templateOf({ secrets }, stack);
    const [secret, name] = String(secretsOf(template)).split(',') as [string, string];
    assert.match(name, /^<MadeToo\w+>$/);
    assert.deepEqual(grantedBy(template), [
      `ScrapeRole: Allow ssm:GetParameter on parameter${name}`,
      'ScrapeRole: Allow secretsmanager:GetSecretValue on Made',
    ]);
    assert.match(secret, /^<Made\w+>$/);
  });

  test('as granted, the worker reads them; another one it does not', () => {
    const stack = newStack({ env: ENV });
    const partial = 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:team/edge';
    const secrets = [
      parameter(stack, '/team/nim-token'),
      Secret.fromSecretNameV2(stack, 'ByName', 'nim/prod'),
      Secret.fromSecretPartialArn(stack, 'ByPartialArn', partial),
    ];
    const granted = String(secretsOf(templateOf({ secrets }, stack)))
      .replaceAll('<AWS::Partition>', 'aws')
      .split(',');
    const refusal = (reference: string) => {
      const place = placeOf(reference as SecretReference);
      assert.ok(place !== undefined, reference);
      return refusalOf(place, {
        prefix: '/nim-to-dynatrace',
        granted,
        token: { store: 'ssm', name: '/nim-to-dynatrace/secrets/dt-api-token' },
        kubernetes: [],
      });
    };
    for (const reference of ['ssm:/team/nim-token', ARN, `${ARN}#password`, partial, `${partial}-AbCdEf`]) {
      assert.equal(refusal(reference), undefined);
    }
    assert.match(String(refusal('ssm:/team/other')), /grant it with the construct's prop secrets/);
    assert.match(String(refusal(ARN.replace('prod', 'test'))), /it is not granted/);
  });

  const bad: readonly (readonly [string, (stack: Stack) => TargetSecret, RegExp])[] = [
    [
      'a name for many',
      (stack) => Secret.fromSecretNameV2(stack, 'Bad', 'nim/*'),
      /^cannot use secrets: .*secret:nim\/\* is no ARN of one secret; name each of them$/,
    ],
    [
      'a parameter of many',
      (stack) => StringParameter.fromStringParameterName(stack, 'Bad', '/team/*'),
      /^cannot use secrets: the parameter \/team\/\* has no name that a document could write/,
    ],
    [
      'the API token',
      (stack) => parameter(stack, '/nim-to-dynatrace/secrets/dt-api-token'),
      /^cannot use secrets: .* is the Dynatrace API token, which no target may see; leave it out$/,
    ],
  ];
  for (const [what, make, message] of bad) {
    test(`${what} is refused`, () => {
      const stack = newStack();
      assert.throws(() => settingsOf(stack, { secrets: [make(stack)] }), { message });
    });
  }

  test(`${MAX_SECRETS} are the most`, () => {
    const stack = newStack();
    const secrets = Array.from({ length: MAX_SECRETS + 1 }, (_, i) => parameter(stack, `/team/${i}`));
    settingsOf(stack, { secrets: secrets.slice(1) });
    assert.throws(() => settingsOf(stack, { secrets }), {
      message:
        'cannot use 31 secrets: 30 are the most; ' +
        'put some below /nim-to-dynatrace/secrets/, which needs no grant',
    });
  });
});

describe('keys of secrets', () => {
  const VIA_STORES = {
    StringEquals: {
      'kms:ViaService': [
        { 'Fn::Join': ['', ['ssm.', { Ref: 'AWS::Region' }, '.amazonaws.com']] },
        { 'Fn::Join': ['', ['secretsmanager.', { Ref: 'AWS::Region' }, '.amazonaws.com']] },
      ],
    },
  };

  function assertViaStores(template: Template): void {
    template.hasResourceProperties('AWS::IAM::Role', {
      Policies: [
        {
          PolicyDocument: {
            Statement: Match.arrayWith([
              Match.objectLike({ Action: 'kms:Decrypt', Effect: 'Allow', Condition: VIA_STORES }),
            ]),
          },
        },
      ],
    });
  }

  test('one or several decrypt through SSM and Secrets Manager only', () => {
    const stack = newStack();
    const [one, other] = [KEY, KEY.replace('1234abcd', '9876fedc')].map((arn, i) =>
      kms.Key.fromKeyArn(stack, `Key${i}`, arn),
    ) as [kms.IKey, kms.IKey];
    const template = templateOf({ secretsKey: one }, stack);
    assert.deepEqual(grantedBy(template), [`ScrapeRole: Allow kms:Decrypt on ${KEY}`]);
    assertViaStores(template);
    assert.deepEqual(grantedBy(templateOf({ secretsKey: [one, other] })), [
      `ScrapeRole: Allow kms:Decrypt on ${KEY}`,
      `ScrapeRole: Allow kms:Decrypt on ${other.keyArn}`,
    ]);
  });

  test('come with the secrets that were made or imported with one', () => {
    const stack = newStack();
    const encryptionKey = new kms.Key(stack, 'Key') as kms.IKey;
    const secrets = [
      new Secret(stack, 'Made', { encryptionKey }) as TargetSecret,
      StringParameter.fromSecureStringParameterAttributes(stack, 'Imported', {
        parameterName: '/team/nim-token',
        encryptionKey,
      }),
    ];
    const template = templateOf({ secrets, secretsKey: encryptionKey }, stack);
    assert.deepEqual(grantedBy(template), [
      'ScrapeRole: Allow ssm:GetParameter on parameter/team/nim-token',
      'ScrapeRole: Allow secretsmanager:GetSecretValue on Made',
      'ScrapeRole: Allow kms:Decrypt on Key',
    ]);
    assertViaStores(template);
  });

  test('an alias is refused: IAM would grant nothing', () => {
    const stack = newStack();
    const secretsKey = kms.Alias.fromAliasName(stack, 'Alias', 'alias/nim');
    assert.throws(
      () => settingsOf(stack, { secretsKey } as NimToDynatraceProps),
      /^Error: cannot use secretsKey .*:alias\/nim: IAM grants nothing on an alias; give its key, such as /,
    );
  });

  test(`${MAX_SECRETS_KEYS} are the most, whoever brings them`, () => {
    const stack = newStack();
    const keys = Array.from({ length: MAX_SECRETS_KEYS + 1 }, (_, i) =>
      kms.Key.fromKeyArn(stack, `Key${i}`, KEY.replace('1234abcd', `${10_000_000 + i}`)),
    );
    const [encryptionKey, ...secretsKey] = keys as [kms.IKey, ...kms.IKey[]];
    const secret = Secret.fromSecretAttributes(stack, 'Secret', { secretCompleteArn: ARN, encryptionKey });
    settingsOf(stack, { secretsKey });
    settingsOf(stack, { secrets: [secret], secretsKey: secretsKey.slice(1) });
    assert.throws(
      () => settingsOf(stack, { secrets: [secret], secretsKey }),
      /cannot use 31 keys of secrets: 30 are the most; encrypt several secrets with one key/,
    );
  });
});
