/**
 * What stands in the table, judged: which targets, documents and runs need somebody, each with its remedy. Only plain
 * attributes are read; what a release before this one did not write is unknown, never wrong.
 */
import { formatDuration } from './duration.ts';
import type { TargetItem } from './ports.ts';
import type { Unwritten } from './run-record.ts';
import type { InvalidDocument } from './tick-record.ts';

/** A target's item without its baseline. */
export type TargetStatus = Omit<TargetItem, 'baseline'>;

/** A shard's item. Undefined: not written yet, or by an earlier release. */
export interface ShardStatus {
  readonly shard: number;
  /** Of the last run that began; and when it ended, undefined while it is under way. */
  readonly tickMs: number;
  readonly endedAtMs: number | undefined;
  /** Runs since the last that came to its end, one under way among them. */
  readonly unended: number;
  /** Runs in which deltas still wait after lost answers. */
  readonly waitTicks: number;
  readonly targets: number | undefined;
  readonly up: number | undefined;
  readonly pointsSent: number | undefined;
  readonly pendingSeries: number | undefined;
  readonly lastOutcome: string | undefined;
  readonly lastExportAtMs: number | undefined;
  readonly unwritten: readonly Unwritten[];
}

/** The item that dispatch leaves (core/tick-record). */
export interface DispatchStatus {
  readonly tickMs: number;
  readonly previousTickMs: number;
  /** The last tick that had work for a shard. */
  readonly sentTickMs: number | undefined;
  /** Where the stack's parameters are. */
  readonly prefix: string;
  /** Why SSM was not read at the last tick. */
  readonly unread: string | undefined;
  readonly documents: number;
  readonly invalid: readonly InvalidDocument[];
  readonly problems: readonly string[];
  readonly complete: boolean;
  /** Undefined where the list was too long to be kept. */
  readonly keys: readonly string[] | undefined;
}

/** All that was read of a table. */
export interface StatusFacts {
  readonly targets: readonly TargetStatus[];
  readonly shards: readonly ShardStatus[];
  readonly dispatch: DispatchStatus | undefined;
  /** Items that could not be read, and where reading ended early. */
  readonly problems: readonly string[];
}

export type TargetState =
  | 'up'
  /** The last scrape failed. */
  | 'down'
  /** Several processes answer on its address (D8). */
  | 'flipped'
  /** What it counted has been waiting for Dynatrace for too long. */
  | 'pending'
  /** Its item was not written for so long that it cannot have been scraped. */
  | 'stale'
  /** Its state could not be read or written in the last run. */
  | 'unwritten'
  /** A document names it, and it was not scraped yet. */
  | 'new'
  /** No document names it any more. Never counts as down. */
  | 'vanished'
  /** Nobody names it, but some document or discovery did not answer. */
  | 'unknown';

export interface JudgedTarget {
  readonly key: string;
  readonly state: TargetState;
  /** Somebody is needed. */
  readonly isDown: boolean;
  /** Absent where it has no item. */
  readonly item?: TargetStatus;
  readonly problem?: string;
}

/** One thing that needs somebody; codes as in the log where the log has the event too. */
export interface StatusFinding {
  readonly code: string;
  /** `cannot <verb> <what>: <cause>; <remedy>`. */
  readonly message: string;
}

export interface Status {
  /** Those that need somebody first, then by job and instance. */
  readonly targets: readonly JudgedTarget[];
  /** Beside the targets. */
  readonly findings: readonly StatusFinding[];
  readonly ok: boolean;
}

/** Five ticks, and at least five minutes, as in the alarm: Scheduler, queue and Lambda may be late. */
export const LATE_AFTER_MS = 5 * 60_000;
export const LATE_AFTER_TICKS = 5;

/** Runs that never came to their end, one after the other: one may be under way, another have been killed. */
export const MAX_UNENDED = 3;

const SCHEDULE_REMEDY = 'enable the schedule, and look into the log of the dispatch function';

export function judgeStatus(facts: StatusFacts, nowMs: number): Status {
  const lateMs = lateAfter(facts.dispatch);
  const targets = judgeTargets(facts, nowMs, lateMs).sort(byNeed);
  const findings = [
    ...facts.problems.map((message) => ({ code: 'state_unreadable', message })),
    ...judgeDispatch(facts.dispatch, nowMs, lateMs),
    ...judgeShards(facts, lateMs),
    ...judgeExport(facts),
  ];
  return { targets, findings, ok: findings.length === 0 && !targets.some(({ isDown }) => isDown) };
}

/** How late is too late, by how often the schedule fires. */
function lateAfter(dispatch: DispatchStatus | undefined): number {
  const spacingMs = dispatch === undefined ? 0 : dispatch.tickMs - dispatch.previousTickMs;
  return Math.max(LATE_AFTER_MS, LATE_AFTER_TICKS * spacingMs);
}

function judgeTargets(
  { targets, shards, dispatch }: StatusFacts,
  nowMs: number,
  lateMs: number,
): JudgedTarget[] {
  const unwritten = new Map(
    shards.flatMap((shard) => shard.unwritten.map(({ key, problem }) => [key, problem])),
  );
  const listed = dispatch?.keys === undefined ? undefined : new Set(dispatch.keys);
  const judged = targets.map((item): JudgedTarget => {
    const { key } = item;
    if (listed !== undefined && !listed.has(key)) {
      return { key, item, state: dispatch?.complete === true ? 'vanished' : 'unknown', isDown: false };
    }
    const state = unwritten.has(key) ? 'unwritten' : stateOf(item, dispatch?.tickMs, nowMs, lateMs);
    const isDown = state !== 'up' && state !== 'vanished';
    const problem =
      unwritten.get(key) ?? item.lastError ?? (state === 'pending' ? item.lastOutcome : undefined);
    return { key, item, state, isDown, ...(problem === undefined ? {} : { problem }) };
  });
  const known = new Set(targets.map(({ key }) => key));
  for (const key of listed ?? []) {
    if (known.has(key)) continue;
    const problem = unwritten.get(key);
    judged.push(
      problem === undefined
        ? { key, state: 'new', isDown: false }
        : { key, state: 'unwritten', isDown: true, problem },
    );
  }
  return judged;
}

function stateOf(
  { up, lastError, runTickMs, intervalMs = 0, pendingSinceMs }: TargetStatus,
  tickMs: number | undefined,
  nowMs: number,
  lateMs: number,
): TargetState {
  // Where no list tells of it, its own item does, from when it was drained.
  if (lastError?.startsWith('vanished:') === true) return 'vanished';
  if (tickMs !== undefined && runTickMs !== undefined && tickMs - runTickMs > intervalMs + lateMs) {
    return 'stale';
  }
  if (!up) return 'down';
  if (lastError?.startsWith('replica_flip:') === true) return 'flipped';
  if (pendingSinceMs !== undefined && nowMs - pendingSinceMs > intervalMs + lateMs) return 'pending';
  return 'up';
}

function byNeed(a: JudgedTarget, b: JudgedTarget): number {
  if (a.isDown !== b.isDown) return a.isDown ? -1 : 1;
  return a.key < b.key ? -1 : 1;
}

function judgeDispatch(
  dispatch: DispatchStatus | undefined,
  nowMs: number,
  lateMs: number,
): readonly StatusFinding[] {
  if (dispatch === undefined) {
    const cause = 'no tick is recorded in this table';
    return [
      {
        code: 'no_tick',
        message: `cannot tell what is scraped: ${cause}; wait a minute after the deployment, then ${SCHEDULE_REMEDY}`,
      },
    ];
  }
  const findings: StatusFinding[] = [];
  const agoMs = nowMs - dispatch.tickMs;
  if (agoMs > lateMs) {
    const cause = `the last tick was ${ageText(agoMs)} ago`;
    findings.push({ code: 'tick_stale', message: `cannot scrape: ${cause}; ${SCHEDULE_REMEDY}` });
  }
  if (dispatch.unread !== undefined) findings.push({ code: 'documents_unread', message: dispatch.unread });
  for (const mistake of dispatch.invalid) {
    findings.push({ code: 'document_invalid', message: describeMistake(mistake) });
  }
  for (const problem of dispatch.problems) {
    const [code, message] = splitCode(problem);
    findings.push({ code, message });
  }
  if (dispatch.keys?.length === 0 && dispatch.invalid.length === 0 && dispatch.complete) {
    const remedy = putParameter('String', `${dispatch.prefix}/targets/nim`, '<host>:8000');
    const message = `cannot scrape: no document names a target; ${remedy}`;
    findings.push({ code: 'waiting_for_targets', message });
  }
  return findings;
}

function describeMistake({ document, line, column, message, versionInForce }: InvalidDocument): string {
  const place = line === undefined ? '' : ` line ${line}${column === undefined ? '' : `, column ${column}`}`;
  const force = versionInForce === undefined ? '' : ` (version ${versionInForce} is in force)`;
  return `${document}${place}: ${message}${force}`;
}

function judgeShards({ shards, dispatch }: StatusFacts, lateMs: number): readonly StatusFinding[] {
  const sentTickMs = dispatch?.sentTickMs;
  const remedy = 'look at the dead-letter queue, and into the log of the scrape function';
  if (shards.length === 0) {
    if (sentTickMs === undefined) return [];
    const cause = 'a message was sent, and no run has begun';
    return [
      {
        code: 'no_run',
        message: `cannot scrape: ${cause}; wait a minute after the first tick, then ${remedy}`,
      },
    ];
  }
  return shards.flatMap(({ shard, tickMs, unended }) => {
    if (sentTickMs !== undefined && sentTickMs - tickMs > lateMs) {
      const cause = `no run has begun for ${ageText(sentTickMs - tickMs)}`;
      return [{ code: 'run_stale', message: `cannot scrape shard ${shard}: ${cause}; ${remedy}` }];
    }
    if (unended <= MAX_UNENDED) return [];
    const cause = `${unended} runs in a row never came to their end`;
    return [{ code: 'runs_unended', message: `cannot finish shard ${shard}: ${cause}; ${remedy}` }];
  });
}

/** What somebody must mend; what passes by itself shows as targets that are pending for too long. */
function judgeExport({ shards, dispatch }: StatusFacts): readonly StatusFinding[] {
  const outcomes = new Set(shards.flatMap(({ lastOutcome }) => lastOutcome ?? []));
  return [...outcomes].flatMap((outcome): readonly StatusFinding[] => {
    const [code, message] = splitCode(outcome);
    switch (code) {
      case 'waiting_for_token': {
        const name = `${dispatch?.prefix ?? ''}/secrets/dt-api-token`;
        return [{ code, message: `${message}: ${putParameter('SecureString', name, '"$DT_API_TOKEN"')}` }];
      }
      case 'waiting_for_endpoint': {
        const name = `${dispatch?.prefix ?? ''}/endpoint`;
        return [{ code, message: `${message}: ${putParameter('String', name, '"$DT_ENDPOINT"')}` }];
      }
      case 'refused':
        return [{ code, message }];
      default:
        return [];
    }
  });
}

function putParameter(type: string, name: string, value: string): string {
  return `aws ssm put-parameter --type ${type} --name ${name} --value ${value}`;
}

function splitCode(text: string): readonly [code: string, message: string] {
  const at = text.indexOf(': ');
  return at < 0 ? [text, text] : [text.slice(0, at), text.slice(at + 2)];
}

/** Whole seconds, and no more units than a person wants: `35s`, `3m20s`, `2h5m`. */
export function ageText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const unit = seconds < 3600 ? 1 : seconds < 172_800 ? 60 : 3600;
  return formatDuration(Math.floor(seconds / unit) * unit * 1000);
}
