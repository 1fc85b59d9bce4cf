/** The options of `import`: one table, which the reader, `--help` and the table of docs/targets.md all come from. */
import { basename } from 'node:path';
import { type CliOption, optionLines, parseOptions } from './options.ts';

export const DEFAULT_PREFIX = '/nim-to-dynatrace';

export const IMPORT_OPTIONS: readonly CliOption[] = [
  {
    name: 'prefix',
    value: 'PATH',
    default: DEFAULT_PREFIX,
    about: "the deployment's parameterPrefix: where the parameters are stored",
  },
  {
    name: 'set',
    value: 'NAME=VALUE',
    multiple: true,
    default: 'nothing',
    about:
      'what ${env:NAME} or <NAME> in the file stands for, a secret aside; CLUSTER: of pods whose api_server the file leaves out; may be given several times',
  },
  {
    name: 'out',
    value: 'DIR',
    default: 'documents in the commands',
    about: 'write each document to a file of this directory, from which its command reads it',
  },
  {
    name: 'output',
    short: 'o',
    value: 'shell|json',
    default: 'shell',
    about: 'commands for a shell, or one JSON object with documents, commands and notes',
  },
  { name: 'help', short: 'h', default: 'off', about: 'this text' },
];

export interface ImportSettings {
  /** A path, or `-` for standard input. */
  readonly file: string;
  /** Of a job without a name: that of the file. */
  readonly job: string;
  readonly prefix: string;
  readonly given: ReadonlyMap<string, string>;
  readonly directory: string | undefined;
  readonly output: 'shell' | 'json';
}

export type ReadImportOptions =
  | { readonly code: 'settings'; readonly settings: ImportSettings }
  | { readonly code: 'help' }
  | { readonly code: 'wrong'; readonly problems: readonly string[] };

export function readImportOptions(args: readonly string[]): ReadImportOptions {
  const options = parseOptions(args, IMPORT_OPTIONS, true);
  if (typeof options === 'string') return { code: 'wrong', problems: [options] };
  if (options.isOn('help')) return { code: 'help' };
  const { text, texts, positionals } = options;
  const problems: string[] = [];
  const [file = '', ...others] = positionals;
  if (file === '' || others.length > 0) {
    const cause = file === '' ? 'no file is given' : `${positionals.length} files are given`;
    problems.push(`cannot import: ${cause}; give one, or - for standard input`);
  }
  const settings: ImportSettings = {
    file,
    job: file === '-' ? 'nim' : basename(file).replace(/\.[^.]*$/, '') || 'nim',
    prefix: readPrefix(text('prefix') ?? DEFAULT_PREFIX, problems),
    given: readGiven(texts('set'), problems),
    directory: text('out'),
    output: readOutput(text('output') ?? 'shell', problems),
  };
  if (settings.directory === '') {
    problems.push('cannot use --out: its directory is empty text; write --out ./targets');
  }
  return problems.length > 0 ? { code: 'wrong', problems } : { code: 'settings', settings };
}

/** As the construct's parameterPrefix: what it refuses could not be deployed. */
const PREFIX = /^(?!\/(?:aws|ssm))(?:\/[\w.-]+){1,13}$/i;
const MAX_PREFIX_LENGTH = 500;

function readPrefix(prefix: string, problems: string[]): string {
  if (!PREFIX.test(prefix) || prefix.length > MAX_PREFIX_LENGTH) {
    problems.push(
      `cannot use --prefix ${prefix}: it is no path such as ${DEFAULT_PREFIX}; write the parameterPrefix of the deployment`,
    );
  }
  return prefix;
}

function readGiven(pairs: readonly string[], problems: string[]): ReadonlyMap<string, string> {
  return new Map(
    pairs.flatMap((pair) => {
      const [, name, value] = /^([A-Za-z_][\w .-]*)=(.*)$/s.exec(pair) ?? [];
      if (name !== undefined && value !== undefined) return [[name, value]];
      // What it holds may be a secret that was given by mistake.
      problems.push('cannot use --set: it is no name and value; write --set NIM_HOST=10.0.1.17');
      return [];
    }),
  );
}

function readOutput(text: string, problems: string[]): 'shell' | 'json' {
  if (text === 'shell' || text === 'json') return text;
  problems.push(`cannot use --output ${text}: it is neither shell nor json; write -o shell or -o json`);
  return 'shell';
}

export function importHelp(): string {
  return [
    'nim-to-dynatrace import FILE|- [options]',
    '',
    'Makes target documents of a Prometheus or OpenTelemetry Collector configuration, and prints the commands that store them.',
    'Secrets are not printed: their commands read them from variables. What does not carry over is named on standard error.',
    '',
    ...optionLines(IMPORT_OPTIONS),
    '',
    'Exit code: 0 when all carries over, 1 when something that changes what is scraped or sent does not, 2 for wrong usage.',
  ].join('\n');
}
