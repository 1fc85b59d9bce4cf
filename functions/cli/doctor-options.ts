/** The options of `doctor`. */
import { readAddress } from '../core/config/address.ts';
import type { Target } from '../core/model.ts';
import { DEFAULT_OUTPUT } from '../core/output-text.ts';
import type { OutputSettings } from '../core/scrape-config.ts';
import { createTarget } from '../core/targets.ts';
import { MAX_SHARD_TARGETS } from '../core/work.ts';
import type { Deployed } from './doctor-deployed.ts';
import { type CliOption, type GivenOptions, optionLines, parseOptions, readOutput } from './options.ts';
import { STACK_NAME } from './status-options.ts';

export const TOKEN_VARIABLE = 'DT_API_TOKEN';

export const DOCTOR_OPTIONS: readonly CliOption[] = [
  {
    name: 'endpoint',
    value: 'URL',
    default: 'none',
    about: `check Dynatrace as well: https://<environment>.live.dynatrace.com/api/v2/otlp; the token is read from ${TOKEN_VARIABLE}`,
  },
  {
    name: 'page',
    value: 'FILE',
    multiple: true,
    default: 'none',
    about: 'a saved page instead of a server; nothing is asked for it; may be given several times',
  },
  {
    name: 'preset',
    value: 'core|default|all',
    default: 'default',
    about: 'what the job would send: dynatrace: {preset: ...}',
  },
  {
    name: 'output',
    short: 'o',
    value: 'table|json',
    default: 'table',
    about: 'for reading, or one line of JSON per target and one of Dynatrace',
  },
  {
    name: 'stack',
    value: 'NAME',
    default: 'none',
    about:
      'a deployment: its functions make the checks, from where they stand; without URL of all its targets',
  },
  {
    name: 'function',
    value: 'NAME',
    default: 'that of the stack',
    about: 'the scrape function itself, where the construct stands in a stack without that output',
  },
  {
    name: 'dispatch-function',
    value: 'NAME',
    default: 'that of the stack',
    about: 'beside --function: the dispatch function, which knows the targets',
  },
  { name: 'help', short: 'h', default: 'off', about: 'this text' },
];

export type Preset = NonNullable<OutputSettings['preset']>;

export interface DoctorSettings {
  readonly targets: readonly Target[];
  /** Saved pages, and the target whose page each is taken for. */
  readonly pages: readonly { readonly path: string; readonly target: Target }[];
  readonly preset: Preset;
  /** Who makes the checks; undefined: this process. */
  readonly deployed: Deployed | undefined;
  readonly endpoint: string | undefined;
  readonly output: 'table' | 'json';
}

export type ReadDoctorOptions =
  | { readonly code: 'settings'; readonly settings: DoctorSettings }
  | { readonly code: 'help' }
  | { readonly code: 'wrong'; readonly problems: readonly string[] };

/** Job name of what is given on the command line. */
const JOB = 'nim';

export function readDoctorOptions(args: readonly string[]): ReadDoctorOptions {
  const given = parseOptions(args, DOCTOR_OPTIONS, true);
  if (typeof given === 'string') return { code: 'wrong', problems: [given] };
  if (given.isOn('help')) return { code: 'help' };
  const problems: string[] = [];
  const { positionals: urls, text, texts } = given;
  const pages = texts('page');
  const preset = readPreset(text('preset') ?? 'default', problems);
  const output = { ...DEFAULT_OUTPUT, preset };
  const settings: DoctorSettings = {
    targets: readTargets(urls, output, problems),
    pages: pages.map((path) => ({ path, target: { ...pageTarget(path), output } })),
    preset,
    deployed: readDeployed(given, problems),
    endpoint: text('endpoint'),
    output: readOutput(text('output') ?? 'table', problems),
  };
  if (pages.includes('')) problems.push('cannot use --page: it is empty text; write --page page.prom');
  const { deployed, endpoint } = settings;
  if (urls.length === 0 && pages.length === 0 && endpoint === undefined && deployed === undefined) {
    problems.push(
      'cannot check anything: nothing is named; write the URL of a NIM, --page FILE, --endpoint URL or --stack NAME',
    );
  }
  if (urls.length + pages.length > MAX_SHARD_TARGETS) {
    const cause = `${urls.length + pages.length} are named, and ${MAX_SHARD_TARGETS} may be`;
    problems.push(`cannot check so many targets: ${cause}; check some of them`);
  }
  return problems.length > 0 ? { code: 'wrong', problems } : { code: 'settings', settings };
}

/** Lambda: a name, or an ARN, with a qualifier or without. */
const FUNCTION = /^[\w:$-]{1,170}$/;

function readDeployed({ text, texts, positionals }: GivenOptions, problems: string[]): Deployed | undefined {
  const [stack, scrape, dispatch] = ['stack', 'function', 'dispatch-function'].map(text);
  if (stack === undefined && scrape === undefined) {
    if (dispatch !== undefined)
      problems.push('cannot use --dispatch-function: it stands beside --function; name that, or --stack');
    return undefined;
  }
  if (stack !== undefined && (scrape ?? dispatch) !== undefined)
    problems.push('cannot use --stack with the names of functions: it has them; write one of both');
  if (stack !== undefined && !STACK_NAME.test(stack))
    problems.push(`cannot use --stack ${stack}: it is no name of a stack; write it as CloudFormation does`);
  for (const name of [scrape, dispatch]) {
    if (name !== undefined && !FUNCTION.test(name))
      problems.push(`cannot use the function ${name}: it is no name of one; write it as Lambda does`);
  }
  const local = ['endpoint', 'preset'].filter((name) => text(name) !== undefined);
  if (texts('page').length > 0) local.push('page');
  for (const name of local)
    problems.push(`cannot use --${name}: a deployment has its own; leave it out, or --stack and --function`);
  if (scrape === undefined) return { code: 'stack', name: stack ?? '' };
  if (dispatch === undefined && positionals.length === 0)
    problems.push(
      'cannot tell the targets: the scrape function does not know them; add --dispatch-function NAME, or name URLs',
    );
  return { code: 'functions', scrape, ...(dispatch === undefined ? {} : { dispatch }) };
}

function readTargets(urls: readonly string[], output: OutputSettings, problems: string[]): readonly Target[] {
  const targets = new Map<string, Target>();
  for (const url of urls) {
    const target = readAddress(url, JOB);
    if (typeof target === 'string') problems.push(target);
    else targets.set(target.key, { ...target, output });
  }
  return [...targets.values()];
}

/** Its instance is a placeholder: what the page says does not hang on it. */
function pageTarget(path: string): Target {
  const instance = path.replace(/^.*[/\\]/, '') || path;
  return createTarget({
    job: JOB,
    instance,
    scheme: 'http',
    address: 'localhost:8000',
    path: '',
    params: [],
  });
}

function readPreset(text: string, problems: string[]): Preset {
  if (text === 'core' || text === 'default' || text === 'all') return text;
  problems.push(`cannot use --preset ${text}: it is none of core, default, all; write --preset core`);
  return 'default';
}

export function doctorHelp(): string {
  return [
    'nim-to-dynatrace doctor URL... [options]',
    'nim-to-dynatrace doctor --stack NAME [URL...]',
    '',
    'Checks, before anything is deployed, whether a NIM can be scraped from here and what Dynatrace would get of it:',
    'address, connection, TLS, page, model, names, types, units, what stays out and why, points and price. URL is',
    'host:port or http(s)://host:port/path. With --endpoint also whether Dynatrace is reached and the token may send',
    'metrics, by an empty request, which stores nothing. With --stack the deployed functions do all this from where they',
    'stand, with what they may do in AWS and where they read endpoint and token; asked by the AWS credentials and region',
    'of the environment (cloudformation:DescribeStacks, lambda:InvokeFunction).',
    '',
    ...optionLines(DOCTOR_OPTIONS),
    '',
    'Exit code: 0 when no check failed, 1 when one did, 2 for wrong usage.',
  ].join('\n');
}
