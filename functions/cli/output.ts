/** Data on standard output, messages on standard error; neither drives the terminal. */
import { withoutTokens } from '../core/redaction.ts';

/** A line for the person at the terminal. A token that was typed in the wrong place is not repeated. */
export function say(line: string): void {
  process.stderr.write(`${printable(withoutTokens(line))}\n`);
}

/**
 * What a page, a document or a server says may hold what clears a screen or sets a title. Written as JSON does, which
 * a person can read and which leaves JSON the same.
 */
export function printable(text: string): string {
  return text.replace(
    /[^\P{Cc}\n\t]/gu,
    (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Says the lines that were not among those of the call before. */
export function createNews(say: (line: string) => void): (lines: readonly string[]) => void {
  let before: ReadonlySet<string> = new Set();
  return (lines) => {
    const now = new Set(lines);
    for (const line of now) if (!before.has(line)) say(line);
    before = now;
  };
}

/** Waits for a slow reader, so that a pipe never fills the memory. One that left is noticed by `withOutput`. */
export async function print(text: string): Promise<void> {
  if (text === '') return;
  await new Promise<void>((resolve) => void process.stdout.write(printable(text), () => resolve()));
}

/**
 * Runs a command and answers with its exit code; what it throws is a message for people. The reader of a pipe may leave
 * first (`| head`): that aborts `left`, and is no failure. A full disk is.
 */
export async function withOutput(left: AbortController, command: () => Promise<number>): Promise<number> {
  let unwritable = false;
  const leave = ({ code, message }: NodeJS.ErrnoException): void => {
    left.abort();
    if (unwritable || code === 'EPIPE') return;
    unwritable = true;
    say(`cannot write to standard output: ${message}; make room where it goes`);
  };
  process.stdout.on('error', leave);
  try {
    const code = await command();
    return unwritable ? 1 : code;
  } catch (error) {
    say((error as Error).message);
    return 1;
  } finally {
    process.stdout.off('error', leave);
  }
}
