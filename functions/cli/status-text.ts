/** `status` for a person at a terminal: what needs somebody stands where the eye is, at the head of the list and at the end. */
import { formatDuration } from '../core/duration.ts';
import {
  type JudgedTarget,
  type ShardStatus,
  type Status,
  type StatusFacts,
  type TargetState,
  ageText,
} from '../core/status.ts';

export interface ShownStatus {
  readonly facts: StatusFacts;
  readonly status: Status;
  readonly tableName: string;
  readonly nowMs: number;
}

/** Rows of the table; those that need somebody come first, and -o json has them all. */
export const MAX_STATUS_ROWS = 200;
/** Columns of a terminal. */
export const STATUS_WIDTH = 110;
const JOB_WIDTH = 20;
const INSTANCE_WIDTH = 36;

export function countStates(
  targets: readonly JudgedTarget[],
): Readonly<Partial<Record<TargetState, number>>> {
  const counts: Partial<Record<TargetState, number>> = {};
  for (const { state } of targets) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}

export function statusText({ facts, status, tableName, nowMs }: ShownStatus): string {
  const { targets, findings } = status;
  const hidden = targets.length - MAX_STATUS_ROWS;
  const down = targets.filter(({ isDown }) => isDown).length;
  const lines = [
    ...headLines(facts, targets, tableName, nowMs),
    ...(targets.length === 0 ? [] : ['', ...targetLines(targets.slice(0, MAX_STATUS_ROWS), nowMs)]),
    ...(hidden > 0 ? [`  and ${hidden} more; -o json has them all`] : []),
    '',
    ...findings.flatMap(({ code, message }) => wrapped(`${code}: ${message}`, '')),
    verdict(status.ok, down, findings.length),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

function verdict(ok: boolean, down: number, findings: number): string {
  if (ok) return 'all is well';
  const parts = [
    ...(down > 0 ? [`${down} ${down === 1 ? 'target' : 'targets'}`] : []),
    ...(findings > 0 ? [`${findings} ${findings === 1 ? 'finding' : 'findings'}`] : []),
  ];
  return `not all is well: ${parts.join(', ')}`;
}

function headLines(
  { dispatch, shards }: StatusFacts,
  targets: readonly JudgedTarget[],
  tableName: string,
  nowMs: number,
): readonly string[] {
  const counts = Object.entries(countStates(targets)).map(([state, count]) => `${count} ${state}`);
  const tick =
    dispatch === undefined
      ? 'none'
      : `${ageText(nowMs - dispatch.tickMs)} ago, ${dispatch.documents} ${dispatch.documents === 1 ? 'document' : 'documents'}`;
  return [
    `table    ${tableName}`,
    `tick     ${tick}`,
    `targets  ${counts.length === 0 ? 'none' : counts.join(', ')}`,
    ...shards.flatMap((shard) => wrapped(shardText(shard, nowMs), '')),
  ];
}

function shardText(shard: ShardStatus, nowMs: number): string {
  const { tickMs, unended, waitTicks, up, targets, pointsSent, pendingSeries } = shard;
  const parts = [
    `tick ${ageText(nowMs - tickMs)} ago`,
    ...(unended > 0 ? [`${unended} not ended`] : []),
    ...(targets === undefined ? [] : [`${up ?? 0} of ${targets} targets up`]),
    ...(pointsSent === undefined ? [] : [`${pointsSent} points sent`]),
    ...(pendingSeries === undefined ? [] : [`${pendingSeries} series pending`]),
    ...(waitTicks > 0 ? [`deltas wait for ${waitTicks} more ticks after lost answers`] : []),
    `last export ${exportText(shard, nowMs)}`,
  ];
  return `${`shard ${shard.shard}`.padEnd(8)} ${parts.join(', ')}`;
}

function exportText({ lastExportAtMs, lastOutcome }: ShardStatus, nowMs: number): string {
  const when = lastExportAtMs === undefined ? 'never' : `${ageText(nowMs - lastExportAtMs)} ago`;
  const isFine = lastOutcome === undefined || lastOutcome === 'accepted' || lastOutcome === 'partial';
  return isFine ? when : `${when}, now ${lastOutcome.split(':', 1)[0]}`;
}

function targetLines(targets: readonly JudgedTarget[], nowMs: number): readonly string[] {
  const rows = targets.map((target) => cellsOf(target, nowMs));
  const widths = HEAD.map((_, i) => Math.max(...[HEAD, ...rows].map((row) => (row[i] ?? '').length)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (i < LEFT_COLUMNS ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  ')
      .trimEnd();
  const body = targets.flatMap(({ problem }, i) => [
    line(rows[i] ?? []),
    ...(problem === undefined ? [] : wrapped(problem, '    ')),
  ]);
  return [line(HEAD), ...body];
}

const HEAD = ['job', 'instance', 'state', 'scraped', 'took', 'samples', 'pending'];
/** Texts; what follows are numbers. */
const LEFT_COLUMNS = 3;

function cellsOf({ key, state, item }: JudgedTarget, nowMs: number): readonly string[] {
  // Where it has no item yet, its key tells who it is.
  if (item === undefined) return [...namesOf(key), state, '-', '-', '-', '-'];
  const { job, instance, lastScrapeAtMs, scrapeDurationMs, samples, pendingSinceMs, pendingSeries } = item;
  const count = pendingSeries === undefined ? '' : ` (${pendingSeries})`;
  return [
    cut(job, JOB_WIDTH),
    cut(instance, INSTANCE_WIDTH),
    state,
    lastScrapeAtMs === undefined ? 'never' : ageText(nowMs - lastScrapeAtMs),
    scrapeDurationMs === undefined ? '-' : formatDuration(scrapeDurationMs),
    String(samples),
    pendingSinceMs === undefined ? '-' : `${ageText(nowMs - pendingSinceMs)}${count}`,
  ];
}

/** `target/<job>/<instance>/<url>`. */
function namesOf(key: string): readonly [job: string, instance: string] {
  const [, job = '', instance = ''] = key.split('/');
  return [cut(decoded(job), JOB_WIDTH), cut(decoded(instance), INSTANCE_WIDTH)];
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The ends of names tell them apart. */
function cut(text: string, width: number): string {
  if (text.length <= width) return text;
  const head = Math.floor((width - 1) / 3);
  return `${text.slice(0, head)}…${text.slice(text.length - (width - 1 - head))}`;
}

/** Broken at blanks; a longer word is left whole, so that it can be copied. */
function wrapped(text: string, indent: string): readonly string[] {
  const lines: string[] = [];
  let line = indent;
  for (const word of text.split(' ')) {
    const isFirst = line.trim() === '';
    if (!isFirst && line.length + 1 + word.length > STATUS_WIDTH) {
      lines.push(line);
      line = `${indent === '' ? '  ' : indent}${word}`;
    } else {
      line += isFirst ? word : ` ${word}`;
    }
  }
  return [...lines, line];
}
