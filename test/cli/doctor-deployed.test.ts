/** `doctor --stack` as a process, against CloudFormation and Lambda on the wire and the functions behind them. */
import { strict as assert } from 'node:assert';
import { type TestContext, describe, test } from 'node:test';
import { batchesOf } from '../../functions/cli/doctor-deployed.ts';
import { readDoctorOptions } from '../../functions/cli/doctor-options.ts';
import { type Diagnosis, ok } from '../../functions/core/doctor/checks.ts';
import {
  MAX_REQUEST_TARGETS,
  readDiagnoseRequest,
  writeDiagnoses,
  writeFound,
} from '../../functions/core/doctor/request.ts';
import type { Target } from '../../functions/core/model.ts';
import { createTarget } from '../../functions/core/targets.ts';
import { startCloudFormation } from '../fakes/cloudformation.ts';
import { type Deployment, SOURCE, addressOf, startDeployment } from '../fakes/deployment.ts';
import type { LambdaFunction } from '../fakes/lambda.ts';
import { type FakeLambdaApi, type Outcome, startLambdaApi } from '../fakes/lambda-api.ts';
import { type Ended, startCli } from './harness.ts';

const STACK = 'NimToDynatrace';
const OUTPUTS = { TableName: 'state', ScrapeFunctionName: 'scrape', DispatchFunctionName: 'dispatch' };

interface Cloud {
  readonly functions?: Parameters<typeof startLambdaApi>[0];
  readonly outputs?: Readonly<Record<string, string>>;
  readonly denied?: boolean;
}

/** The command line in an account with one stack. */
async function account(t: TestContext, { functions = {}, outputs = OUTPUTS, denied = false }: Cloud) {
  const [cloudformation, lambda] = await Promise.all([
    startCloudFormation({ [STACK]: outputs }, { denied }),
    startLambdaApi(functions),
  ]);
  t.after(async () => {
    await Promise.all([cloudformation.close(), lambda.close()]);
  });
  const env = {
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'AKIAFAKE',
    AWS_SECRET_ACCESS_KEY: 'PLANTEDAWSSECRET',
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_ENDPOINT_URL_CLOUDFORMATION: cloudformation.endpoint,
    AWS_ENDPOINT_URL_LAMBDA: lambda.endpoint,
  };
  const doctor = async (args: readonly string[], more: Readonly<Record<string, string>> = {}) => {
    const ended = await startCli(['doctor', ...args], { ...env, ...more }).ended;
    assert.doesNotMatch(ended.stdout + ended.stderr, /PLANTED/);
    return ended;
  };
  return { doctor, lambda };
}

const behind =
  (deployed: LambdaFunction) =>
  async (event: unknown): Promise<Outcome> => {
    const { error, answer } = await deployed.invoke(event);
    return error === undefined ? { answer } : { thrown: { errorType: 'Error', errorMessage: error } };
  };

async function deployed(t: TestContext): Promise<{
  readonly deployment: Deployment;
  readonly doctor: (args: readonly string[]) => Promise<Ended>;
}> {
  const deployment = await startDeployment(t, { build: SOURCE });
  const functions = { dispatch: behind(deployment.dispatch), scrape: behind(deployment.scrape) };
  return { deployment, ...(await account(t, { functions })) };
}

type Line = Diagnosis & { readonly sound: boolean };

const linesOf = ({ stdout }: Ended): readonly Line[] =>
  stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);

describe('a deployment', { concurrency: 2 }, () => {
  test('all configured targets, AWS and Dynatrace, by names of the stack: exit code 0', async (t) => {
    const { deployment, doctor } = await deployed(t);
    const { code, stdout, stderr } = await doctor(['--stack', STACK]);
    assert.deepEqual([code, stderr], [0, ''], stdout);
    for (const line of [
      /^AWS, as the dispatch function sees it\n {2}ok {7}documents +\d+ ms +1 target documents, 1 targets\n/,
      /\nAWS, as the scrape function sees it\n {2}ok {7}dynamodb +\d+ ms +the table state answers/,
      / {2}ok {7}stored_token +\d+ ms +the parameter \/nim-to-dynatrace\/secrets\/dt-api-token is\n/,
      new RegExp(`\nhttp://${addressOf(deployment.nims[0]!)}/v1/metrics\n`),
      /\n {2}as its job says +\d+ +[\d,]+ +[\d.]+\n {2}preset core /,
      /\nDynatrace\n/,
      / {2}ok {7}ingest /,
      /\nready(?:, with warnings)?: 0 failed, \d+ warnings?, \d+ ok\n$/,
    ])
      assert.match(stdout, line);
    assert(stdout.split('\n').every((line) => line.length <= 100));
  });

  test('what failed in the cloud is the exit code here; JSON has a line for each', async (t) => {
    const { deployment, doctor } = await deployed(t);
    deployment.ssm.remove('/nim-to-dynatrace/secrets/dt-api-token');
    const ended = await doctor(['--stack', STACK, '-o', 'json']);
    assert.deepEqual([ended.code, ended.stderr], [1, '']);
    assert.deepEqual(
      linesOf(ended).map(({ kind, sound }) => [kind, sound]),
      [
        ['aws', true],
        ['aws', false],
        ['target', true],
        ['dynatrace', false],
      ],
    );
  });

  test('a URL alone; one that is configured has the settings of its job', async (t) => {
    const { deployment, doctor } = await deployed(t);
    const [address] = deployment.nims.map(addressOf);
    deployment.ssm.put(
      '/nim-to-dynatrace/targets/nim',
      `job_name: mine\nstatic_configs: [{targets: ['${address}']}]\ndynatrace: {include: [num_requests_*]}\n`,
    );
    const lines = linesOf(await doctor(['--stack', STACK, `${address}`, '127.0.0.1:9', '-o', 'json']));
    const [known, other, ...none] = lines.filter((line) => line.kind === 'target');
    assert.deepEqual([known?.job, other?.url, none], ['mine', 'http://127.0.0.1:9', []]);
    assert(known?.forecast !== undefined);
    assert(known.forecast.points.given.perMinute < known.forecast.points.core.perMinute);
  });
});

describe('what is in the way', { concurrency: 2 }, () => {
  const cases: readonly (readonly [
    what: string,
    cloud: Cloud,
    says: RegExp,
    args?: readonly string[],
    env?: Readonly<Record<string, string>>,
  ])[] = [
    [
      'another stack',
      {},
      /^cannot find the stack Other: .*; name another one by --stack/,
      ['--stack', 'Other'],
    ],
    ['no permission', { denied: true }, /^cannot find the stack NimToDynatrace: AccessDenied, .*; .+/],
    [
      'a stack of an older release',
      { outputs: { TableName: 'state' } },
      /^cannot find the functions: .* has no output ScrapeFunctionName; deploy this release, or name .* --function/,
    ],
    [
      'functions that are gone',
      {},
      /^cannot invoke the function dispatch: ResourceNotFoundException.*; check its name and the region/,
    ],
    [
      'nobody may invoke them',
      {
        functions: {
          dispatch: () => ({ refused: 'AccessDeniedException', status: 403 }),
          scrape: () => ({ refused: 'AccessDeniedException', status: 403 }),
        },
      },
      /; allow yourself lambda:InvokeFunction on it\n/,
    ],
    [
      'functions of an older release',
      {
        functions: {
          dispatch: () => ({ answer: null }),
          scrape: () => ({ thrown: { errorType: 'TypeError', errorMessage: 't is not iterable' } }),
        },
      },
      /cannot read the doctor's answer: the function is of a release that has no doctor; .*\ncannot invoke the function scrape: its release has no doctor; deploy this release/,
    ],
    [
      'a function that Lambda stopped',
      {
        functions: {
          scrape: () => ({
            thrown: { errorType: 'Sandbox.Timedout', errorMessage: 'RequestId: 1 Error: Task timed out.' },
          }),
        },
      },
      /^cannot invoke the function scrape: Sandbox.Timedout, .* timed out; look into its log/,
      ['--function', 'scrape', 'nim:8000'],
    ],
    [
      'no credentials',
      {},
      /^cannot find the stack NimToDynatrace: .*; check the AWS credentials/,
      ['--stack', STACK],
      { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '', HOME: '/nowhere' },
    ],
  ];
  for (const [what, cloud, says, args = ['--stack', STACK], env = {}] of cases)
    test(`${what}: a message with a remedy, exit code 1`, async (t) => {
      const { doctor } = await account(t, cloud);
      const { code, stdout, stderr } = await doctor(args, env);
      assert.deepEqual([code, stdout], [1, '']);
      assert.match(stderr, says);
    });
});

describe('requests', () => {
  function target(i: number): Target {
    const address = `nim-${i}:8000`;
    return createTarget({ job: 'nim', instance: address, scheme: 'http', address, path: '', params: [] });
  }
  const sizes = (count: number) =>
    batchesOf(Array.from({ length: count }, (_, i) => target(i))).map(({ length }) => length);

  test('as many as one may name, and one more; none is one request too', () => {
    assert.deepEqual(sizes(0), [0]);
    assert.deepEqual(sizes(MAX_REQUEST_TARGETS), [MAX_REQUEST_TARGETS]);
    assert.deepEqual(sizes(MAX_REQUEST_TARGETS + 1), [17, 16]);
    assert.deepEqual(sizes(150), [30, 30, 30, 30, 30]);
  });

  test('each target once, AWS and Dynatrace once; one batch without an answer is said, the others are shown', async (t) => {
    const targets = Array.from({ length: 2 * MAX_REQUEST_TARGETS }, (_, i) => target(i));
    const checks = [ok('documents', 'fine')];
    const requests = (lambda: FakeLambdaApi) =>
      lambda.calls
        .filter(({ name }) => name === 'scrape')
        .map(({ event }) => readDiagnoseRequest((event as { readonly doctor: unknown }).doctor));
    const { doctor, lambda } = await account(t, {
      functions: {
        dispatch: () => ({
          answer: writeFound({ diagnosis: { kind: 'aws', function: 'dispatch', checks }, targets }),
        }),
        scrape: (event) => {
          const read = readDiagnoseRequest((event as { readonly doctor: unknown }).doctor);
          assert(read.code === 'request');
          if (!read.deployment) return { refused: 'TooManyRequestsException', status: 429 };
          const diagnoses = read.targets.map(({ job, address }): Diagnosis => ({
            kind: 'target',
            job,
            url: `http://${address}`,
            checks,
          }));
          return { answer: writeDiagnoses(diagnoses) };
        },
      },
    });
    const ended = await doctor(['--stack', STACK, '-o', 'json']);
    assert.equal(ended.code, 1);
    assert.match(
      ended.stderr,
      /TooManyRequestsException.*; try again; the account's concurrency is used up\n$/,
    );
    assert.equal(linesOf(ended).length, 1 + MAX_REQUEST_TARGETS);
    const asked = requests(lambda).filter((read) => read.code === 'request' && read.deployment);
    assert.equal(asked.length, 1);
  });
});

describe('options', () => {
  test('a stack, or functions', () => {
    const of = (...args: readonly string[]) => {
      const read = readDoctorOptions(args);
      return read.code === 'settings' ? read.settings.deployed : read.code;
    };
    assert.deepEqual(of('--stack', STACK), { code: 'stack', name: STACK });
    assert.deepEqual(of('--function', 'f', '--dispatch-function', 'd'), {
      code: 'functions',
      scrape: 'f',
      dispatch: 'd',
    });
    assert.deepEqual(of('--function', 'arn:aws:lambda:eu-central-1:111122223333:function:f:1', 'nim:8000'), {
      code: 'functions',
      scrape: 'arn:aws:lambda:eu-central-1:111122223333:function:f:1',
    });
    assert.equal(of('nim:8000'), undefined);
  });

  const wrong: readonly (readonly [says: RegExp, ...args: readonly string[]])[] = [
    [/--stack with the names of functions/, '--stack', STACK, '--function', 'f'],
    [/it is no name of a stack/, '--stack', 'a b'],
    [/it is no name of one/, '--function', 'a b', 'nim:8000'],
    [/cannot use --dispatch-function/, '--dispatch-function', 'd', 'nim:8000'],
    [/cannot tell the targets: .*add --dispatch-function NAME, or name URLs/, '--function', 'f'],
    [/cannot use --endpoint: a deployment has its own/, '--stack', STACK, '--endpoint', 'https://x'],
    [/cannot use --preset: a deployment/, '--stack', STACK, '--preset', 'core'],
    [/cannot use --page: a deployment/, '--stack', STACK, '--page', 'page.prom'],
  ];
  for (const [says, ...args] of wrong)
    test(`${args.join(' ')}: wrong usage`, () => {
      const read = readDoctorOptions(args);
      assert(read.code === 'wrong');
      assert.match(read.problems.join('\n'), says);
    });
});
