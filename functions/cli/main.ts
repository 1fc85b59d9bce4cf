/** `nim-to-dynatrace <command>`: one file per command. Answers with the exit code: 0 fine, 1 a finding, 2 wrong usage. */
import { readFileSync } from 'node:fs';
import { dashboard } from './dashboard.ts';
import { doctor } from './doctor.ts';
import { explain } from './explain.ts';
import { runImport } from './import.ts';
import { say } from './output.ts';
import { run } from './run.ts';
import { status } from './status.ts';

const COMMANDS: Readonly<Record<string, { readonly about: string; readonly start: Command }>> = {
  run: { about: 'scrape, turn counters into deltas and send them, from this machine', start: run },
  doctor: { about: 'check a NIM and Dynatrace, from here or inside of a deployment', start: doctor },
  explain: { about: 'show what target documents mean: targets, labels, rules, kept series', start: explain },
  import: {
    about: 'make target documents of a Prometheus or Collector configuration',
    start: runImport,
  },
  status: { about: 'show what a deployment did last, and what needs somebody', start: status },
  dashboard: { about: 'print a dashboard of the metrics, or upload it', start: dashboard },
};

type Command = (args: readonly string[]) => Promise<number>;

export async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  const command = name === undefined || !Object.hasOwn(COMMANDS, name) ? undefined : COMMANDS[name];
  if (command !== undefined) return command.start(rest);
  if (name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(`${usage()}\n`);
    return 0;
  }
  if (name === '--version' || name === '-v') {
    process.stdout.write(`${version()}\n`);
    return 0;
  }
  const problem = name === undefined ? 'no command is given' : `${JSON.stringify(name)} is no command`;
  say(`cannot start: ${problem}; the commands are:\n${usage()}`);
  return 2;
}

/** Of the package: the clone's and the packed one's lie at the same distance. */
function version(): string {
  const file = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(file) as { readonly version: string }).version;
}

function usage(): string {
  const lines = Object.entries(COMMANDS).map(([name, { about }]) => `  ${name.padEnd(9)} ${about}`);
  return [
    'nim-to-dynatrace <command> [options]',
    '',
    ...lines,
    '',
    '`nim-to-dynatrace <command> --help` lists its options, `--version` tells the release.',
  ].join('\n');
}
