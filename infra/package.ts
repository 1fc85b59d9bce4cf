/**
 * Writes what a user of the package needs into dist/, so that `npm pack` (by `prepack`) carries it and nobody who
 * installs it needs esbuild, TypeScript or Docker:
 *
 *     dispatch/, scrape/           both functions, ready for Lambda
 *     esm/, cjs/                   the construct for each module system, with its types
 *     cli/main.js                  the command line, in one file
 *     THIRD-PARTY-LICENSES.txt     of the packages inside the functions and the command line
 *
 * What package.json names as a dependency or a peer stays outside; all else is bundled.
 */
import * as esbuild from 'esbuild';
import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { BUNDLE_OPTIONS, UNDICI, bundle, inputsOf, standIn } from './bundle.ts';
import { licensesOf } from './licenses.ts';

const ROOT = join(import.meta.dirname, '..');

/** The oldest Node of the package's users: package.json's `engines`, and the launcher's check. */
const TARGET = 'node20.15';

/**
 * Writes the package's content.
 * @param outDir absolute; default dist/ of the repository. Its folders named above are replaced.
 * @throws Error when something does not build, or a function is over its budget.
 */
export async function buildPackage(outDir = join(ROOT, 'dist')): Promise<void> {
  const { dependencies, peerDependencies } = JSON.parse(
    await readFile(join(ROOT, 'package.json'), 'utf8'),
  ) as Record<'dependencies' | 'peerDependencies', Record<string, string>>;
  const folders = ['dispatch', 'scrape', 'esm', 'cjs', 'cli'];
  await Promise.all(folders.map((name) => rm(join(outDir, name), { recursive: true, force: true })));
  const [functions, commandLine] = await Promise.all([
    bundle({ outDir }),
    bundleCommandLine(join(outDir, 'cli/main.js'), Object.keys(dependencies)),
    bundleConstruct(outDir, Object.keys(peerDependencies)),
    writeTypes(outDir),
  ]);
  const licenses = await licensesOf([...functions.flatMap(({ inputs }) => inputs), ...commandLine]);
  await writeFile(join(outDir, 'THIRD-PARTY-LICENSES.txt'), licenses);
}

async function bundleCommandLine(file: string, external: string[]): Promise<readonly string[]> {
  const { metafile } = await esbuild.build({
    ...BUNDLE_OPTIONS,
    entryPoints: ['functions/cli/main.ts'],
    outfile: file,
    target: TARGET,
    external,
    // Names stay, and lines short, for stack traces in bug reports.
    minifyWhitespace: true,
    minifySyntax: true,
    lineLimit: 160,
    inject: ['infra/bundle/node-20.ts'],
    plugins: [UNDICI, standIn(/^node:tls$/, 'node-20.ts', /\/adapters\/tls\.ts$/)],
  });
  return inputsOf(metafile, file);
}

/** Format by folder, and how a module of that format names its own directory. */
const MODULE_SYSTEMS = [
  { format: 'esm', type: 'module', dirname: 'import.meta.dirname' },
  { format: 'cjs', type: 'commonjs', dirname: '__dirname' },
] as const;

async function bundleConstruct(outDir: string, external: string[]): Promise<void> {
  for (const { format, type, dirname } of MODULE_SYSTEMS) {
    await esbuild.build({
      absWorkingDir: ROOT,
      entryPoints: ['infra/public.ts'],
      outfile: join(outDir, format, 'public.js'),
      bundle: true,
      platform: 'node',
      target: TARGET,
      format,
      external,
      // The code thinks that it stands in infra/, beside dist/, as in the clone.
      define: { 'import.meta.dirname': 'infraDirectory' },
      banner: { js: `'use strict';const infraDirectory = ${dirname} + '/../../infra';` },
      logLevel: 'warning',
    });
    await writeFile(join(outDir, format, 'package.json'), `${JSON.stringify({ type })}\n`);
  }
}

/** The same for both: the package.json beside them says which module system they describe. */
async function writeTypes(outDir: string): Promise<void> {
  const [first, second] = MODULE_SYSTEMS.map(({ format }) => join(outDir, format)) as [string, string];
  await mkdir(first, { recursive: true });
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const project = join(import.meta.dirname, 'package.tsconfig.json');
  await promisify(execFile)(process.execPath, [tsc, '-p', project, '--outDir', first]);
  for (const name of await readdir(first)) {
    if (!name.endsWith('.d.ts')) continue;
    const text = await readFile(join(first, name), 'utf8');
    await writeFile(join(first, name), text.replaceAll(/(from '\.\/[\w-]+)\.ts'/g, "$1.js'"));
    await cp(join(first, name), join(second, name));
  }
}

if (import.meta.main) await buildPackage();
