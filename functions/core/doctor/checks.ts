/** What the doctor says: a check for each thing that can be wrong between a page and Dynatrace, in a fixed order. */
import type { Forecast } from './forecast-model.ts';
import type { Generation } from './generation.ts';

/** The order is that in which they are made: each needs what stands before it. */
export type CheckName =
  /** Deployed: dispatch reads the target documents, and all of them are right. */
  | 'documents'
  /** Deployed: every discovery answers. */
  | 'discovery'
  /** Deployed: the worker may read and write its table. Nothing is written. */
  | 'dynamodb'
  /** Deployed: the parameter with Dynatrace's URL is there and may be read. */
  | 'stored_endpoint'
  /** Deployed: the API token is there and may be read. */
  | 'stored_token'
  /** Deployed: a secret that a job refers to is there and may be read. */
  | 'stored_secret'
  /** The host name resolves, to addresses that may be scraped. */
  | 'dns'
  /** Every address takes a connection. */
  | 'tcp'
  /** Certificate: chain, name, days left. */
  | 'tls'
  /** The page: status, path, time. */
  | 'http'
  /** The target's clock against ours. */
  | 'clock'
  /** The page is an exposition, and each line of it was read. */
  | 'format'
  /** The model is loaded. */
  | 'ready'
  /** Which NIM it is, and which model it serves. */
  | 'generation'
  /** What goes out, and what Dynatrace would refuse of it. */
  | 'names'
  /** One process answers on the address. */
  | 'process'
  /** The form of Dynatrace's URL. */
  | 'endpoint'
  /** The form of the token: which kind it is. */
  | 'token'
  /** Dynatrace lets the token send metrics. */
  | 'ingest';

export type CheckStatus = 'ok' | 'warning' | 'failed' | 'skipped';

export interface Check {
  readonly name: CheckName;
  readonly status: CheckStatus;
  /** Of the one exchange that the check made; absent where it made none or several. */
  readonly latencyMs?: number;
  /** One line, without a secret. */
  readonly message: string;
  /** What to do; never with `ok`. */
  readonly remedy?: string;
}

export interface TargetDiagnosis {
  readonly kind: 'target';
  readonly job: string;
  /** Scheme, host and port; with the path that has the page, once that is known. Never a query. */
  readonly url: string;
  readonly checks: readonly Check[];
  /** Both absent where there was no page to read. */
  readonly generation?: Generation;
  readonly forecast?: Forecast;
  /** What an answer of the deployed function had no room for. */
  readonly cut?: string;
}

export interface DynatraceDiagnosis {
  readonly kind: 'dynatrace';
  /** Where metrics are posted to; absent where no usable endpoint was given. */
  readonly url?: string;
  readonly checks: readonly Check[];
}

/** What a deployed function may do and reach in AWS. */
export interface AwsDiagnosis {
  readonly kind: 'aws';
  readonly function: 'dispatch' | 'scrape';
  readonly checks: readonly Check[];
}

export type Diagnosis = TargetDiagnosis | DynatraceDiagnosis | AwsDiagnosis;

/** Whether nothing has failed; warnings and skipped checks are no failures. */
export function isSound({ checks }: Diagnosis): boolean {
  return checks.every(({ status }) => status !== 'failed');
}

export function ok(name: CheckName, message: string, latencyMs?: number): Check {
  return { name, status: 'ok', ...timed(latencyMs), message };
}

export function warning(name: CheckName, message: string, remedy: string, latencyMs?: number): Check {
  return { name, status: 'warning', ...timed(latencyMs), message, remedy };
}

export function failed(name: CheckName, message: string, remedy: string, latencyMs?: number): Check {
  return { name, status: 'failed', ...timed(latencyMs), message, remedy };
}

export function skipped(name: CheckName, message: string): Check {
  return { name, status: 'skipped', message };
}

/** A message of another part, `cannot <verb> <what>: <cause>; <remedy>`, as a check. */
export function told(
  name: CheckName,
  status: 'warning' | 'failed',
  sentence: string,
  latencyMs?: number,
): Check {
  const at = sentence.lastIndexOf('; ');
  const parts =
    at < 0 ? { message: sentence } : { message: sentence.slice(0, at), remedy: sentence.slice(at + 2) };
  return { name, status, ...timed(latencyMs), ...parts };
}

function timed(latencyMs: number | undefined): { readonly latencyMs?: number } {
  return latencyMs === undefined ? {} : { latencyMs };
}
