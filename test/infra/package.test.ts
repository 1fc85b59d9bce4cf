/** What `npm pack` makes, in the hands of its user: an app of two files and whatever Node is on the PATH. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join, relative } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { buildPackage } from '../../infra/package.ts';
import { readmeApp, runnableApps } from '../consumer/readme-app.ts';

const ROOT = join(import.meta.dirname, '../..');
const PACKED_BY_NPM = ['package.json', 'README.md', 'LICENSE'];
const LAUNCHER = 'functions/cli/nim-to-dynatrace.js';

/** Of the tarball: about 1.05 MB today; a dependency that came in by accident would show. */
const MAX_PACKED_BYTES = 1.4 * 1024 * 1024;

const directory = await mkdtemp(join(tmpdir(), 'package-test-'));
const app = join(directory, 'app');
const installed = join(app, 'node_modules/nim-to-dynatrace');
const OLDEST = versionOf('v20.15.0');
let files: readonly string[] = [];
let packedBytes = 0;
let nodes: readonly string[] = []; // Oldest first.

before(async () => {
  // The tree that `npm pack` sees, but for what it must leave out anyway; in the clone itself it would replace dist/.
  const clone = join(directory, 'clone');
  for (const name of [...PACKED_BY_NPM, LAUNCHER, 'test/tidy.test.ts', 'functions/cli/main.ts']) {
    await cp(join(ROOT, name), join(clone, name));
  }
  await buildPackage(join(clone, 'dist'));
  const { stdout } = await run(
    'npm',
    ['pack', clone, '--silent', '--ignore-scripts', '--offline'],
    directory,
  );
  const tarball = join(directory, stdout.trim());
  packedBytes = (await stat(tarball)).size;
  await mkdir(installed, { recursive: true });
  await run('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1'], clone);
  files = await filesIn(installed);
  // What npm would fetch beside it.
  await mkdir(join(app, 'node_modules/@types'));
  for (const name of ['aws-cdk-lib', 'constructs', 'dynalite', '@types/node']) {
    await symlink(join(ROOT, 'node_modules', name), join(app, 'node_modules', name));
  }
  nodes = await nodesOnThePath();
});

after(() => rm(directory, { recursive: true }));

describe('the tarball', () => {
  test('has the construct twice, both functions, the command line, and nothing else', () => {
    const outside = files.filter((file) => !/^dist\/(esm|cjs)\/[\w-]+\.d\.ts$/.test(file));
    assert.deepEqual(outside, [
      'LICENSE',
      'README.md',
      'dist/THIRD-PARTY-LICENSES.txt',
      'dist/cjs/package.json',
      'dist/cjs/public.js',
      'dist/cli/main.js',
      'dist/dispatch/index.mjs',
      'dist/esm/package.json',
      'dist/esm/public.js',
      'dist/scrape/index.mjs',
      LAUNCHER,
      'package.json',
    ]);
    assert(packedBytes <= MAX_PACKED_BYTES, `${packedBytes} bytes`);
  });

  test('names no path of this machine, no registry and no source map', async () => {
    const foreign = [ROOT, directory, '//registry.', 'sourceMappingURL', 'node_modules/.bin'];
    for (const file of files) {
      const text = await readFile(join(installed, file), 'utf8');
      for (const trace of foreign) assert(!text.includes(trace), `${file} has ${trace}`);
    }
  });

  test('brings the license of each package that is inside', async () => {
    const text = await readFile(join(installed, 'dist/THIRD-PARTY-LICENSES.txt'), 'utf8');
    for (const name of [
      'undici',
      'yaml',
      're2js',
      'protobufjs',
      '@smithy/core',
      '@aws-lambda-powertools/logger',
    ]) {
      assert.match(text, new RegExp(`^${name} \\d`, 'm'));
    }
    assert.match(text, /Copyright \(c\) Matteo Collina and Undici contributors/);
    assert.doesNotMatch(text, /^(esbuild|aws-cdk-lib|dynalite) /m);
  });
});

describe('package.json', () => {
  test('each file that it names is there', async () => {
    const { exports, main, types, bin } = await manifestOf(installed);
    const named = new Set(
      JSON.stringify([exports, main, types, bin]).match(/[\w-]+(\/[\w-]+)*\.(d\.ts|js|json)\b/g),
    );
    assert.equal(named.size, 6);
    for (const file of named) assert(files.includes(file), file);
  });

  test('asks its user for dynalite, which has a native part, and for the peers: from what is tested here to CDK 3', async () => {
    const {
      engines,
      dependencies,
      optionalDependencies,
      peerDependencies,
      peerDependenciesMeta,
      devDependencies,
      scripts,
    } = await manifestOf(ROOT);
    assert.deepEqual(Object.keys(dependencies ?? {}), ['dynalite'], 'what is bundled is a devDependency');
    assert.equal(optionalDependencies, undefined, 'nobody wants our Node on the PATH of their scripts');
    const { peerDependencies: ofCdk } = await manifestOf(join(ROOT, 'node_modules/aws-cdk-lib'));
    assert.deepEqual(peerDependencies, {
      'aws-cdk-lib': `^${devDependencies?.['aws-cdk-lib']}`,
      constructs: ofCdk?.['constructs'],
    });
    // The command line needs neither.
    assert.deepEqual(Object.keys(peerDependenciesMeta ?? {}), Object.keys(peerDependencies ?? {}));
    assert.equal(scripts?.['prepack'], 'npm run build');
    assert.deepEqual(engines, { node: '>=20.15' });
  });
});

describe('the app of the README', () => {
  test('synthesises as an ES module and as CommonJS, with the functions of the package', async () => {
    const templates: unknown[] = [];
    for (const [name, text] of Object.entries(runnableApps())) {
      await writeFile(join(app, name), text);
      const out = join(directory, 'cdk.out', name);
      await run(nodes[0] ?? '', [name], app, { CDK_OUTDIR: out });
      templates.push(JSON.parse(await readFile(join(out, 'Metrics.template.json'), 'utf8')));
      const assets = (await filesIn(out)).filter((file) => file.endsWith('/index.mjs'));
      const codes = await Promise.all(assets.map((file) => readFile(join(out, file), 'utf8')));
      for (const handler of ['dispatch', 'scrape']) {
        const code = await readFile(join(installed, 'dist', handler, 'index.mjs'), 'utf8');
        assert(codes.includes(code), `${handler} of ${name}`);
      }
    }
    assert.deepEqual(templates[0], templates[1]);
    assert(JSON.stringify(templates[0]).includes('parameter/nim/targets'));
  });

  test('type-checks for both module systems; a property that there is not does not', async () => {
    const typed = `${readmeApp()}import type { NimToDynatraceProps } from 'nim-to-dynatrace';
export const props: NimToDynatraceProps = { memorySize: 256 };\n`;
    const sources = {
      'good.mts': typed,
      'good.cts': typed,
      'bad.mts': typed.replace('parameterPrefix', 'prefix'),
      'bad.cts': typed.replace("'/nim'", '1'),
    };
    for (const [name, text] of Object.entries(sources)) await writeFile(join(app, name), text);
    const options = [
      '--noEmit',
      '--strict',
      '--exactOptionalPropertyTypes',
      '--skipLibCheck',
      '--types',
      'node',
    ];
    const nodenext = ['--module', 'nodenext', '--target', 'es2022', '--pretty', 'false'];
    const tsc = [
      join(ROOT, 'node_modules/typescript/bin/tsc'),
      ...options,
      ...nodenext,
      ...Object.keys(sources),
    ];
    const { stdout } = await run(process.execPath, tsc, app).catch((error: { stdout: string }) => error);
    assert.deepEqual(stdout.match(/^\S+: error TS\d+/gm), [
      'bad.cts(6,36): error TS2322',
      'bad.mts(6,36): error TS2353',
    ]);
    assert.match(stdout, /'prefix' does not exist in type 'NimToDynatraceProps'/);
  });
});

describe('the command line of the package', () => {
  test('lists its commands, as in the clone', async () => {
    const here = await run(process.execPath, [join(ROOT, LAUNCHER), '--help'], ROOT);
    for (const node of nodes) {
      assert.deepEqual(await run(node, [join(installed, LAUNCHER), '--help'], app), here);
    }
  });

  test('runs the pipeline against its own world', async () => {
    for (const node of nodes) {
      const { stdout, stderr } = await run(node, [join(installed, LAUNCHER), 'run', '--once'], app);
      assert.match(stdout, /^tick .*: \d+ points delivered, 0 series pending/m);
      assert.match(
        stderr,
        /^scraping 127\.0\.0\.1:\d+, 127\.0\.0\.1:\d+\nsending to .* \(simulated Dynatrace\)\n$/,
      );
    }
  });

  test('explains a configuration as the clone does, also without what Node 20 lacks', async () => {
    await writeFile(join(app, 'nim.yml'), CONFIGURATION);
    const args = ['explain', 'nim.yml', '-o', 'json'];
    const here = await run(process.execPath, [join(ROOT, LAUNCHER), ...args], app);
    assert.equal(here.stdout.split('\n').length, 4);
    const without = 'data:text/javascript,delete Map.groupBy; delete URL.parse;';
    for (const [node, ...options] of [
      ...nodes.map((one) => [one]),
      [process.execPath, '--import', without],
    ]) {
      assert.deepEqual(await run(node ?? '', [...options, join(installed, LAUNCHER), ...args], app), here);
    }
  });

  test('says what it needs where Node is too old', async () => {
    const pretend = (version: string) =>
      `data:text/javascript,Object.defineProperty(process, 'versions', { value: { node: '${version}' } });`;
    const start = (version: string) =>
      run(process.execPath, ['--import', pretend(version), join(installed, LAUNCHER), '--help'], app);
    await assert.rejects(start('20.14.0'), {
      code: 2,
      stderr: 'cannot run nim-to-dynatrace: Node 20.14.0 is older than 20.15; install a newer Node\n',
    });
    assert.match((await start('20.15.0')).stdout, /^nim-to-dynatrace <command>/);
  });
});

const CONFIGURATION = `
scrape_configs:
  - job_name: nim
    params: { model: [llama] }
    static_configs:
      - { targets: [10.0.1.17:8000, 10.0.1.18:8000], labels: { zone: a } }
      - { targets: [10.0.1.19:8000] }
`;

interface Manifest {
  readonly exports?: unknown;
  readonly engines?: unknown;
  readonly main?: string;
  readonly types?: string;
  readonly bin?: unknown;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, unknown>>;
}

async function manifestOf(folder: string): Promise<Manifest> {
  return JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as Manifest;
}

/** The running one, and the host's own where `npm test` brought another; oldest first, none that the package refuses. */
async function nodesOnThePath(): Promise<readonly string[]> {
  const found = new Map([[versionOf(process.version), process.execPath]]);
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const node = join(folder, 'node');
    const { stdout } = await run(node, ['--version'], directory).catch(() => ({ stdout: '' }));
    const version = versionOf(stdout.trim());
    if (version >= OLDEST && !found.has(version)) found.set(version, node);
  }
  return [...found].sort(([a], [b]) => a - b).map(([, node]) => node);
}

/** To compare: v20.15.1 is 20,015,001. */
function versionOf(text: string): number {
  const [major = 0, minor = 0, patch = 0] = text.replace('v', '').split('.').map(Number);
  return (major * 1000 + minor) * 1000 + patch;
}

async function filesIn(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => relative(folder, join(parentPath, name)))
    .sort();
}

function run(
  program: string,
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
) {
  return promisify(execFile)(program, args, { cwd, env: { ...process.env, ...env } });
}
