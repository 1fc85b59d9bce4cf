/** The options of `explain`. */
import { type CliOption, optionLines, parseOptions, readOutput } from './options.ts';

export const EXPLAIN_OPTIONS: readonly CliOption[] = [
  {
    name: 'page',
    value: 'FILE|URL',
    default: 'none',
    about:
      'a recorded page, or one that is fetched now: which of its series are kept, renamed or dropped, by which rule, and under which name they are sent',
  },
  {
    name: 'job',
    value: 'NAME',
    default: 'all',
    about: 'this job only; needed with --page where there are several',
  },
  {
    name: 'prefix',
    value: 'PATH',
    default: '/nim-to-dynatrace',
    about: 'where the parameters of the stack are; with ssm',
  },
  {
    name: 'output',
    short: 'o',
    value: 'table|json',
    default: 'table',
    about: 'for reading, or one line of JSON per target, with --page per series',
  },
  { name: 'help', short: 'h', default: 'off', about: 'this text' },
];

export interface ExplainSettings {
  readonly source: { readonly code: 'files'; readonly path: string } | { readonly code: 'ssm' };
  readonly prefix: string;
  readonly page: string | undefined;
  readonly job: string | undefined;
  readonly output: 'table' | 'json';
}

export type ReadExplainOptions =
  | { readonly code: 'settings'; readonly settings: ExplainSettings }
  | { readonly code: 'help' }
  | { readonly code: 'wrong'; readonly problems: readonly string[] };

const DEFAULT_PREFIX = '/nim-to-dynatrace';

export function readExplainOptions(args: readonly string[]): ReadExplainOptions {
  const given = parseOptions(args, EXPLAIN_OPTIONS, true);
  if (typeof given === 'string') return { code: 'wrong', problems: [given] };
  if (given.isOn('help')) return { code: 'help' };
  const problems: string[] = [];
  const [path = '', ...others] = given.positionals;
  if (path === '' || others.length > 0) {
    const cause = path === '' ? 'nothing is named' : `${others.length + 1} things are named`;
    problems.push(`cannot explain: ${cause}; write one file, one directory, or ssm`);
  }
  const isSsm = path === 'ssm';
  const prefix = given.text('prefix');
  if (prefix !== undefined && !isSsm) {
    problems.push('cannot use --prefix: it says where parameters are; write explain ssm --prefix PATH');
  }
  if (prefix !== undefined && !/^(?:\/[\w.-]+)+$/.test(prefix)) {
    problems.push(`cannot use --prefix ${prefix}: it is no path of parameters; write ${DEFAULT_PREFIX}`);
  }
  if (given.text('page') === '') problems.push('cannot use --page: it is empty text; write --page page.prom');
  const settings: ExplainSettings = {
    source: isSsm ? { code: 'ssm' } : { code: 'files', path },
    prefix: prefix ?? DEFAULT_PREFIX,
    page: given.text('page'),
    job: given.text('job'),
    output: readOutput(given.text('output') ?? 'table', problems),
  };
  return problems.length > 0 ? { code: 'wrong', problems } : { code: 'settings', settings };
}

export function explainHelp(): string {
  return [
    'nim-to-dynatrace explain FILE|DIR|ssm [options]',
    '',
    'Shows what target documents mean: each target with every relabel step, its URL, interval, timeout and limits, and',
    'what is wrong with line and column. ssm: the parameters of the stack, by the AWS credentials and region of the',
    'environment. Secrets are not read.',
    '',
    ...optionLines(EXPLAIN_OPTIONS),
    '',
    'Exit code: 0 when all is well, 1 when a document, a target or the page is wrong, 2 for wrong usage.',
  ].join('\n');
}
