/** The options of `status`. */
import { type CliOption, optionLines, parseOptions, readOutput } from './options.ts';

/** As infra/app.ts names it. */
export const DEFAULT_STACK = 'NimToDynatrace';

export const STATUS_OPTIONS: readonly CliOption[] = [
  { name: 'stack', value: 'NAME', default: DEFAULT_STACK, about: 'the stack; its output TableName is read' },
  {
    name: 'table',
    value: 'NAME',
    default: 'that of the stack',
    about: 'the DynamoDB table itself, where the construct stands in a stack without that output',
  },
  {
    name: 'output',
    short: 'o',
    value: 'table|json',
    default: 'table',
    about: 'for reading, or one line of JSON per target and a last one with all else',
  },
  { name: 'help', short: 'h', default: 'off', about: 'this text' },
];

export interface StatusSettings {
  readonly source:
    { readonly code: 'stack'; readonly name: string } | { readonly code: 'table'; readonly name: string };
  readonly output: 'table' | 'json';
}

export type ReadStatusOptions =
  | { readonly code: 'settings'; readonly settings: StatusSettings }
  | { readonly code: 'help' }
  | { readonly code: 'wrong'; readonly problems: readonly string[] };

/** CloudFormation: letters, digits and hyphens, at most 128; the ARN of a stack is taken as well. */
export const STACK_NAME = /^(?:[A-Za-z][A-Za-z0-9-]{0,127}|arn:aws[\w-]*:cloudformation:[\w:/-]{1,300})$/;
/** DynamoDB: 3 to 255 of these. */
const TABLE = /^[\w.-]{3,255}$/;

export function readStatusOptions(args: readonly string[]): ReadStatusOptions {
  const given = parseOptions(args, STATUS_OPTIONS, false);
  if (typeof given === 'string') return { code: 'wrong', problems: [given] };
  if (given.isOn('help')) return { code: 'help' };
  const problems: string[] = [];
  const stack = given.text('stack');
  const table = given.text('table');
  if (stack !== undefined && table !== undefined) {
    problems.push('cannot use --stack and --table: they name the same thing twice; write one of them');
  }
  if (stack !== undefined && !STACK_NAME.test(stack)) {
    problems.push(`cannot use --stack ${stack}: it is no name of a stack; write --stack ${DEFAULT_STACK}`);
  }
  if (table !== undefined && !TABLE.test(table)) {
    problems.push(
      `cannot use --table ${table}: it is no name of a table; write it as the DynamoDB console does`,
    );
  }
  const settings: StatusSettings = {
    source:
      table === undefined ? { code: 'stack', name: stack ?? DEFAULT_STACK } : { code: 'table', name: table },
    output: readOutput(given.text('output') ?? 'table', problems),
  };
  return problems.length > 0 ? { code: 'wrong', problems } : { code: 'settings', settings };
}

export function statusHelp(): string {
  return [
    'nim-to-dynatrace status [options]',
    '',
    'Shows what a deployment did last: each target, the documents with mistakes, the last export, the shards, and what',
    'needs somebody, with its remedy. Read from the DynamoDB table by the AWS credentials and region of the environment',
    '(cloudformation:DescribeStacks, dynamodb:Scan); nothing is written, nothing is scraped.',
    '',
    ...optionLines(STATUS_OPTIONS),
    '',
    'Exit code: 0 when all is well, 1 when something needs somebody or could not be read, 2 for wrong usage.',
  ].join('\n');
}
