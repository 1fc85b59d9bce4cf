/** Options of a command: one table, which the reader, `--help` and the table of its document all come from. */
import { parseArgs } from 'node:util';
import { paragraph } from './rule-text.ts';

export interface CliOption {
  readonly name: string;
  readonly short?: string;
  /** What stands behind the name; absent for a switch. */
  readonly value?: string;
  readonly multiple?: true;
  readonly default: string;
  readonly about: string;
}

/** As given; nothing is checked yet. */
export interface GivenOptions {
  readonly text: (name: string) => string | undefined;
  readonly texts: (name: string) => readonly string[];
  readonly isOn: (name: string) => boolean;
  /** What stands beside the options. */
  readonly positionals: readonly string[];
}

/** The options, or what is wrong with them. */
export function parseOptions(
  args: readonly string[],
  table: readonly CliOption[],
  allowPositionals: boolean,
): GivenOptions | string {
  try {
    const options = Object.fromEntries(table.map((option) => [option.name, parseArgsOption(option)]));
    const parsed = parseArgs({ args: [...args], options, strict: true, allowPositionals });
    const values: Readonly<Record<string, unknown>> = parsed.values;
    return {
      text: (name) => values[name] as string | undefined,
      texts: (name) => (values[name] ?? []) as readonly string[],
      isOn: (name) => values[name] === true,
      positionals: parsed.positionals,
    };
  } catch (error) {
    return `cannot read the options: ${(error as Error).message}; see --help`;
  }
}

function parseArgsOption({ short, value, multiple }: CliOption) {
  return {
    type: value === undefined ? ('boolean' as const) : ('string' as const),
    ...(short === undefined ? {} : { short }),
    ...(multiple === undefined ? {} : { multiple }),
  };
}

/** Each with its default, as wide as a terminal. */
export function optionLines(table: readonly CliOption[]): readonly string[] {
  return table.flatMap(({ name, short, value, default: preset, about }) => {
    const left = `  ${short === undefined ? '   ' : `-${short},`} --${name}${value === undefined ? '' : ` ${value}`}`;
    return paragraph(`${left.padEnd(28)} `, `${about} (default: ${preset})`.split(' '));
  });
}

export function readOutput(text: string, problems: string[]): 'table' | 'json' {
  if (text === 'table' || text === 'json') return text;
  problems.push(`cannot use --output ${text}: it is neither table nor json; write -o table or -o json`);
  return 'table';
}
