/** What Dynatrace says of an error, as far as it may be printed. */
import type { HttpAnswer } from './http.ts';

/** Of an error message: a log line stays readable. */
const MAX_EXCERPT = 300;

/**
 * The message of Dynatrace's error envelope, `{"error":{"code":n,"message":"..."}}`; empty when there is
 * none.
 */
export function excerpt(answer: HttpAnswer, token: string | undefined): string {
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
