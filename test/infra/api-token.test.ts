/** Where the token is: granted, told to the function, and kept from target documents. */
import { CfnParameter } from 'aws-cdk-lib';
import type { Stack } from 'aws-cdk-lib';
import type { Template } from 'aws-cdk-lib/assertions';
import * as kms from 'aws-cdk-lib/aws-kms';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { placeOf } from '../../functions/core/secrets.ts';
import { ApiToken, MAX_PARAMETER_NAME_LENGTH } from '../../infra/api-token.ts';
import { TOKEN_ARN, create, flat, newStack, permissionsOf, templateOf } from './construct.ts';

const always = new Set(permissionsOf(templateOf()));

/** What the prop grants, and what the scrape function is told. */
function outcomeOf(template: Template): { readonly granted: string[]; readonly told: string } {
  const granted = permissionsOf(template).filter((permission) => !always.has(permission));
  const functions = Object.values(template.findResources('AWS::Lambda::Function'));
  const { API_TOKEN } = functions
    .map(({ Properties }) => Properties.Environment.Variables)
    .find((one) => 'UV_THREADPOOL_SIZE' in one) as { readonly API_TOKEN: unknown };
  return { granted, told: flat(API_TOKEN) };
}

const parameterKey = (stack: Stack) =>
  kms.Key.fromKeyArn(
    stack,
    'Key',
    'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab',
  );

describe('in Parameter Store', () => {
  test('elsewhere: reading it is granted, and decrypting with its key', () => {
    const stack = newStack();
    const encryptionKey = parameterKey(stack);
    const apiToken = ApiToken.fromSsmParameter('/team/dynatrace', { encryptionKey });
    assert.deepEqual(outcomeOf(templateOf({ apiToken }, stack)), {
      granted: [
        'ScrapeRole: Allow ssm:GetParameter on parameter/team/dynatrace',
        `ScrapeRole: Allow kms:Decrypt on ${encryptionKey.keyArn}`,
      ],
      told: 'ssm:/team/dynatrace',
    });
  });

  test('below <prefix>/secrets/ nothing is granted that was not; a name without a slash gets one in the ARN', () => {
    const name = '/nim-to-dynatrace/secrets/other';
    assert.deepEqual(outcomeOf(templateOf({ apiToken: ApiToken.fromSsmParameter(name) })), {
      granted: [],
      told: `ssm:${name}`,
    });
    assert.deepEqual(outcomeOf(templateOf({ apiToken: ApiToken.fromSsmParameter('dynatrace') })), {
      granted: ['ScrapeRole: Allow ssm:GetParameter on parameter/dynatrace'],
      told: 'ssm:dynatrace',
    });
  });

  test('a name that is known at deployment only', () => {
    const stack = newStack();
    const apiToken = ApiToken.fromSsmParameter(new CfnParameter(stack, 'Name').valueAsString);
    assert.deepEqual(outcomeOf(templateOf({ apiToken }, stack)), {
      granted: ['ScrapeRole: Allow ssm:GetParameter on parameter<Name>'],
      told: 'ssm:<Name>',
    });
  });

  for (const name of [
    '',
    '/a b',
    '/team/*',
    'arn:aws:ssm:eu-central-1:111122223333:parameter/a',
    '/a/',
    'dt0c01.A.B',
  ]) {
    test(`${JSON.stringify(name)} is no name, and is not repeated`, () => {
      assert.throws(() => ApiToken.fromSsmParameter(name), {
        message:
          'cannot use apiToken: this is no name of a parameter; give one such as /team/dynatrace-token',
      });
    });
  }
});

test('a name is as long as SSM takes', () => {
  const longest = 'n'.repeat(MAX_PARAMETER_NAME_LENGTH);
  ApiToken.fromSsmParameter(longest);
  assert.throws(() => ApiToken.fromSsmParameter(`${longest}n`), /this is no name of a parameter/);
});

describe('in Secrets Manager', () => {
  test('as a whole or by a field, with the key that it brings; the worker understands the reference', () => {
    const stack = newStack();
    const encryptionKey = parameterKey(stack);
    const secret = Secret.fromSecretAttributes(stack, 'Token', {
      secretCompleteArn: TOKEN_ARN,
      encryptionKey,
    });
    const granted = [
      `ScrapeRole: Allow secretsmanager:GetSecretValue on ${TOKEN_ARN}`,
      `ScrapeRole: Allow kms:Decrypt on ${encryptionKey.keyArn}`,
    ];
    const whole = outcomeOf(templateOf({ apiToken: ApiToken.fromSecret(secret) }));
    assert.deepEqual(whole, { granted, told: TOKEN_ARN });
    const field = outcomeOf(templateOf({ apiToken: ApiToken.fromSecret(secret, { field: 'apiToken' }) }));
    assert.deepEqual(field, { granted, told: `${TOKEN_ARN}#apiToken` });
    assert.deepEqual(placeOf(field.told), { store: 'secrets_manager', arn: TOKEN_ARN, field: 'apiToken' });
  });

  test('made by the same stack', () => {
    const stack = newStack();
    const secret = new Secret(stack, 'Token') as secretsmanager.ISecret;
    const { granted, told } = outcomeOf(templateOf({ apiToken: ApiToken.fromSecret(secret) }, stack));
    assert.deepEqual(granted, ['ScrapeRole: Allow secretsmanager:GetSecretValue on Token']);
    assert.match(told, /^<Token\w+>$/);
  });

  test('a field has 1 to 256 characters without white space and #', () => {
    const secret = Secret.fromSecretCompleteArn(newStack(), 'Token', TOKEN_ARN);
    ApiToken.fromSecret(secret, { field: 'f'.repeat(256) });
    for (const field of ['', 'f'.repeat(257), 'a b', 'a#b']) {
      assert.throws(
        () => ApiToken.fromSecret(secret, { field }),
        /^Error: cannot use apiToken: its field is not 1 to 256/,
      );
    }
  });
});

test('what is the token is no secret of targets', () => {
  const stack = newStack();
  const secret = Secret.fromSecretCompleteArn(stack, 'Token', TOKEN_ARN);
  const parameter = StringParameter.fromSecureStringParameterAttributes(stack, 'Parameter', {
    parameterName: '/team/dynatrace',
  });
  for (const [apiToken, one] of [
    [ApiToken.fromSecret(secret, { field: 'a' }), secret],
    [ApiToken.fromSsmParameter('/team/dynatrace'), parameter],
  ] as const) {
    assert.throws(
      () => create({ apiToken, secrets: [one] }, newStack()),
      /^Error: cannot use secrets: \S+ is the Dynatrace API token, which no target may see; leave it out$/,
    );
  }
});
