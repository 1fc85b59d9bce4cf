/** The secrets of target documents: which may be read, from where, and how long one is remembered. */
import type { Clock } from '../core/ports.ts';
import {
  NO_REFERENCE,
  type SecretAnswer,
  type SecretGrants,
  type SecretPlace,
  type Secrets,
  placeOf,
  refusalOf,
} from '../core/secrets.ts';
import { signalAt, sleepMs } from './clock.ts';

/** A rotated secret is in use within a minute. */
export const MAX_AGE_MS = 60_000;

/**
 * Nothing is asked twice within this time, not even afresh, nor after a failure: a fleet behind one secret that is
 * refused or cannot be read costs one read, and a target's scrape ends by then.
 */
export const MIN_AGE_MS = 10_000;

/** One small read with the SDK's own retries: half the default scrape timeout. */
const READ_TIMEOUT_MS = 5_000;

/** Secrets remembered: several for each target of a full shard. */
export const MAX_REMEMBERED_SECRETS = 1_000;

/** Characters; Secrets Manager stores 65,536 bytes at most (quotas), Parameter Store 8 KB. */
export const MAX_SECRET_LENGTH = 65_536;

/** One read from a store. */
export type ReadSecret = (id: string, signal: AbortSignal) => Promise<SecretAnswer>;

interface SecretsDeps {
  readonly clock: Clock;
  readonly grants: SecretGrants;
  readonly ssm: ReadSecret;
  readonly secretsManager: ReadSecret;
}

interface Remembered {
  readonly answer: SecretAnswer;
  readonly readAtMs: number;
}

/** Equal references under way are read once; so are two fields of one secret. Nothing is thrown for what AWS does. */
export function createSecrets({ clock, grants, ssm, secretsManager }: SecretsDeps): Secrets {
  const remembered = new Map<string, Remembered>();
  const underWay = new Map<string, Promise<SecretAnswer>>();

  const readNow = async (place: SecretPlace, id: string): Promise<SecretAnswer> => {
    try {
      const signal = signalAt(clock, clock.monotonicMs() + READ_TIMEOUT_MS);
      const read = await (place.store === 'ssm' ? ssm(id, signal) : secretsManager(id, signal));
      const answer = inForce(bounded(read, id), remembered.get(id)?.answer);
      remembered.delete(id);
      const [oldest] = remembered.keys();
      if (remembered.size >= MAX_REMEMBERED_SECRETS && oldest !== undefined) remembered.delete(oldest);
      remembered.set(id, { answer, readAtMs: clock.wallMs() });
      return answer;
    } finally {
      underWay.delete(id);
    }
  };

  return async (reference, deadlineMs, fresh) => {
    const place = placeOf(reference);
    if (place === undefined) return { code: 'refused', message: NO_REFERENCE };
    const refusal = refusalOf(place, grants);
    if (refusal !== undefined) return { code: 'refused', message: refusal };
    const id = place.store === 'ssm' ? place.name : place.arn;
    const known = remembered.get(id);
    let whole: SecretAnswer;
    if (known !== undefined && isRecent(known, clock.wallMs(), fresh)) {
      whole = known.answer;
    } else {
      const reading = underWay.get(id) ?? readNow(place, id);
      underWay.set(id, reading);
      whole = await within(reading, deadlineMs - clock.monotonicMs(), reference);
    }
    return place.store === 'secrets_manager' ? fieldOf(whole, place.field, reference) : whole;
  };
}

/** Wall time, since a frozen sandbox may stop the other clock; a step backwards counts as old. */
function isRecent({ answer, readAtMs }: Remembered, nowMs: number, fresh: boolean): boolean {
  const isGood = answer.code === 'read' && answer.problem === undefined;
  const ageMs = nowMs - readAtMs;
  return ageMs >= 0 && ageMs < (isGood && !fresh ? MAX_AGE_MS : MIN_AGE_MS);
}

/** While AWS does not answer, the value from before stays in force. An answer ends it, also one without a value. */
function inForce(answer: SecretAnswer, before: SecretAnswer | undefined): SecretAnswer {
  if (answer.code !== 'failed' || before?.code !== 'read') return answer;
  return { code: 'read', value: before.value, problem: answer.message };
}

/** Trimmed: a value pasted from a terminal ends in a newline. */
function bounded(answer: SecretAnswer, id: string): SecretAnswer {
  if (answer.code !== 'read') return answer;
  const value = answer.value.trim();
  if (value.length <= MAX_SECRET_LENGTH) return { code: 'read', value };
  const cause = `it is longer than ${MAX_SECRET_LENGTH} characters`;
  return { code: 'refused', message: `cannot use the secret ${id}: ${cause}; store the credential alone` };
}

/** The read goes on for those who have more time. */
async function within(reading: Promise<SecretAnswer>, ms: number, reference: string): Promise<SecretAnswer> {
  const done = new AbortController();
  const late = sleepMs(ms, done.signal).then((): SecretAnswer => {
    const cause = 'no answer before the deadline';
    return {
      code: 'failed',
      message: `cannot read the secret ${reference}: ${cause}; the next tick tries again`,
    };
  });
  const answer = await Promise.race([reading, late]);
  done.abort();
  return answer;
}

/** One field of a secret that is a JSON object; undefined: the whole text. */
export function fieldOf(whole: SecretAnswer, field: string | undefined, reference: string): SecretAnswer {
  if (whole.code !== 'read' || field === undefined) return whole;
  const value = textAt(whole.value, field);
  if (value !== undefined) return { ...whole, value };
  const cause = 'the secret is no JSON object with this field as text';
  return {
    code: 'absent',
    message: `cannot read the secret ${reference}: ${cause}; add the field to the secret`,
  };
}

/** Undefined also for an empty text. */
function textAt(json: string, field: string): string | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch {
    return undefined;
  }
  if (typeof parsed !== 'object' || parsed === null || !Object.hasOwn(parsed, field)) return undefined;
  const value: unknown = (parsed as Readonly<Record<string, unknown>>)[field];
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined;
}
