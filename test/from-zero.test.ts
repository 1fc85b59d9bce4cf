/**
 * The block of commands in the README that leads from nothing to metrics, as far as it goes without an account: its
 * words are those of the app's defaults, and its parameters, put in any order, make the deployed functions send.
 */
import type { Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { DEFAULT_STACK } from '../functions/cli/status-options.ts';
import { tokenNameOf } from '../functions/core/secrets.ts';
import { createApp } from '../infra/app.ts';
import { startCli } from './cli/harness.ts';
import { startCloudFormation } from './fakes/cloudformation.ts';
import { SOURCE, TOKEN, addressOf, startDeployment } from './fakes/deployment.ts';
import { directory } from './infra/construct.ts';

const README = readFileSync('README.md', 'utf8');
const DEPLOY = README.slice(README.indexOf('## Deploy'));
const [, block = ''] = /```\n([\s\S]*?)```/.exec(DEPLOY) ?? [];
const COMMANDS = block
  .trim()
  .split('\n')
  .map((line) => line.replace(/\s+#.*$/, '').split(/\s+/));
const commands = (...words: readonly string[]) =>
  COMMANDS.filter((command) => words.every((word, i) => command[i] === word));

interface Put {
  readonly name: string;
  readonly type: 'String' | 'SecureString';
  readonly value: string;
}

/** `aws ssm put-parameter --type String --name /a/b --value c`: these options and no other. */
const PUTS = commands('aws', 'ssm', 'put-parameter').map((command): Put => {
  const options = new Map<string, string>();
  for (let i = 3; i < command.length; i += 2) options.set(command[i] ?? '', command[i + 1] ?? '');
  assert.deepEqual([...options.keys()], ['--type', '--name', '--value']);
  const type = options.get('--type');
  assert.ok(type === 'String' || type === 'SecureString');
  const value = options.get('--value')?.replace(/^"(.*)"$/, '$1') ?? '';
  return { name: options.get('--name') ?? '', type, value };
});

const { context } = JSON.parse(readFileSync('cdk.json', 'utf8')) as { context: Record<string, unknown> };

/** As `cdk deploy -c name=value ...` would. */
function templateWith(options: Readonly<Record<string, string>>): Template {
  const app = createApp(
    { context: { ...context, ...options }, outdir: join(directory, 'from-zero') },
    { codeDirectory: directory },
  );
  return Template.fromStack(app.node.findChild(DEFAULT_STACK) as Stack);
}

const {
  name: PACKAGE,
  bin,
  devDependencies,
} = JSON.parse(readFileSync('package.json', 'utf8')) as {
  readonly name: string;
  readonly bin: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
};

describe('every command of the block', () => {
  test('is one of these', () => {
    assert.deepEqual(
      COMMANDS.map((command) => command.slice(0, command[0] === 'npm' ? 2 : 3).join(' ')),
      [
        'npm ci',
        'aws ssm put-parameter',
        'aws ssm put-parameter',
        'npx cdk bootstrap',
        'npx cdk deploy',
        'aws ssm put-parameter',
        `npx ${PACKAGE} status`,
      ],
    );
    assert.ok('aws-cdk' in devDependencies, 'npx cdk is that of the lock file');
    assert.equal(bin[PACKAGE], 'functions/cli/nim-to-dynatrace.js');
  });

  test('puts what the functions may read, below the default prefix', () => {
    const json = JSON.stringify(templateWith({}).toJSON());
    const [, prefix = ''] = /"PARAMETER_PREFIX":"([^"]+)"/.exec(json) ?? [];
    assert.deepEqual(
      PUTS.map(({ name, type }) => [name, type]),
      [
        [`${prefix}/endpoint`, 'String'],
        [tokenNameOf(prefix), 'SecureString'],
        [`${prefix}/targets/nim`, 'String'],
      ],
    );
    for (const resource of ['endpoint', 'secrets/*', 'targets/*']) {
      assert.ok(json.includes(`:parameter${prefix}/${resource}"`), resource);
    }
  });

  test('deploys with context options that the app knows, and without them', () => {
    const [deploy = []] = commands('npx', 'cdk', 'deploy');
    const given = deploy.slice(3);
    assert.ok(given.every((word, i) => i % 2 === 1 || word === '-c'));
    const options = Object.fromEntries(
      given.filter((_, i) => i % 2 === 1).map((option) => option.split('=') as [string, string]),
    );
    assert.deepEqual(Object.keys(options), ['vpcId', 'subnetIds', 'securityGroupIds']);
    templateWith(options).allResourcesProperties('AWS::Lambda::Function', {
      VpcConfig: {
        SubnetIds: options['subnetIds']?.split(','),
        SecurityGroupIds: options['securityGroupIds']?.split(','),
      },
    });
    assert.ok('TableName' in templateWith({}).findOutputs('*'), 'where status finds the table');
  });

  test('what is put is what the last sentence deletes', () => {
    const [, names = ''] = /aws ssm delete-parameters --names ([^`]+)`/.exec(DEPLOY) ?? [];
    assert.deepEqual(
      names.split(' '),
      PUTS.map(({ name }) => name),
    );
  });
});

test('put in any order, each missing piece has a name, and in the end all is well', async (context) => {
  const deployment = await startDeployment(context, { build: SOURCE, parameters: () => ({}) });
  const stack = await startCloudFormation({ [DEFAULT_STACK]: { TableName: 'state' } });
  context.after(() => stack.close());
  const [nim] = deployment.nims;
  assert.ok(nim);
  const given = new Map([
    ['$DT_ENDPOINT', deployment.receiver.endpoint],
    ['$DT_API_TOKEN', TOKEN],
    ['10.0.1.17:8000', addressOf(nim)],
  ]);
  const status = async () => {
    nim.advance(15_000);
    await deployment.tick();
    const { code, stdout } = await startCli(['status'], {
      AWS_REGION: 'eu-central-1',
      AWS_ACCESS_KEY_ID: 'AKIAFAKE',
      AWS_SECRET_ACCESS_KEY: 'fake',
      AWS_ENDPOINT_URL_CLOUDFORMATION: stack.endpoint,
      AWS_ENDPOINT_URL_DYNAMODB: deployment.dynamodb.endpoint,
    }).ended;
    const [, found] = /^(waiting_for_\w+): /m.exec(stdout) ?? [];
    // The remedy is the README's own command.
    const put = PUTS.find(({ name }) => stdout.replace(/\s+/g, ' ').includes(` --name ${name} --value `));
    return { code, found, put: put?.name };
  };
  const [endpoint, token, target] = PUTS;
  assert.ok(endpoint && token && target);
  assert.deepEqual(await status(), { code: 1, found: 'waiting_for_targets', put: target.name });
  for (const [next, then] of [
    [target, { code: 1, found: 'waiting_for_endpoint', put: endpoint.name }],
    [endpoint, { code: 1, found: 'waiting_for_token', put: token.name }],
    [token, { code: 0, found: undefined, put: undefined }],
  ] as const) {
    const value = given.get(next.value);
    assert.ok(value !== undefined, next.value);
    deployment.ssm.put(next.name, value, next.type);
    assert.deepEqual(await status(), then, next.name);
  }
  assert.ok(deployment.receiver.points.length > 0);
  assert.deepEqual(deployment.receiver.violations, []);
});
