/** `status` over what both functions really wrote, found through a stack, as a process of its own. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { systemClock } from '../../functions/adapters/clock.ts';
import { readStatus } from '../../functions/adapters/status-dynamodb.ts';
import { readStatusOptions } from '../../functions/cli/status-options.ts';
import { STATUS_WIDTH } from '../../functions/cli/status-text.ts';
import { judgeStatus } from '../../functions/core/status.ts';
import { FAKE_AWS } from '../fakes/aws-json.ts';
import { type FakeCloudFormation, startCloudFormation } from '../fakes/cloudformation.ts';
import {
  type Deployment,
  type DeploymentOptions,
  PREFIX,
  SOURCE,
  TOKEN,
  addressOf,
  startDeployment,
} from '../fakes/deployment.ts';
import { type Cleaner, startCli } from './harness.ts';

let stacks: FakeCloudFormation;
before(async () => {
  stacks = await startCloudFormation({
    NimToDynatrace: { TableName: 'state' },
    Bare: { BucketName: 'other' },
    Gone: { TableName: 'deleted' },
  });
});
after(() => stacks.close());

const CREDENTIALS = {
  AWS_REGION: 'eu-central-1',
  AWS_ACCESS_KEY_ID: 'AKIAFAKE',
  AWS_SECRET_ACCESS_KEY: 'PLANTEDAWSSECRET',
};

const start = (context: Cleaner, options: Omit<DeploymentOptions, 'build'> = {}) =>
  startDeployment(context, { build: SOURCE, ...options });

/** With the endpoints of the fakes; never with the credentials of whoever runs the tests. */
function statusOf({ dynamodb }: Pick<Deployment, 'dynamodb'>, ...args: readonly string[]) {
  return startCli(['status', ...args], {
    ...CREDENTIALS,
    AWS_ENDPOINT_URL_CLOUDFORMATION: stacks.endpoint,
    AWS_ENDPOINT_URL_DYNAMODB: dynamodb.endpoint,
  }).ended;
}

async function jsonOf(deployment: Deployment) {
  const { code, stdout, stderr } = await statusOf(deployment, '-o', 'json');
  assert.equal(stderr, '');
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const summary = lines.at(-1) ?? {};
  const targets = lines.slice(0, -1);
  assert.equal(summary['type'], 'summary');
  assert.ok(targets.every(({ type }) => type === 'target'));
  assert.equal(code, summary['ok'] === true ? 0 : 1);
  const findings = summary['findings'] as readonly { readonly code: string; readonly message: string }[];
  return { summary, targets, findings, codes: findings.map((finding) => finding.code) };
}

describe('what stands in the table', () => {
  test('all is well: every target with its last scrape, and exit code 0', async (context) => {
    const deployment = await start(context, { nims: 2 });
    await deployment.tick();
    for (const nim of deployment.nims) nim.advance(15_000);
    await deployment.tick();
    const { code, stdout, stderr } = await statusOf(deployment);
    assert.deepEqual([code, stderr], [0, '']);
    for (const nim of deployment.nims) {
      const row = new RegExp(`^nim +${addressOf(nim)} +up +(?:\\d+m)?\\d+s +[\\dms]+ +\\d{2,} +-$`, 'm');
      assert.match(stdout, row);
    }
    assert.match(stdout, /^table {4}state$/m);
    assert.match(stdout, /^tick {5}(?:\d+m)?\d+s ago, 1 document$/m);
    assert.match(stdout, /^targets {2}2 up$/m);
    assert.match(
      stdout,
      /shard 0 {2}tick (?:\d+m)?\d+s ago, 2 of 2 targets up, \d+ points sent, 0 series pending,/,
    );
    assert.match(stdout, /\nall is well\n$/);
    assert.ok(stdout.split('\n').every((line) => line.length <= STATUS_WIDTH));

    const { targets, summary } = await jsonOf(deployment);
    const [first] = targets;
    assert.deepEqual(summary['targets'], { up: 2 });
    assert.deepEqual([first?.['up'], first?.['lastOutcome'], first?.['state']], [true, 'accepted', 'up']);
    assert.ok(Number.isInteger(first?.['scrapeDurationMs']));
    assert.ok(Date.parse(String(first?.['lastExportAt'])) > Date.now() - 60_000);
  });

  test('no token yet: named with the command that puts it, and what waits is shown', async (context) => {
    const deployment = await start(context, {
      parameters: (nims, endpoint) => ({ endpoint, 'targets/nim': nims.map(addressOf).join(' ') }),
    });
    await deployment.tick();
    deployment.nims[0]?.advance(15_000);
    await deployment.tick();
    const { codes, findings, targets } = await jsonOf(deployment);
    assert.deepEqual(codes, ['waiting_for_token']);
    assert.equal(
      findings[0]?.message,
      'cannot export metrics: no API token is stored yet; store one with the scope metrics.ingest: ' +
        'aws ssm put-parameter --type SecureString --name /nim-to-dynatrace/secrets/dt-api-token --value "$DT_API_TOKEN"',
    );
    assert.ok(Number(targets[0]?.['pendingSeries']) > 0);
    assert.equal(targets[0]?.['state'], 'up', 'a minute is not too long');
    const { stdout, code } = await statusOf(deployment);
    assert.equal(code, 1);
    assert.match(stdout, /^waiting_for_token: cannot /m);
    assert.match(stdout, /not all is well: 1 finding\n$/);
  });

  test('a token that is refused, and no endpoint', async (context) => {
    const refused = await start(context, { receiver: { answer: () => ({ status: 403 }) } });
    await refused.tick();
    const { codes, findings } = await jsonOf(refused);
    assert.deepEqual(codes, ['refused']);
    assert.match(String(findings[0]?.message), /403/);
    const nowhere = await start(context, {
      parameters: (nims) => ({ 'secrets/dt-api-token': TOKEN, 'targets/nim': nims.map(addressOf).join(' ') }),
    });
    await nowhere.tick();
    assert.deepEqual((await jsonOf(nowhere)).codes, ['waiting_for_endpoint']);
  });

  test('a target that does not answer is down, comes first and says why', async (context) => {
    const deployment = await start(context, {
      nims: 1,
      parameters: (nims, endpoint) => ({
        endpoint,
        'secrets/dt-api-token': TOKEN,
        'targets/nim': `${nims.map(addressOf).join(' ')} 127.0.0.1:9`,
      }),
    });
    await deployment.tick();
    const { targets, findings } = await jsonOf(deployment);
    assert.deepEqual(findings, []);
    assert.deepEqual(
      targets.map(({ instance, state, isDown }) => [instance, state, isDown]),
      [
        ['127.0.0.1:9', 'down', true],
        [addressOf(deployment.nims[0]!), 'up', false],
      ],
    );
    const { stdout } = await statusOf(deployment);
    assert.match(stdout, /^nim +127\.0\.0\.1:9 +down +never .*\n {4}connect: cannot /m);
    assert.match(stdout, /not all is well: 1 target\n$/);
  });

  test('a target that no document names any more has vanished, and that is well', async (context) => {
    const deployment = await start(context, { nims: 2 });
    const [stays, leaves] = deployment.nims;
    assert.ok(stays && leaves);
    await deployment.tick();
    await leaves.close();
    await deployment.tick();
    assert.deepEqual((await jsonOf(deployment)).summary['targets'], { down: 1, up: 1 });
    deployment.ssm.put(`${PREFIX}/targets/nim`, addressOf(stays));
    await deployment.tick();
    const { targets, summary } = await jsonOf(deployment);
    assert.equal(summary['ok'], true);
    const states = new Map(targets.map(({ instance, state }) => [instance, state]));
    assert.deepEqual([states.get(addressOf(stays)), states.get(addressOf(leaves))], ['up', 'vanished']);
  });

  test('a document that an edit broke is named with its place, and which version holds', async (context) => {
    const deployment = await start(context);
    deployment.ssm.put(
      `${PREFIX}/targets/yaml`,
      'job_name: b\nstatic_configs: [{ targets: ["127.0.0.1:9"] }]\n',
    );
    await deployment.tick();
    deployment.ssm.put(`${PREFIX}/targets/yaml`, 'job_name: b\nscrape_intervall: 1m\n');
    await deployment.tick();
    const { findings, summary } = await jsonOf(deployment);
    assert.deepEqual(
      findings.map(({ code }) => code),
      ['document_invalid'],
    );
    assert.match(
      String(findings[0]?.message),
      /^\/nim-to-dynatrace\/targets\/yaml line 2, column 1: cannot use scrape_intervall: .* \(version 1 is in force\)$/,
    );
    assert.deepEqual(summary['targets'], { down: 1, up: 1 }, 'what it named before is still scraped');
  });

  test('SSM does not answer: said so, and what was known of targets stays', async (context) => {
    const deployment = await start(context);
    await deployment.tick();
    deployment.ssm.failNext('AccessDeniedException');
    await deployment.schedule();
    const { codes, summary } = await jsonOf(deployment);
    assert.deepEqual(codes, ['documents_unread']);
    assert.deepEqual(summary['targets'], { up: 1 });
  });

  test('a target whose state is denied is no target that is well', async (context) => {
    const deployment = await start(context);
    await deployment.tick();
    await deployment.schedule();
    deployment.dynamodb.next('BatchGetItem', { kind: 'refuse', error: 'AccessDeniedException' });
    await deployment.workOff();
    const { targets } = await jsonOf(deployment);
    assert.deepEqual([targets[0]?.['state'], targets[0]?.['isDown']], ['unwritten', true]);
    assert.match(String(targets[0]?.['problem']), /^state_unread: .*AccessDeniedException/);
  });

  test('no targets, no tick: each has a name', async (context) => {
    const deployment = await start(context, { nims: 0, parameters: () => ({}) });
    assert.deepEqual((await jsonOf(deployment)).codes, ['no_tick']);
    await deployment.schedule();
    assert.deepEqual((await jsonOf(deployment)).codes, ['waiting_for_targets']);
    deployment.ssm.put(`${PREFIX}/targets/nim`, '127.0.0.1:9');
    await deployment.schedule();
    const { codes, targets } = await jsonOf(deployment);
    assert.deepEqual(codes, ['no_run']);
    assert.deepEqual([targets[0]?.['state'], targets[0]?.['isDown']], ['new', false]);
  });

  test('nothing ran for ten minutes, and what it owes has waited as long', async (context) => {
    const deployment = await start(context, { receiver: { answer: () => ({ status: 403 }) } });
    await deployment.tick();
    deployment.nims[0]?.advance(15_000);
    await deployment.tick();
    const client = new DynamoDBClient({ ...FAKE_AWS, endpoint: deployment.dynamodb.endpoint });
    const read = await readStatus(
      { client, clock: systemClock },
      'state',
      systemClock.monotonicMs() + 30_000,
    );
    client.destroy();
    assert.ok(read.code === 'read');
    const { targets, findings } = judgeStatus(read.facts, Date.now() + 600_000);
    assert.deepEqual(
      findings.map(({ code }) => code),
      ['tick_stale', 'refused'],
    );
    assert.deepEqual(
      targets.map(({ state }) => state),
      ['pending'],
    );
  });
});

describe('what it needs', () => {
  const nowhere = { dynamodb: { endpoint: 'http://127.0.0.1:9' } } as Pick<Deployment, 'dynamodb'>;

  test('the stack, by the name of the app or another one', async () => {
    const absent = await statusOf(nowhere, '--stack', 'Other');
    assert.deepEqual(
      [absent.code, absent.stdout, absent.stderr],
      [
        1,
        '',
        'cannot find the stack Other: there is none of that name in eu-central-1 of this account; name another one by --stack, or set AWS_REGION and AWS_PROFILE\n',
      ],
    );
    const bare = await statusOf(nowhere, '--stack', 'Bare');
    const message = 'cannot find the table: the stack Bare has no output TableName; name it by --table\n';
    assert.deepEqual([bare.code, bare.stderr], [1, message]);
    assert.equal(stacks.calls.at(-1)?.get('StackName'), 'Bare');
  });

  test('the table: one that is gone is said so, one that is named needs no stack', async (context) => {
    const deployment = await start(context);
    const gone = await statusOf(deployment, '--stack', 'Gone');
    assert.equal(gone.code, 1);
    assert.match(
      gone.stderr,
      /^cannot read the table deleted: ResourceNotFoundException, .*; check the name of the table and the region\n$/,
    );
    const before = stacks.calls.length;
    await deployment.tick();
    const named = await statusOf(deployment, '--table', 'state');
    assert.equal(named.code, 0);
    assert.equal(stacks.calls.length, before);
  });

  test('credentials, a region, a permission', async (context) => {
    const without = {
      ...process.env,
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_CONFIG_FILE: '/dev/null',
      AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    } as Record<string, string>;
    const region = await startCli(['status'], {
      ...without,
      AWS_ENDPOINT_URL_CLOUDFORMATION: stacks.endpoint,
    }).ended;
    assert.equal(region.code, 1);
    assert.equal(
      region.stderr,
      'cannot find the stack NimToDynatrace: no AWS region is set; set AWS_REGION, or region in the profile\n',
    );
    const nobody = await startCli(['status'], {
      ...without,
      AWS_REGION: 'eu-central-1',
      AWS_ENDPOINT_URL_CLOUDFORMATION: stacks.endpoint,
    }).ended;
    assert.equal(nobody.code, 1);
    assert.match(
      nobody.stderr,
      /^cannot find the stack NimToDynatrace: CredentialsProviderError, .*; check the AWS credentials/,
    );
    const denying = await startCloudFormation({}, { denied: true });
    context.after(() => denying.close());
    const denied = await startCli(['status'], {
      ...CREDENTIALS,
      AWS_ENDPOINT_URL_CLOUDFORMATION: denying.endpoint,
    }).ended;
    assert.equal(denied.code, 1);
    assert.match(denied.stderr, /^cannot find the stack NimToDynatrace: AccessDenied, .*; grant /);
    assert.doesNotMatch(denied.stderr, /PLANTED/);
  });

  test('options that it knows', async () => {
    const wrong = await startCli(['status', '--stack', 'a b']).ended;
    assert.deepEqual([wrong.code, wrong.stdout], [2, '']);
    assert.match(
      wrong.stderr,
      /^cannot use --stack a b: it is no name of a stack; write --stack NimToDynatrace\n$/,
    );
    for (const [args, problem] of [
      [['--stak', 'a'], /^cannot read the options: /],
      [['--stack', `a${'b'.repeat(128)}`], /^cannot use --stack .*: it is no name of a stack/],
      [['--table', 'a/b'], /^cannot use --table a\/b: it is no name of a table/],
      [['--stack', 'a', '--table', 'abc'], /^cannot use --stack and --table: /],
      [['-o', 'yaml'], /^cannot use --output yaml: /],
      [['nim'], /^cannot read the options: /],
    ] as const) {
      const read = readStatusOptions(args);
      assert.ok(read.code === 'wrong', args.join(' '));
      assert.match(read.problems.join(), problem);
    }
    assert.equal(readStatusOptions(['--stack', `a${'b'.repeat(127)}`]).code, 'settings');
    const help = await startCli(['status', '--help']).ended;
    assert.equal(help.code, 0);
    assert.match(help.stdout, /--stack NAME .*\(default: NimToDynatrace\)/);
  });
});
