/**
 * What a partial success says: `... - Reason: VALUE_INVALID` lines, one per point or per metric, under a fixed head
 * (Dynatrace community, "OTLP metrics ingest: rejected data points"). Text that is not known is no error.
 */

/** What was rejected for one reason of one metric. */
export interface Rejection {
  /** Dynatrace's word, or `UNNAMED`. */
  readonly reason: string;
  /** Its key; empty where the message names none. */
  readonly metric: string;
  readonly points: number;
}

/** Points that no line gives a reason for. */
export const UNNAMED = 'UNNAMED';
/** Different ones kept of a run: with two reasons each, all metrics of a vLLM page. The rest counts as unnamed. */
export const MAX_REJECTIONS = 200;

/**
 * Adds up to `rejectedPoints` exactly: with one reason alone, in one metric, all are its; else each line is a point, and
 * what no line names is unnamed.
 */
export function readRejections(message: string, rejectedPoints: number): readonly Rejection[] {
  const lines = message.split('\n').flatMap((line) => {
    const reason = /\bReason: ([A-Z][A-Z0-9_]{0,99})/.exec(line)?.[1];
    return reason === undefined ? [] : [{ reason, metric: metricIn(line), points: 1 }];
  });
  const named = addRejections([], lines);
  const [only] = named;
  if (only !== undefined && named.length === 1) return [{ ...only, points: rejectedPoints }];
  let left = rejectedPoints;
  const counted = named.flatMap((one) => {
    const points = Math.min(one.points, left);
    left -= points;
    return points === 0 ? [] : [{ ...one, points }];
  });
  return addRejections(counted, [{ reason: UNNAMED, metric: '', points: left }]);
}

/** `key: 'K'`, or the first quoted word. */
function metricIn(line: string): string {
  return (/key: '([^']{1,255})'/.exec(line) ?? /'([^']{1,255})'/.exec(line))?.[1] ?? '';
}

/** Both, each reason and metric once. */
export function addRejections(one: readonly Rejection[], other: readonly Rejection[]): readonly Rejection[] {
  const sums = new Map<string, Rejection>();
  for (const rejection of [...one, ...other]) {
    if (rejection.points === 0) continue;
    const key = `${rejection.reason} ${rejection.metric}`;
    const known = sums.get(key);
    if (known === undefined && sums.size >= MAX_REJECTIONS) {
      const rest = sums.get(`${UNNAMED} `)?.points ?? 0;
      sums.set(`${UNNAMED} `, { reason: UNNAMED, metric: '', points: rest + rejection.points });
    } else sums.set(key, { ...rejection, points: rejection.points + (known?.points ?? 0) });
  }
  return [...sums.values()];
}

/** Points by reason, in the order of the words. */
export function countByReason(rejections: readonly Rejection[]): Readonly<Record<string, number>> {
  const counts = new Map<string, number>();
  for (const { reason, points } of rejections) counts.set(reason, (counts.get(reason) ?? 0) + points);
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}
