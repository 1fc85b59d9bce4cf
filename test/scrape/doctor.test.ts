/** The doctor inside of the deployed functions, as they are bundled, with whatever may be missing around them. */
import assert from 'node:assert/strict';
import { type TestContext, after, describe, test } from 'node:test';
import { DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb';
import { CONNECT_TIMEOUT_MS } from '../../functions/adapters/http.ts';
import type { AwsDiagnosis, Check, Diagnosis } from '../../functions/core/doctor/checks.ts';
import { MAX_CONCURRENT_TARGETS } from '../../functions/core/doctor/diagnosing.ts';
import {
  DOCTOR_BUDGET_MS,
  DOCTOR_VERSION,
  MAX_REQUEST_TARGETS,
  readDiagnoses,
  readFound,
  writeDiagnoseRequest,
  writeFindRequest,
} from '../../functions/core/doctor/request.ts';
import type { Target } from '../../functions/core/model.ts';
import { createTarget } from '../../functions/core/targets.ts';
import { closedPort, serveHttp } from '../adapters/local-servers.ts';
import { FAKE_AWS } from '../fakes/aws-json.ts';
import {
  type Deployment,
  type DeploymentOptions,
  PREFIX,
  TOKEN_NAME,
  addressOf,
  buildBundles,
  startDeployment,
} from '../fakes/deployment.ts';
import { eventsOf } from '../fakes/lambda.ts';

const build = await buildBundles(after);

const deploy = (t: TestContext, options: Partial<DeploymentOptions> = {}): Promise<Deployment> =>
  startDeployment(t, { build, ...options });

function targetAt(address: string, more: Partial<Target> = {}): Target {
  return {
    ...createTarget({ job: 'nim', instance: address, scheme: 'http', address, path: '', params: [] }),
    ...more,
  };
}

async function diagnosed(
  { scrape }: Deployment,
  targets: readonly Target[] = [],
): Promise<readonly Diagnosis[]> {
  const { error, answer } = await scrape.invoke(writeDiagnoseRequest({ targets, deployment: true }));
  assert.equal(error, undefined);
  const read = readDiagnoses(answer);
  assert(read.code === 'read', JSON.stringify(read));
  return read.value;
}

async function found({ dispatch }: Deployment) {
  const { error, answer } = await dispatch.invoke(writeFindRequest());
  assert.equal(error, undefined);
  const read = readFound(answer);
  assert(read.code === 'read', JSON.stringify(read));
  return read.value;
}

function sentence(diagnosis: Diagnosis | undefined, name: Check['name']): string {
  const { status, message, remedy = '' } = diagnosis?.checks.find((check) => check.name === name) ?? {};
  return `${status}: ${message} -> ${remedy}`;
}

const statuses = ({ checks }: Diagnosis): readonly string[] =>
  checks.map(({ name, status }) => `${name} ${status}`);

const awsOf = (diagnoses: readonly Diagnosis[]) =>
  diagnoses.find(({ kind }) => kind === 'aws') as AwsDiagnosis;
const dynatraceOf = (diagnoses: readonly Diagnosis[]) => diagnoses.find(({ kind }) => kind === 'dynatrace');

async function itemsOf(endpoint: string): Promise<unknown> {
  const client = new DynamoDBClient({ ...FAKE_AWS, endpoint });
  const { Items } = await client.send(new ScanCommand({ TableName: 'state', ConsistentRead: true }));
  client.destroy();
  return Items;
}

describe('all is well', () => {
  test('AWS, the target and Dynatrace; nothing is stored, sent or changed, and ticks go on', async (t) => {
    const deployment = await deploy(t);
    await deployment.tick();
    const [before, points] = [await itemsOf(deployment.dynamodb.endpoint), deployment.receiver.points.length];
    const { diagnosis, targets } = await found(deployment);
    assert.deepEqual(statuses(diagnosis), ['documents ok']);
    assert.match(sentence(diagnosis, 'documents'), /1 target documents, 1 targets/);
    assert.deepEqual(
      targets.map(({ job, address }) => [job, address]),
      [['nim', addressOf(deployment.nims[0]!)]],
    );

    const diagnoses = await diagnosed(deployment, targets);
    assert.deepEqual(
      diagnoses.map(({ kind }) => kind),
      ['aws', 'target', 'dynatrace'],
    );
    const [aws, target, dynatrace] = diagnoses as [Diagnosis, Diagnosis, Diagnosis];
    assert.deepEqual(statuses(aws), ['dynamodb ok', 'stored_endpoint ok', 'stored_token ok']);
    assert.match(
      sentence(aws, 'dynamodb'),
      /state answers \(GetItem, BatchGetItem, PutItem, UpdateItem\); nothing was written/,
    );
    assert.deepEqual(
      statuses(target).filter((status) => !/ (ok|warning)$/.test(status)),
      [],
    );
    assert(target.kind === 'target' && target.forecast !== undefined && target.cut === undefined);
    assert.match(sentence(dynatrace, 'ingest'), /^ok/);
    for (const { status, latencyMs } of aws.checks) assert(status === 'ok' && typeof latencyMs === 'number');

    assert.deepEqual(await itemsOf(deployment.dynamodb.endpoint), before);
    assert.equal(deployment.receiver.points.length, points);
    const { worked } = await deployment.tick();
    assert(eventsOf(worked[0]).includes('run_finished'));
  });

  test('an endpoint that is a part of the deployment is not looked for', async (t) => {
    const deployment = await deploy(t, { env: { ENDPOINT: 'http://127.0.0.1:9/otlp' } });
    const diagnoses = await diagnosed(deployment);
    assert.match(
      sentence(awsOf(diagnoses), 'stored_endpoint'),
      /^ok: the endpoint is fixed by the deployment/,
    );
    assert.match(sentence(dynatraceOf(diagnoses), 'tcp'), /^failed: cannot connect to 127.0.0.1:9/);
    assert(!deployment.ssm.calls.some(({ input }) => input['Name'] === `${PREFIX}/endpoint`));
  });
});

describe('what is missing is named, with its state and the cure', () => {
  test('no token', async (t) => {
    const deployment = await deploy(t);
    deployment.ssm.remove(TOKEN_NAME);
    const diagnoses = await diagnosed(deployment);
    assert.match(
      sentence(awsOf(diagnoses), 'stored_token'),
      /^failed: .*: waiting_for_token -> aws ssm put-parameter --type SecureString --name \/nim-to-dynatrace\/secrets\/dt-api-token/,
    );
    assert.match(sentence(dynatraceOf(diagnoses), 'dns'), /^ok/);
  });

  test('no endpoint', async (t) => {
    const deployment = await deploy(t);
    deployment.ssm.remove(`${PREFIX}/endpoint`);
    const diagnoses = await diagnosed(deployment);
    assert.match(
      sentence(awsOf(diagnoses), 'stored_endpoint'),
      /^failed: .*: waiting_for_endpoint -> aws ssm put-parameter --type String --name \/nim-to-dynatrace\/endpoint/,
    );
    assert.match(sentence(dynatraceOf(diagnoses), 'endpoint'), /^skipped: .*there is no endpoint/);
  });

  test('no target; a document with a mistake', async (t) => {
    const deployment = await deploy(t, { nims: 0 });
    deployment.ssm.remove(`${PREFIX}/targets/nim`);
    assert.match(
      sentence((await found(deployment)).diagnosis, 'documents'),
      /^warning: .*waiting_for_targets -> put one: aws ssm put-parameter .*\/targets\/nim/,
    );
    deployment.ssm.put(`${PREFIX}/targets/nim`, 'static_configs: [{targets: [a:1]}]\nnonsense: 1\n');
    assert.match(
      sentence((await found(deployment)).diagnosis, 'documents'),
      /^failed: \/nim-to-dynatrace\/targets\/nim:2:1.*nonsense/,
    );
  });

  test('an address that no rule leaves whole', async (t) => {
    const deployment = await deploy(t);
    deployment.ssm.put(
      `${PREFIX}/targets/nim`,
      'static_configs: [{targets: [a:1]}]\nrelabel_configs: [{target_label: __address__, replacement: "a b"}]\n',
    );
    const { diagnosis, targets } = await found(deployment);
    assert.match(sentence(diagnosis, 'discovery'), /^failed: cannot scrape .+ -> .+/);
    assert.deepEqual(targets, []);
  });

  test('a token without the scope', async (t) => {
    const deployment = await deploy(t, { receiver: { scopes: ['metrics.read'] } });
    assert.match(
      sentence(dynatraceOf(await diagnosed(deployment)), 'ingest'),
      /^failed: .*403.*-> the token is known and lacks the scope metrics\.ingest/,
    );
  });

  test('SSM is denied to each function: action and resource', async (t) => {
    const deployment = await deploy(t);
    deployment.ssm.failNext('AccessDeniedException', 'GetParametersByPath');
    assert.match(
      sentence((await found(deployment)).diagnosis, 'documents'),
      /^failed: .*AccessDenied.* -> allow ssm:GetParametersByPath on the parameters below \/nim-to-dynatrace\/targets in the role/,
    );
    for (let i = 0; i < 2; i++) deployment.ssm.failNext('AccessDeniedException', 'GetParameter');
    const aws = awsOf(await diagnosed(deployment));
    assert.match(
      sentence(aws, 'stored_endpoint'),
      /^failed: .* -> allow ssm:GetParameter on the parameter \/nim-to-dynatrace\/endpoint/,
    );
    assert.match(
      sentence(aws, 'stored_token'),
      /^failed: .* -> allow ssm:GetParameter on the parameter \/nim-to-dynatrace\/secrets\/dt-api-token/,
    );
  });

  test('DynamoDB is denied for one action, and hangs in a VPC: no route', async (t) => {
    const deployment = await deploy(t, { env: { IN_VPC: 'true' } });
    deployment.dynamodb.next('PutItem', { kind: 'refuse', error: 'AccessDeniedException' });
    assert.match(
      sentence(awsOf(await diagnosed(deployment)), 'dynamodb'),
      /^failed: .* -> allow dynamodb:PutItem on the table state in the role .*VPC endpoint com\.amazonaws\.eu-central-1\.dynamodb/,
    );
    for (const action of ['GetItem', 'BatchGetItem', 'PutItem', 'UpdateItem'])
      deployment.dynamodb.next(action, { kind: 'hang' });
    assert.match(
      sentence(awsOf(await diagnosed(deployment)), 'dynamodb'),
      /^failed: .*no answer before the deadline -> give the route tables .* a gateway endpoint com\.amazonaws\.eu-central-1\.dynamodb, or a NAT gateway/,
    );
  });

  test('a secret of a job is not there; it is asked for as a scrape does, and never told', async (t) => {
    const deployment = await deploy(t);
    const server = await serveHttp(t, (_, response) => response.end('up 1\n'));
    const reference = `ssm:${PREFIX}/secrets/nim`;
    const target = targetAt(server.address, {
      path: '/metrics',
      authorization: { type: 'Bearer', credentials: reference },
    });
    const [, absent] = await diagnosed(deployment, [target]);
    assert.match(
      sentence(absent, 'stored_secret'),
      /^failed: .*no such parameter -> put it: aws ssm put-parameter/,
    );
    assert.match(sentence(absent, 'http'), /^failed/);

    const other = { ...target, authorization: { type: 'Bearer', credentials: `${reference}-2` } };
    deployment.ssm.put(`${PREFIX}/secrets/nim-2`, 'PLANTED-nim', 'SecureString');
    const [, read] = await diagnosed(deployment, [other]);
    assert.match(sentence(read, 'stored_secret'), /^ok/);
    assert.equal(server.requests[0]?.headers.authorization, 'Bearer PLANTED-nim');
  });

  test('what stands on a page that is none never comes along', async (t) => {
    const deployment = await deploy(t);
    const pages: Readonly<Record<string, string>> = {
      '/login': '<html>PLANTED session</html>',
      '/broken': 'up 1\nPLANTED{ 1\n',
      '/text': 'PLANTED by hand, and no page\n',
    };
    // Whoever closes the deployment searches all that was answered.
    const server = await serveHttp(t, ({ url }, response) => response.end(pages[url] ?? ''));
    const targets = Object.keys(pages).map((path) => targetAt(server.address, { path }));
    const [, login, broken, text] = await diagnosed(deployment, targets);
    assert.match(sentence(login, 'format'), /^failed: .*HTML/);
    assert.match(sentence(broken, 'format'), /^warning: /);
    assert.match(sentence(text, 'format'), /^failed/);
  });

  test('nobody listens at the address: no security group is blamed', async (t) => {
    const deployment = await deploy(t, { env: { IN_VPC: 'true' } });
    const [, refused] = await diagnosed(deployment, [targetAt(`127.0.0.1:${await closedPort()}`)]);
    assert.match(sentence(refused, 'tcp'), /^failed: .*refused.* -> the host is there and nothing listens/);
  });
});

describe('bounds', () => {
  test('as many targets as one request may name, none of which ever answers: all are told of in time', async (t) => {
    const deployment = await deploy(t);
    const server = await serveHttp(t, () => undefined);
    const targets = Array.from({ length: MAX_REQUEST_TARGETS }, (_, i) =>
      targetAt(server.address, { path: `/${i}`, key: String(i) }),
    );
    // The runtime ends what is not done by then.
    const remainingMs = 4_000;
    const request = writeDiagnoseRequest({ targets, deployment: true });
    const { error, answer } = await deployment.scrape.invoke(request, { remainingMs });
    assert.equal(error, undefined);
    const read = readDiagnoses(answer);
    assert(read.code === 'read');
    const ofTargets = read.value.filter(({ kind }) => kind === 'target');
    assert.equal(ofTargets.length, MAX_REQUEST_TARGETS);
    assert.match(sentence(ofTargets[0], 'http'), /^failed/);
    assert.match(sentence(ofTargets.at(-1), 'dns'), /^failed: there was no time left/);
    assert.match(sentence(dynatraceOf(read.value), 'ingest'), /^ok/);
  });

  test('addresses from which nothing comes back leave each its turn, and 25 s are kept', () => {
    const rounds = MAX_REQUEST_TARGETS / MAX_CONCURRENT_TARGETS;
    assert(rounds * CONNECT_TIMEOUT_MS < DOCTOR_BUDGET_MS && DOCTOR_BUDGET_MS < 25_000);
  });

  test('one target more, another version, no request at all: said, not thrown', async (t) => {
    const { scrape, dispatch } = await deploy(t);
    const targets = Array.from({ length: MAX_REQUEST_TARGETS + 1 }, (_, i) => targetAt(`nim-${i}:8000`));
    const wrong: readonly (readonly [event: object, says: RegExp])[] = [
      [writeDiagnoseRequest({ targets, deployment: false }), /names 33 targets; name 32 at most/],
      [
        { doctor: { version: DOCTOR_VERSION + 1 } },
        /of version 2, and this release knows 1; use the command line/,
      ],
      [{ doctor: null }, /it has no version/],
      [{ doctor: { version: 1, deployment: true, work: { version: 99 } } }, /targets are of another release/],
    ];
    for (const [event, says] of wrong) {
      const { error, answer } = await scrape.invoke(event);
      assert.equal(error, undefined);
      const read = readDiagnoses(answer);
      assert(read.code === 'failed');
      assert.match(read.message, says);
    }
    const { answer } = await dispatch.invoke({ doctor: { version: 2 } });
    const read = readFound(answer);
    assert(read.code === 'failed');
    assert.match(read.message, /of version 2/);
  });
});
