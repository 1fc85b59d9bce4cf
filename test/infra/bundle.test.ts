import dynalite from 'dynalite';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingMessage, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { bundle, HANDLERS, MAX_BUNDLE_BYTES } from '../../infra/bundle.ts';
import type { Bundle } from '../../infra/bundle.ts';

const ENTRIES = { dispatch: 'test/infra/entries/dispatch.ts', scrape: 'test/infra/entries/scrape.ts' };
const CREDENTIALS = { AWS_ACCESS_KEY_ID: 'AKIAFROMENV', AWS_SECRET_ACCESS_KEY: 'secret' };

/** SSM, SQS, Secrets Manager, a metrics page and an echo, on one port. */
const server = createServer((request, response) => {
  void textOf(request).then((body) => {
    const target = request.headers['x-amz-target'];
    signatures.push(request.headers.authorization ?? '');
    if (target === undefined)
      return response.end(request.method === 'POST' ? body : `page of ${request.url}`);
    response.setHeader('content-type', 'application/x-amz-json-1.1');
    return response.end(JSON.stringify(ANSWERS[String(target)]));
  });
});
const signatures: string[] = [];
const ANSWERS: Readonly<Record<string, unknown>> = {
  'AmazonSSM.GetParameter': { Parameter: { Name: '/a', Value: 'endpoint' } },
  'AmazonSSM.GetParametersByPath': { Parameters: [{ Name: '/a/b', Value: '10.0.1.17:8000' }] },
  'AmazonSSM.GetParameterHistory': { Parameters: [{ Name: '/a/b', Value: '10.0.1.17:8000', Version: 1 }] },
  'secretsmanager.GetSecretValue': { SecretString: 'hidden' },
  'AmazonSQS.SendMessageBatch': {
    // MD5 of the message `a`, which the SDK checks.
    Successful: [{ Id: '0', MessageId: '1', MD5OfMessageBody: '0cc175b9c0f1b6a831c399e269772661' }],
    Failed: [],
  },
};
const database = dynalite({ createTableMs: 0 });
let directory = '';
let bundles: readonly Bundle[] = [];

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bundle-test-'));
  bundles = await bundle({ entries: ENTRIES, outDir: directory });
  await Promise.all([listen(server), listen(database)]);
  const client = new DynamoDBClient({
    endpoint: urlOf(database),
    region: 'eu-central-1',
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
  });
  await client.send(
    new CreateTableCommand({
      TableName: 'state',
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
    }),
  );
  client.destroy();
});

after(async () => {
  server.closeAllConnections();
  await Promise.all([close(server), close(database)]);
  await rm(directory, { recursive: true });
});

describe('bundle', () => {
  test('the handlers of both functions are the default entries', () => {
    assert.deepEqual(HANDLERS, {
      dispatch: 'functions/dispatch/handler.ts',
      scrape: 'functions/scrape/handler.ts',
    });
  });

  test('everything that a handler imports fits the budget', () => {
    assert.deepEqual(
      bundles.map(({ name, file }) => [name, file]),
      [
        ['dispatch', join(directory, 'dispatch/index.mjs')],
        ['scrape', join(directory, 'scrape/index.mjs')],
      ],
    );
    for (const { name, bytes } of bundles) assert.ok(bytes <= MAX_BUNDLE_BYTES, `${name} has ${bytes} bytes`);
  });

  test('what the stand-ins replace is not in the bundle', async () => {
    const text = await readFile(join(directory, 'scrape/index.mjs'), 'utf8');
    for (const trace of [
      'setShouldAutodetect',
      'sso-oidc',
      'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
      'WebSocketStream',
    ]) {
      assert.ok(!text.includes(trace), trace);
    }
    assert.ok(!text.includes(process.cwd()), 'no path of this machine');
  });

  test('a bundle of exactly the budget passes, one byte more is an error that names it', async () => {
    const dispatch = bundles.find(({ name }) => name === 'dispatch')!;
    const props = { entries: { dispatch: ENTRIES.dispatch }, outDir: directory };
    assert.deepEqual(await bundle({ ...props, maxBytes: dispatch.bytes }), [dispatch]);
    await assert.rejects(bundle({ ...props, maxBytes: dispatch.bytes - 1 }), {
      message:
        `cannot bundle dispatch: ${dispatch.bytes} bytes are over the budget of ${dispatch.bytes - 1}; ` +
        'find the dependency that grew (esbuild --analyze), or raise MAX_BUNDLE_BYTES on purpose',
    });
  });
});

describe('the bundle runs outside the repository', () => {
  test('scrape: undici, DynamoDB, SSM, Secrets Manager, RE2 and OTLP', async () => {
    const event = { httpUrl: urlOf(server), dynamodbEndpoint: urlOf(database), tableName: 'state' };
    assert.deepEqual(await run('scrape', event, CREDENTIALS), {
      status: 200,
      text: 'page of /metrics?a=1',
      echo: 'points',
      refusedCode: 'ECONNREFUSED',
      otlp: true,
      parameter: 'endpoint',
      secret: 'hidden',
      matches: true,
      version: '2',
      batch: 1,
    });
  });

  test('dispatch: YAML, RE2, SSM and SQS, signed with the credentials of the environment', async () => {
    signatures.length = 0;
    assert.deepEqual(await run('dispatch', { httpUrl: urlOf(server) }, CREDENTIALS), {
      parameters: 1,
      versions: 1,
      sent: 1,
      yaml: { targets: ['10.0.1.17:8000'] },
      matches: true,
    });
    assert.equal(signatures.length, 3);
    for (const signature of signatures) assert.match(signature, /Credential=AKIAFROMENV\//);
  });

  test('without credentials in the environment the call fails and says why', async () => {
    await assert.rejects(
      run('dispatch', { httpUrl: urlOf(server) }, {}),
      /cannot sign the request: AWS_ACCESS_KEY_ID or AWS_SECRET_ACCESS_KEY is not set/,
    );
  });
});

/** Invokes a bundle's handler in a process of its own, with nothing but `env`, and returns its answer. */
async function run(name: string, event: unknown, env: Readonly<Record<string, string>>): Promise<unknown> {
  const script =
    `import { handler } from ${JSON.stringify(join(directory, name, 'index.mjs'))};` +
    `console.log(JSON.stringify(await handler(${JSON.stringify(event)}, {})));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
    cwd: directory,
    env,
  });
  return JSON.parse(stdout.trimEnd().split('\n').at(-1)!);
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}

function listen(listener: Server): Promise<void> {
  return new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
}

function close(listener: Server): Promise<void> {
  return new Promise((resolve) => listener.close(() => resolve()));
}

function urlOf(listener: Server): string {
  return `http://127.0.0.1:${(listener.address() as AddressInfo).port}`;
}
