/** What Dynatrace says of an error, as far as it may be printed. */
import type { HttpAnswer } from './http.ts';

/** Of an error message: a log line stays readable. */
export const MAX_EXCERPT = 300;

/** A page for people: of a proxy, a gateway or a login, not of Dynatrace's API. */
export function isHtml({ headers, body }: HttpAnswer): boolean {
  if (/^text\/html\b/i.test(headers['content-type'] ?? '')) return true;
  return /^\s*<(?:!doctype )?html/i.test(new TextDecoder().decode(body.subarray(0, 100)));
}

/**
 * The message of Dynatrace's error envelope, `{"error":{"code":n,"message":"..."}}`, or that the answer is a
 * web page; empty when it is neither.
 */
export function excerpt(answer: HttpAnswer, token: string | undefined): string {
  if (isHtml(answer))
    return ' with a web page, which is not how Dynatrace answers: a proxy may stand before it';
  try {
    const envelope: unknown = JSON.parse(new TextDecoder().decode(answer.body));
    const error = property(envelope, 'error');
    const message = property(error, 'message');
    if (typeof message !== 'string' || message === '') return '';
    return ` (${redact(message, token).replace(/\s+/g, ' ').slice(0, MAX_EXCERPT)})`;
  } catch {
    return '';
  }
}

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

/**
 * A proxy that echoes headers must not put the token into our logs: neither whole nor its secret last part.
 */
export function redact(text: string, token: string | undefined): string {
  if (token === undefined) return text;
  const secret = token.slice(token.lastIndexOf('.') + 1);
  return text.replaceAll(token, '***').replaceAll(secret === '' ? token : secret, '***');
}
