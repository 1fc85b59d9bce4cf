/**
 * What an AWS SDK client threw, as a sentence. The SDK's errors share one shape in every client: `name`,
 * `message`.
 */
import { Bug } from '../core/outcome.ts';

/** Enough for the service's own sentence; what follows it in a log line is worth more. */
const MAX_CAUSE_CHARS = 200;

const NEXT_TICK = 'the next tick tries again';
const CREDENTIALS = 'check the AWS credentials and the system time';

/** What every client throws, without a name of its own, before it asks anybody. */
const NO_REGION = 'Region is missing';

/** Remedies by the error's name; everything else is temporary as far as one can tell. */
const REMEDIES: ReadonlyMap<string, string> = new Map([
  ['AccessDeniedException', 'grant the role this action'],
  ['AccessDenied', 'grant the role this action'],
  ['ResourceNotFoundException', 'check the name of the table and the region'],
  ['QueueDoesNotExist', 'check the URL of the queue and the region'],
  ['ValidationException', 'report this error, the request was malformed'],
  ['CredentialsProviderError', CREDENTIALS],
  ['ExpiredTokenException', CREDENTIALS],
  ['InvalidSignatureException', CREDENTIALS],
  ['UnrecognizedClientException', CREDENTIALS],
]);

/** Whether the service answered that the role may not do this. */
export function isAccessDenied(error: unknown): boolean {
  return error instanceof Error && /^AccessDenied(Exception)?$/.test(error.name);
}

/**
 * `cannot <what>: <cause>; <remedy>`, `otherwise` where the error has no remedy of its own. Only the first line of the
 * cause is kept: the answer to a wrong signature goes on to quote the request's headers, the session token among
 * them. A program error is thrown on, not described.
 */
export function awsFailure(what: string, error: unknown, otherwise: string = NEXT_TICK): string {
  if (error instanceof Bug) throw error;
  const name = error instanceof Error ? error.name : 'Error';
  if (name === 'AbortError' || name === 'TimeoutError') {
    return `cannot ${what}: no answer before the deadline; ${otherwise}`;
  }
  const sentence = (error instanceof Error ? error.message : String(error)).trim().split('\n', 1)[0] ?? '';
  if (sentence === NO_REGION) {
    return `cannot ${what}: no AWS region is set; set AWS_REGION, or region in the profile`;
  }
  const cause = sentence.slice(0, MAX_CAUSE_CHARS).replace(/[.\s]+$/, '');
  return `cannot ${what}: ${cause === '' ? name : `${name}, ${cause}`}; ${REMEDIES.get(name) ?? otherwise}`;
}
