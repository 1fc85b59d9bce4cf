/** What only some deployments need is in the bundles, and is not evaluated where nothing asks for it. */
import * as esbuild from 'esbuild';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { HANDLERS, LAMBDA_OPTIONS } from '../../infra/bundle.ts';

let directory = '';
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bundle-lazy-'));
  // As it is deployed, only that the functions around its modules keep their names, which are the modules' paths.
  await esbuild.build({
    ...LAMBDA_OPTIONS,
    minify: false,
    entryPoints: Object.entries(HANDLERS).map(([name, path]) => ({ in: path, out: name })),
    outdir: directory,
  });
});
after(() => rm(directory, { recursive: true }));

/** Set by the stack. */
const ENVIRONMENT = {
  PARAMETER_PREFIX: '/nim-to-dynatrace',
  TABLE_NAME: 'state',
  QUEUE_URL: 'https://sqs.eu-central-1.amazonaws.com/111122223333/shards.fifo',
  MAX_STALENESS_MS: '0',
  AWS_REGION: 'eu-central-1',
  AWS_ACCESS_KEY_ID: 'AKIAFAKE',
  AWS_SECRET_ACCESS_KEY: 'secret',
};

/** The modules that a cold start evaluates, and those that it leaves, of all that wait to be asked for. */
async function coldStart(name: string, env: Readonly<Record<string, string>> = {}) {
  const coverage = await mkdtemp(join(directory, `${name}-`));
  const script = `await import(${JSON.stringify(join(directory, `${name}.mjs`))})`;
  await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
    env: { ...ENVIRONMENT, ...env, NODE_V8_COVERAGE: coverage },
  });
  const [file = ''] = await readdir(coverage);
  const { result } = JSON.parse(await readFile(join(coverage, file), 'utf8')) as Coverage;
  const functions = result.find(({ url }) => url.endsWith(`/${name}.mjs`))?.functions ?? [];
  const modules = functions.filter(({ functionName }) =>
    /(?:^|\/)(?:node_modules|functions)\//.test(functionName),
  );
  const pathsOf = (isRun: boolean) =>
    modules.flatMap(({ functionName, ranges }) =>
      (ranges[0]?.count ?? 0) > 0 === isRun ? [functionName] : [],
    );
  return { evaluated: pathsOf(true), left: pathsOf(false) };
}

interface Coverage {
  readonly result: readonly {
    readonly url: string;
    readonly functions: readonly {
      readonly functionName: string;
      readonly ranges: readonly { readonly count: number }[];
    }[];
  }[];
}

const CLIENT = /node_modules\/@aws-sdk\/client-secrets-manager\//;

describe('the client of Secrets Manager', () => {
  for (const name of Object.keys(HANDLERS)) {
    test(`${name}: not one of its modules is evaluated at a cold start`, async () => {
      const { evaluated, left } = await coldStart(name);
      assert.ok(evaluated.length > 100, String(evaluated.length));
      assert.ok(left.filter((path) => CLIENT.test(path)).length > 10, left.join('\n'));
      assert.deepEqual(
        evaluated.filter((path) => CLIENT.test(path)),
        [],
      );
    });
  }

  test('where the API token is one of its secrets the worker has it from the start, and dispatch not even then', async () => {
    const API_TOKEN = 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:dynatrace-AbCdEf';
    const [scrape, dispatch] = await Promise.all([
      coldStart('scrape', { API_TOKEN }),
      coldStart('dispatch', { API_TOKEN }),
    ]);
    assert.ok(scrape.evaluated.some((path) => CLIENT.test(path)));
    assert.ok(!dispatch.evaluated.some((path) => CLIENT.test(path)));
  });
});
