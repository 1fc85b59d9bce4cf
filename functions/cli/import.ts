/** `nim-to-dynatrace import`: a Prometheus or Collector configuration becomes target documents and commands. */
import { createReadStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MAX_DOCUMENT_BYTES } from '../core/config/config-bounds.ts';
import type { Finding } from '../core/config/findings.ts';
import { commandText, scriptOf } from '../core/import/commands.ts';
import type { StoringCommand } from '../core/import/commands.ts';
import type { ImportedDocument } from '../core/import/documents.ts';
import { importConfiguration } from '../core/import/importing.ts';
import type { Imported } from '../core/import/importing.ts';
import { importHelp, readImportOptions } from './import-options.ts';
import type { ImportSettings } from './import-options.ts';
import { say } from './output.ts';

/** Findings that are printed of each kind: who has more corrects some of them first. */
export const MAX_PRINTED_FINDINGS = 100;

export async function runImport(args: readonly string[]): Promise<number> {
  const options = readImportOptions(args);
  if (options.code === 'help') {
    process.stdout.write(`${importHelp()}\n`);
    return 0;
  }
  if (options.code === 'wrong') {
    say(options.problems.join('\n'));
    return 2;
  }
  // The reader of a pipe may leave first (`| head`).
  process.stdout.on('error', () => {});
  const { settings } = options;
  const text = await readInput(settings.file);
  if (typeof text === 'object') {
    say(text.problem);
    return 2;
  }
  const imported = importConfiguration(text, settings);
  try {
    const commands = await commandsFor(imported, settings);
    process.stdout.write(settings.output === 'json' ? jsonOf(imported, commands) : scriptOf(commands));
  } catch (error) {
    say(`cannot write the documents: ${(error as Error).message}; give another --out`);
    return 1;
  }
  for (const line of linesOf(imported)) say(line);
  return imported.problems.length > 0 ? 1 : 0;
}

/** The text of the file, of which no more is read than could be imported. */
async function readInput(file: string): Promise<string | { readonly problem: string }> {
  const name = file === '-' ? 'standard input' : file;
  try {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    const input = file === '-' ? process.stdin : createReadStream(file);
    for await (const chunk of input as AsyncIterable<Uint8Array>) {
      bytes += chunk.length;
      if (bytes > MAX_DOCUMENT_BYTES) {
        return { problem: `cannot read ${name}: it is larger than 1 MiB; import a part of it` };
      }
      chunks.push(chunk);
    }
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const cause = code === 'ERR_ENCODING_INVALID_ENCODED_DATA' ? 'it is no UTF-8 text' : message;
    return { problem: `cannot read ${name}: ${cause}; give the path of a configuration in YAML, or -` };
  }
}

/** First what the documents refer to, so that the first tick after them finds it. */
async function commandsFor(
  { documents, stored }: Imported,
  { directory }: ImportSettings,
): Promise<readonly StoringCommand[]> {
  if (directory !== undefined && documents.length > 0) await mkdir(directory, { recursive: true });
  const storing = documents.map(async (document): Promise<StoringCommand> => {
    const { name, value, tier } = document;
    const command = { parameter: name, type: 'String' as const, ...(tier && { tier }) };
    if (directory === undefined) return { ...command, value: { kind: 'text', text: value } };
    const path = join(directory, fileNameOf(document));
    await writeFile(path, value);
    return { ...command, value: { kind: 'file', path } };
  });
  return [...stored, ...(await Promise.all(storing))];
}

function fileNameOf({ name }: ImportedDocument): string {
  return `${name.slice(name.lastIndexOf('/') + 1)}.yaml`;
}

function jsonOf({ documents, problems, notes }: Imported, commands: readonly StoringCommand[]): string {
  const noteOf = ({ at, message }: Finding) => ({ line: at?.line ?? null, message });
  const all = {
    documents: documents.map(({ name, value }) => ({ name, value })),
    commands: commands.map(commandText),
    notes: [...problems, ...notes].map(noteOf),
  };
  return `${JSON.stringify(all, null, 2)}\n`;
}

function linesOf({ problems, notes }: Imported): readonly string[] {
  return [problems, notes].flatMap((found) => {
    const lines = found
      .slice(0, MAX_PRINTED_FINDINGS)
      .map(({ at, message }) => (at === undefined ? message : `line ${at.line}: ${message}`));
    const rest = found.length - lines.length;
    return rest === 0 ? lines : [...lines, `and ${rest} more`];
  });
}
