/** A GET that follows redirects, also to another host, as Go's http client does, which is Prometheus'. */
import type { RequestParts } from './client-request.ts';
import type { Http, HttpAnswer, HttpFailure } from './http.ts';

/** The tenth redirect is the end. */
export const MAX_REDIRECTS = 10;

const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];

interface Get {
  readonly url: URL;
  readonly own: RequestParts;
  readonly foreign: RequestParts;
  readonly followRedirects: boolean;
  readonly deadlineMs: number;
  readonly maxBytes: number;
}

/** `url` is the one that was asked last. */
export type Got =
  | { readonly code: 'answer'; readonly url: URL; readonly answer: HttpAnswer }
  | { readonly code: 'failed'; readonly url: URL; readonly failure: HttpFailure }
  /** By a redirect that is not followed. */
  | { readonly code: 'stopped'; readonly url: URL; readonly cause: string; readonly remedy: string };

/**
 * What was meant for the server alone stays there: once a redirect has led to another scheme, host or port, no later
 * request carries credentials, so that no stranger can send them back with a path of its choice.
 */
export async function getFollowing(http: Http, get: Get): Promise<Got> {
  const { url: first, followRedirects, deadlineMs, maxBytes } = get;
  let url = first;
  let parts = get.own;
  for (let redirects = 1; ; redirects++) {
    const result = await http.request({ method: 'GET', url, ...parts, deadlineMs, maxBytes });
    if (result.code !== 'answer') return { code: 'failed', url, failure: result };
    const location = REDIRECTS.includes(result.status) ? result.headers['location'] : undefined;
    if (location === undefined) return { code: 'answer', url, answer: result };
    const next = URL.parse(location, url.href);
    const stopped = (cause: string, remedy: string): Got => ({ code: 'stopped', url, cause, remedy });
    if (!followRedirects) {
      const where = next === null ? 'an address that cannot be read' : nameOf(next);
      const remedy = 'name that address as the target if it is meant';
      return stopped(`it redirects to ${where}, and follow_redirects is false`, remedy);
    }
    if (next === null || !/^https?:$/.test(next.protocol)) {
      const where =
        next === null ? 'an address that cannot be read' : `${next.protocol} instead of http: or https:`;
      return stopped(`it redirects to ${where}`, 'name the final address');
    }
    if (redirects === MAX_REDIRECTS)
      return stopped(`stopped after ${MAX_REDIRECTS} redirects`, 'name the final address');
    if (next.origin !== first.origin) parts = get.foreign;
    url = next;
  }
}

/** Without user and query: a parameter may be a secret. */
export function nameOf(url: URL): string {
  return url.origin + (url.pathname === '/' ? '' : url.pathname);
}
