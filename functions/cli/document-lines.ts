/** What documents say wrong or without effect, as lines for a person: `file:line:column: message`. */
import type { DocumentsInForce } from '../core/config/documents-in-force.ts';
import type { DocumentProblem } from '../core/config/documents.ts';

type TitleOf = (document: string) => string;

export function problemLines({ problems, states }: DocumentsInForce, titleOf: TitleOf): readonly string[] {
  const fallbacks = states.flatMap(({ name, code }) =>
    code === 'in_force' ? [] : [`${titleOf(name)}: ${FALLBACKS[code]}`],
  );
  return [...problems.map((problem) => lineOf(problem, titleOf)), ...fallbacks];
}

const FALLBACKS = {
  last_good: 'its last good version stays in force',
  refused: 'nothing of it is used',
  unknown: 'its earlier versions are not known, and nothing of it is used',
} as const;

export function noteLines({ notes }: DocumentsInForce, titleOf: TitleOf): readonly string[] {
  return notes.map((note) => `note: ${lineOf(note, titleOf)}`);
}

function lineOf({ document, line, column, message }: DocumentProblem, titleOf: TitleOf): string {
  const place = line === undefined ? '' : `:${line}${column === undefined ? '' : `:${column}`}`;
  return `${titleOf(document)}${place}: ${message}`;
}
