/** Scraping as the tests look at it. */
import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import type { TestContext } from 'node:test';
import { systemClock as clock } from '../../functions/adapters/clock.ts';
import { createHttp } from '../../functions/adapters/http.ts';
import { createScrape } from '../../functions/adapters/scrape.ts';
import type { Target } from '../../functions/core/model.ts';
import { createTarget } from '../../functions/core/targets.ts';
import type { Scrape, ScrapeResult } from '../../functions/core/ports.ts';
import { noSecrets } from '../fakes/secrets.ts';
import type { Answer } from './local-servers.ts';

export const PAGE = 'up 1\n';

export function target(address: string, more: Partial<Target> = {}): Target {
  const identity = {
    job: 'nim',
    instance: address,
    scheme: 'http',
    address,
    path: '/metrics',
    params: [],
  } as const;
  return { ...createTarget(identity), bodySizeLimitBytes: 1_000, ...more };
}

export function openScrape(t: TestContext, ca?: string): Scrape {
  const http = createHttp({ clock, ...(ca === undefined ? {} : { ca }) });
  t.after(() => http.close());
  return createScrape({ http, clock, secrets: noSecrets });
}

export const soon = (ms = 10_000) => clock.monotonicMs() + ms;

export function assertFailure(result: ScrapeResult, code: ScrapeResult['code'], text: RegExp): void {
  assert.equal(result.code, code);
  assert.ok('message' in result);
  assert.match(result.message, /^cannot scrape .+: .+; .+$/);
  assert.match(result.message, text);
}

export function assertPage(result: ScrapeResult, path: string): void {
  assert.ok(result.code === 'page', 'message' in result ? result.message : '');
  assert.equal(Buffer.from(result.body).toString(), PAGE);
  assert.equal(result.path, path);
}

/** Answers the paths named, 404 to all others. */
export function only(paths: Readonly<Record<string, (response: ServerResponse) => void>>): Answer {
  return ({ url }, response) => {
    const answer = paths[url];
    if (answer === undefined) response.writeHead(404).end('not here');
    else answer(response);
  };
}
