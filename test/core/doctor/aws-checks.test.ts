/** What AWS answers, as checks: the likeliest cause in AWS' words, by what stands in the adapters' sentences. */
import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import {
  type Site,
  checkDocuments,
  checkDocumentsRead,
  checkSecrets,
  checkStoredEndpoint,
  checkStoredToken,
  checkTable,
  faultOf,
} from '../../../functions/core/doctor/aws-checks.ts';
import type { Check } from '../../../functions/core/doctor/checks.ts';

const OUTSIDE: Site = { place: 'lambda', region: 'eu-central-1', prefix: '/nim-to-dynatrace' };
const INSIDE: Site = { ...OUTSIDE, place: 'lambda_in_vpc' };
const NAME = '/nim-to-dynatrace/secrets/dt-api-token';
const TOKEN = { store: 'ssm', name: NAME } as const;
const ARN = 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:nim-AbCdEf';

const lineOf = ({ name, status, message, remedy = '' }: Check): string =>
  `${name} ${status}: ${message} -> ${remedy}`;

const failedToken = (cause: string, site: Site): string =>
  lineOf(
    checkStoredToken(
      { code: 'failed', message: `cannot read the parameter ${NAME}: ${cause}; the next tick tries again` },
      TOKEN,
      site,
      7,
    ),
  );

describe('the fault of a sentence', () => {
  const sentences: readonly (readonly [says: string, fault: ReturnType<typeof faultOf>])[] = [
    [
      'AccessDeniedException, User: arn:aws:sts::1:x is not authorized to perform: ssm:GetParameter',
      'denied',
    ],
    ['AccessDeniedException, User: arn:aws:sts::1:x is not authorized to perform: kms:Decrypt', 'key'],
    ['AccessDeniedException, The ciphertext refers to a customer master key that does not exist', 'key'],
    ['KMSAccessDeniedException, no', 'key'],
    ['ResourceNotFoundException, Requested resource not found', 'absent'],
    ['no answer before the deadline', 'timeout'],
    ['Error, getaddrinfo ENOTFOUND ssm.eu-central-1.amazonaws.com', 'unresolved'],
    ['Error, connect ECONNREFUSED 10.0.0.9:443', 'unreached'],
    ['ThrottlingException, Rate exceeded', 'throttled'],
    ['InternalServerError, We encountered an internal error', 'other'],
  ];
  for (const [says, fault] of sentences)
    test(`${fault}: ${says.slice(0, 40)}`, () => {
      assert.equal(faultOf(`cannot read the parameter /x: ${says}; the next tick tries again`), fault);
    });
});

describe('a parameter', () => {
  test('it is there; its value is never told, nor is that of a run before', () => {
    const read = { code: 'read', value: 'PLANTED' } as const;
    assert.equal(
      lineOf(checkStoredToken(read, TOKEN, OUTSIDE, 7)),
      `stored_token ok: the parameter ${NAME} is there -> `,
    );
    const problem = 'cannot read the parameter /x: no answer before the deadline; the next tick tries again';
    assert.match(
      lineOf(checkStoredToken({ ...read, problem }, TOKEN, INSIDE, 7)),
      /^stored_token warning: cannot read .* deadline -> give the VPC/,
    );
  });

  test('absent: the state in which the deployment is, and the command', () => {
    assert.match(
      lineOf(checkStoredToken({ code: 'absent' }, TOKEN, OUTSIDE, 7)),
      /waiting_for_token -> aws ssm put-parameter --type SecureString/,
    );
    assert.match(
      lineOf(checkStoredEndpoint({ code: 'absent' }, '/x/endpoint', OUTSIDE, 7)),
      /waiting_for_endpoint -> aws ssm put-parameter --type String --name \/x\/endpoint/,
    );
  });

  test('a token in Secrets Manager: its own command, action and endpoint', () => {
    const place = { store: 'secrets_manager', arn: ARN, field: 'apiToken' } as const;
    assert.equal(
      lineOf(checkStoredToken({ code: 'absent' }, place, INSIDE, 7)),
      `stored_token failed: the secret ${ARN} is not there, or empty: waiting_for_token -> aws secretsmanager put-secret-value --secret-id ${ARN} --secret-string "$DT_API_TOKEN"`,
    );
    const message = `cannot read the secret ${ARN}: access is denied; name it in the construct's prop apiToken`;
    assert.match(
      lineOf(checkStoredToken({ code: 'failed', message }, place, INSIDE, 7)),
      /-> allow secretsmanager:GetSecretValue on the secret arn:.*com\.amazonaws\.eu-central-1\.secretsmanager$/,
    );
  });

  test('denied: action, resource, and in a VPC the policy of its endpoint', () => {
    const denied = 'AccessDeniedException, not authorized';
    assert.match(
      failedToken(denied, INSIDE),
      new RegExp(
        `-> allow ssm:GetParameter on the parameter ${NAME} in the role .* com\\.amazonaws\\.eu-central-1\\.ssm$`,
      ),
    );
    assert.doesNotMatch(failedToken(denied, OUTSIDE), /VPC/);
  });

  test('a key: kms:Decrypt, in role and key policy', () => {
    assert.match(
      failedToken('AccessDeniedException, not authorized to perform: kms:Decrypt on x', OUTSIDE),
      /-> allow kms:Decrypt on the key of the parameter .*key policy/,
    );
  });

  test('no way: an interface endpoint or a NAT gateway, but only where there is a VPC', () => {
    for (const cause of ['no answer before the deadline', 'Error, connect ECONNREFUSED 10.0.0.9:443'])
      assert.match(
        failedToken(cause, INSIDE),
        /interface endpoint com\.amazonaws\.eu-central-1\.ssm with private DNS.*443.* NAT gateway/,
      );
    assert.match(failedToken('no answer before the deadline', OUTSIDE), /-> try again/);
    assert.match(failedToken('Error, getaddrinfo ENOTFOUND x', INSIDE), /enableDnsSupport/);
  });

  test('what is known of no cause keeps the remedy of the sentence', () => {
    assert.match(failedToken('InternalServerError, sorry', INSIDE), /-> the next tick tries again$/);
  });
});

describe('the table', () => {
  const problem =
    'cannot use the table t (dynamodb:PutItem): AccessDeniedException, no; grant the role this action';

  test('all actions, one of them, all of them', () => {
    const actions = ['dynamodb:GetItem', 'dynamodb:PutItem'];
    const good = actions.map((action) => ({ action }));
    assert.equal(
      lineOf(checkTable(good, 't', OUTSIDE, 7)),
      'dynamodb ok: the table t answers (GetItem, PutItem); nothing was written -> ',
    );
    const [get = { action: '' }] = good;
    assert.match(
      lineOf(checkTable([get, { action: 'dynamodb:PutItem', problem }], 't', OUTSIDE, 7)),
      /-> allow dynamodb:PutItem on the table t/,
    );
    const bad = actions.map((action) => ({ action, problem }));
    assert.match(
      lineOf(checkTable(bad, 't', OUTSIDE, 7)),
      /-> allow dynamodb:GetItem, dynamodb:PutItem on the table t/,
    );
  });

  test('no way to it: a gateway endpoint', () => {
    const late = {
      action: 'dynamodb:GetItem',
      problem: 'cannot use t: no answer before the deadline; try again',
    };
    assert.match(
      lineOf(checkTable([late], 't', INSIDE, 7)),
      /route tables .* gateway endpoint com\.amazonaws\.eu-central-1\.dynamodb/,
    );
  });
});

describe('secrets of a job', () => {
  test('none, one, two that can be read', () => {
    const read = { code: 'read', value: 'PLANTED' } as const;
    assert.deepEqual(checkSecrets([], OUTSIDE, 7), []);
    assert.deepEqual(checkSecrets([['ssm:/a', read]], OUTSIDE, 7).map(lineOf), [
      'stored_secret ok: the secret that its job refers to can be read -> ',
    ]);
    assert.match(
      checkSecrets(
        [
          ['ssm:/a', read],
          [ARN, read],
        ],
        OUTSIDE,
        7,
      )
        .map(lineOf)
        .join('\n'),
      /^stored_secret ok: the 2 secrets/,
    );
  });

  test('absent and not granted keep their words; denied has action and resource beside the prop', () => {
    const refused = { code: 'refused', message: 'cannot read x: it is not below /p; put it there' } as const;
    const denied = {
      code: 'refused',
      message: "cannot read x: access is denied; grant it with the construct's prop secrets",
    } as const;
    const lines = checkSecrets(
      [
        ['ssm:/a', refused],
        [ARN, denied],
        ['PLANTED', { code: 'refused', message: 'cannot read a secret: its reference is none; correct it' }],
      ],
      OUTSIDE,
      7,
    ).map(lineOf);
    assert.deepEqual(lines, [
      'stored_secret failed: cannot read x: it is not below /p -> put it there',
      `stored_secret failed: cannot read x: access is denied -> grant it with the construct's prop secrets (secretsmanager:GetSecretValue on the secret ${ARN})`,
      'stored_secret failed: cannot read a secret: its reference is none -> correct it',
    ]);
  });

  test('no way to Secrets Manager: its own endpoint', () => {
    const message = `cannot read the secret ${ARN}: no answer before the deadline; the next tick tries again`;
    assert.match(
      checkSecrets([[ARN, { code: 'failed', message }]], INSIDE, 7)
        .map(lineOf)
        .join(),
      /interface endpoint com\.amazonaws\.eu-central-1\.secretsmanager/,
    );
  });
});

describe('documents', () => {
  test('unread, wrong, none, some', () => {
    const denied =
      'cannot read the parameters below /nim-to-dynatrace/targets: AccessDeniedException, no; grant';
    assert.match(
      lineOf(checkDocumentsRead(denied, OUTSIDE, 7)),
      /-> allow ssm:GetParametersByPath on the parameters below \/nim-to-dynatrace\/targets/,
    );
    const wrong = checkDocuments(2, 1, ['/x:1:2: cannot read it: because; correct it'], OUTSIDE, 7);
    assert.deepEqual(wrong.map(lineOf), ['documents failed: /x:1:2: cannot read it: because -> correct it']);
    assert.match(
      checkDocuments(0, 0, [], OUTSIDE, 7).map(lineOf).join(),
      /warning: .*waiting_for_targets -> put one/,
    );
    assert.deepEqual(checkDocuments(1, 2, [], OUTSIDE, 7).map(lineOf), [
      'documents ok: 1 target documents, 2 targets -> ',
    ]);
  });
});
