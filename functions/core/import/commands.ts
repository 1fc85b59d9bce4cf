/** The commands that store parameters: exact, and safe to paste. */

/** Where a shell finds a value. */
export type ShellValue =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'variable'; readonly name: string }
  /** A file whose content it is, without the line end. */
  | { readonly kind: 'content'; readonly path: string }
  /** A file that the AWS CLI reads. */
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'joined'; readonly parts: readonly ShellValue[] };

export interface StoringCommand {
  readonly parameter: string;
  readonly type: 'String' | 'SecureString';
  readonly value: ShellValue;
  readonly tier?: 'Advanced' | 'Intelligent-Tiering';
  /** What to know before it runs: letters, digits and `.,:-/` only, since some shells read comments. */
  readonly comment?: string;
}

export function commandText({ parameter, type, value, tier }: StoringCommand): string {
  const options = [
    `--type ${type}`,
    ...(tier === undefined ? [] : [`--tier ${tier}`]),
    `--name ${parameter}`,
  ];
  return `aws ssm put-parameter ${options.join(' ')} --value ${shellWord(value)}`;
}

function shellWord(value: ShellValue): string {
  switch (value.kind) {
    case 'text':
      return quoteShell(value.text);
    case 'variable':
      return `"$${value.name}"`;
    case 'content':
      return `"$(cat -- ${quoteShell(value.path)})"`;
    case 'file':
      return quoteShell(`file://${value.path}`);
    case 'joined':
      return value.parts
        .map((part) => (part.kind === 'variable' ? `"\${${part.name}}"` : shellWord(part)))
        .join('');
  }
}

/** One word of a POSIX shell: bare where nothing in it means anything, else in single quotes. */
export function quoteShell(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Lines of a shell script: every command behind what is to be known of it. */
export function scriptOf(commands: readonly StoringCommand[]): string {
  return commands
    .map((command) => {
      const comment = (command.comment ?? '').replace(/[^\w .,:/-]/g, '');
      return `${comment === '' ? '' : `# ${comment}\n`}${commandText(command)}\n`;
    })
    .join('');
}
