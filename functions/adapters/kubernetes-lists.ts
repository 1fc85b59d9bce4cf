/** Lists of a Kubernetes API server, page by page (Kubernetes API concepts, "Retrieving large results sets in chunks"). */
import type { Clock } from '../core/ports.ts';
import type { RequestParts } from './client-request.ts';
import { sleepMs } from './clock.ts';
import type { Http, HttpAnswer } from './http.ts';

/** Objects of one page: what kubectl asks for. */
export const PAGE_LIMIT = 500;
/** What one page is waited for: a server that hangs delays the others of a tick so long, and no longer. */
export const PAGE_TIMEOUT_MS = 10_000;
/** Bytes of one page: 500 pods of 40 KB, with all that operators write into them. */
export const MAX_PAGE_BYTES = 20 * 1024 * 1024;
/** Objects of one list: twice the pods of the largest clusters that are looked for. */
export const MAX_OBJECTS = 20_000;
/** A list whose snapshot expired is begun anew so often; a cluster that is faster than that is told. */
const MAX_RESTARTS = 2;
/** A server that is busy is asked again so often, within the deadline. */
const MAX_RETRIES = 4;
const RETRY_AFTER_MS = 1_000;

export interface ApiServer {
  readonly http: Http;
  readonly clock: Clock;
  /** Where it is, and who asks; anew, `fresh`, once it refused that. */
  readonly access: (fresh: boolean) => Promise<ApiAccess | ListFailure>;
  readonly deadlineMs: number;
}

export interface ApiAccess {
  readonly code: 'access';
  readonly url: URL;
  readonly parts: RequestParts;
}

/** `forbidden`: the caller may not list this; the rest goes on without. */
export interface ListFailure {
  readonly code: 'failed' | 'forbidden';
  /** A clause and its remedy. */
  readonly cause: string;
}

export interface Listed<T> {
  readonly code: 'listed';
  readonly found: readonly T[];
}

/** What `read` makes of each item of the list at `path`, such as `/api/v1/pods`; the items themselves are not kept. */
export async function listObjects<T>(
  server: ApiServer,
  path: string,
  query: Readonly<Record<string, string>>,
  read: (item: unknown) => readonly T[],
): Promise<Listed<T> | ListFailure> {
  let found: T[] = [];
  let next = '';
  let restarts = 0;
  let objects = 0;
  for (;;) {
    const page = await getPage(server, path, {
      ...query,
      limit: String(PAGE_LIMIT),
      ...(next && { continue: next }),
    });
    if (page.code === 'expired') {
      if (++restarts > MAX_RESTARTS) return failed('its list expired again and again while it was read');
      found = [];
      next = '';
      objects = 0;
      continue;
    }
    if (page.code !== 'page') return page;
    objects += page.items.length;
    if (objects > MAX_OBJECTS)
      return failed(`it has more than ${MAX_OBJECTS} of them; name namespaces or a selector`);
    for (const item of page.items) found.push(...read(item));
    if (page.next === '') return { code: 'listed', found };
    next = page.next;
  }
}

type Page =
  | { readonly code: 'page'; readonly items: readonly unknown[]; readonly next: string }
  /** 410: the snapshot that `continue` stands for is gone. */
  | { readonly code: 'expired' }
  | ListFailure;

async function getPage(
  server: ApiServer,
  path: string,
  query: Readonly<Record<string, string>>,
): Promise<Page> {
  const { http, clock, deadlineMs } = server;
  let fresh = false;
  for (let tries = 0; ; tries++) {
    const access = await server.access(fresh);
    if (access.code !== 'access') return access;
    const url = new URL(access.url);
    url.pathname = `${url.pathname.replace(/\/$/, '')}${path}`;
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const result = await http.request({
      method: 'GET',
      url,
      ...access.parts,
      deadlineMs: Math.min(deadlineMs, clock.monotonicMs() + PAGE_TIMEOUT_MS),
      maxBytes: MAX_PAGE_BYTES,
    });
    if (result.code !== 'answer') return failed(result.cause);
    const { status } = result;
    if (status === 200) return readPage(result);
    if (status === 410) return { code: 'expired' };
    if (status === 401 && !fresh) {
      fresh = true;
      continue;
    }
    if ((status === 429 || status >= 500) && tries < MAX_RETRIES) {
      const waitMs = waitOf(result);
      if (clock.monotonicMs() + waitMs < deadlineMs) {
        await sleepMs(waitMs);
        continue;
      }
    }
    return refusalOf(result, path);
  }
}

/** `Retry-After` in seconds, as the API server's priority and fairness sends it. */
function waitOf({ headers }: HttpAnswer): number {
  const seconds = Number(headers['retry-after']);
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1_000 : RETRY_AFTER_MS;
}

function readPage({ body, flaw }: HttpAnswer): Page {
  if (flaw !== undefined) return failed(flaw.cause);
  let list: { readonly items?: unknown; readonly metadata?: { readonly continue?: unknown } } | null;
  try {
    list = JSON.parse(new TextDecoder().decode(body)) as typeof list;
  } catch {
    return failed('its answer is no JSON');
  }
  const items = list?.items ?? [];
  if (!Array.isArray(items)) return failed('its answer is no list of objects');
  const next = list?.metadata?.continue;
  return { code: 'page', items, next: typeof next === 'string' ? next : '' };
}

function refusalOf({ status }: HttpAnswer, path: string): ListFailure {
  const what = path.slice(path.lastIndexOf('/') + 1);
  switch (status) {
    case 401:
      return failed(
        'it does not know the caller (401); give the role an access entry, or check authorization in the document',
      );
    case 403:
      return {
        code: 'forbidden',
        cause: `the caller may not list ${what} (403); bind a Role with the verb list on ${what}`,
      };
    case 404:
      return failed('it has no such list (404); check api_server');
    default:
      return failed(`it answered status ${status}`);
  }
}

function failed(cause: string): ListFailure {
  return { code: 'failed', cause };
}
