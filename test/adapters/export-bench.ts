/** An exporter under test, on a real HTTP client, with waits and token reads written down. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { systemClock as clock } from '../../functions/adapters/clock.ts';
import { createExport } from '../../functions/adapters/export.ts';
import type { ExportAttempt, ExportDeps } from '../../functions/adapters/export.ts';
import { createHttp } from '../../functions/adapters/http.ts';
import type { ExportOutcome } from '../../functions/core/outcome.ts';
import { serveHttp } from './local-servers.ts';

export const PUBLIC = 'dt0c01.PLANTEDPUBLICPART';
export const SECRET = 'PLANTEDSECRETPARTOFTHETOKEN';
export const TOKEN = `${PUBLIC}.${SECRET}`;
export const BODY = Buffer.from('metrics '.repeat(100));

interface Bench {
  readonly send: (withinMs?: number) => Promise<ExportOutcome>;
  readonly waits: number[];
  readonly attempts: ExportAttempt[];
  readonly tokenReads: boolean[];
}

/** An exporter to the base URL; waits are noted and not waited for, jitter is at its middle. */
export function openExport(
  t: TestContext,
  base: string,
  more: Partial<ExportDeps> & { ca?: string } = {},
): Bench {
  const { ca, token = () => Promise.resolve(TOKEN), ...rest } = more;
  const http = createHttp({ clock, ...(ca === undefined ? {} : { ca }) });
  t.after(() => http.close());
  const waits: number[] = [];
  const attempts: ExportAttempt[] = [];
  const tokenReads: boolean[] = [];
  const exportBody = createExport({
    http,
    clock,
    endpoint: () => Promise.resolve(base),
    token: (fresh, deadlineMs) => {
      tokenReads.push(fresh);
      return token(fresh, deadlineMs);
    },
    tokenRequired: true,
    sleepMs: (ms) => Promise.resolve(waits.push(ms)),
    random: () => 0.5,
    observe: (attempt) => attempts.push(attempt),
    ...rest,
  });
  const send = async (withinMs = 600_000) => {
    const outcome = await exportBody(BODY, clock.monotonicMs() + withinMs);
    assert.doesNotMatch(JSON.stringify(outcome), /PLANTED/, 'no outcome carries a token');
    if ('message' in outcome && outcome.code !== 'partial') {
      assert.match(outcome.message, /^cannot (?:export|use) .+: .+; .+$/);
    }
    return outcome;
  };
  return { send, waits, attempts, tokenReads };
}

/**
 * Answers the statuses in turn, the last one for ever, and repeats the token it was sent in its error text.
 */
export function answering(t: TestContext, ...statuses: readonly number[]) {
  return serveHttp(t, ({ headers }, response, nth) => {
    const status = statuses[Math.min(nth, statuses.length) - 1] ?? 200;
    const token = headers.authorization?.split(' ')[1] ?? '';
    response.writeHead(status, { 'content-type': 'application/json' });
    const message = `why ${status}\n of ${token} or ${token.split('.')[2]}`;
    response.end(JSON.stringify({ error: { code: status, message } }));
  });
}
