/** `status -o json`: a line per target, then one with all else. Times as in the table's items. */
import type { JudgedTarget, ShardStatus } from '../core/status.ts';
import { type ShownStatus, countStates } from './status-text.ts';

export function statusJson({ facts, status, tableName, nowMs }: ShownStatus): string {
  const { dispatch, shards } = facts;
  const summary = {
    type: 'summary',
    ok: status.ok,
    table: tableName,
    readAt: instant(nowMs),
    lastTick: instant(dispatch?.tickMs),
    documents: dispatch?.documents,
    invalidDocuments: dispatch?.invalid,
    targets: countStates(status.targets),
    shards: shards.map(shardJson),
    findings: status.findings,
  };
  return [...status.targets.map(targetJson), summary].map((line) => `${JSON.stringify(line)}\n`).join('');
}

function targetJson({ key, state, isDown, item, problem }: JudgedTarget) {
  return {
    type: 'target',
    key,
    state,
    isDown,
    problem,
    job: item?.job,
    instance: item?.instance,
    url: item?.url,
    up: item?.up,
    lastScrapeAt: instant(item?.lastScrapeAtMs),
    scrapeDurationMs: item?.scrapeDurationMs,
    samples: item?.samples,
    pendingSince: instant(item?.pendingSinceMs),
    pendingSeries: item?.pendingSeries,
    lastExportAt: instant(item?.lastExportAtMs),
    lastOutcome: item?.lastOutcome,
    lastError: item?.lastError,
  };
}

function shardJson({ tickMs, endedAtMs, lastExportAtMs, ...shard }: ShardStatus) {
  return {
    ...shard,
    tick: instant(tickMs),
    endedAt: instant(endedAtMs),
    lastExportAt: instant(lastExportAtMs),
  };
}

function instant(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}
