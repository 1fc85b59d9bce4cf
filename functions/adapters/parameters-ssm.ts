/** Configuration in SSM Parameter Store: the target documents, the Dynatrace endpoint and the API token. */
import {
  GetParameterCommand,
  GetParameterHistoryCommand,
  GetParametersByPathCommand,
  ParameterNotFound,
} from '@aws-sdk/client-ssm';
import type { Parameter, SSMClient } from '@aws-sdk/client-ssm';
import type { Clock } from '../core/ports.ts';
import { tokenNameOf } from '../core/secrets.ts';
import { awsFailure } from './aws-failure.ts';
import { signalAt } from './clock.ts';
import { type ParameterValue, READ_TIMEOUT_MS, TOKEN_MAX_AGE_MS, createReader } from './remembered.ts';

/** GetParametersByPath: at most ten parameters a page (SSM API reference, `MaxResults`). */
const PAGE_SIZE = 10;

/**
 * 5,000 documents on full pages: 12 s of the 40 reads a second that an account is given (SSM quotas,
 * throughput).
 */
export const MAX_PAGES = 500;

/** GetParameterHistory: at most 50 versions a page, the oldest first. */
const HISTORY_PAGE_SIZE = 50;

/** The 100 versions that SSM keeps are two full pages; SSM may cut pages short, or send empty ones. */
export const MAX_HISTORY_PAGES = 20;

/** How soon an edit is seen; at one tick a minute, with every tick. */
const ENDPOINT_MAX_AGE_MS = 60_000;

/** One parameter below `<prefix>/targets`, as stored. */
export interface TargetDocument {
  /** The whole path; its last segment is the default job name. */
  readonly name: string;
  /** Not decrypted: a SecureString is cipher text here, which `type` tells. */
  readonly value: string;
  /** Rises by one with each edit. */
  readonly version: number;
  readonly type: 'String' | 'StringList' | 'SecureString';
  /** Of two documents that contradict each other the one that was changed last is refused. */
  readonly modifiedAtMs?: number;
}

/** All documents, sorted by name, or none of them: after half a list nobody may be declared gone. */
export type TargetDocuments =
  | { readonly code: 'read'; readonly documents: readonly TargetDocument[] }
  | { readonly code: 'failed'; readonly message: string };

/** The versions of one document that SSM keeps, newest first; none where the document is gone. */
export type DocumentVersions =
  | { readonly code: 'read'; readonly versions: readonly TargetDocument[] }
  | { readonly code: 'failed'; readonly message: string };

/** Nothing here throws for what SSM does. */
export interface Parameters {
  readonly targetDocuments: (deadlineMs: number) => Promise<TargetDocuments>;
  /**
   * What stood in a document before, by its whole path; the current version comes too. Not decrypted. For broken
   * documents only: SSM's reads are shared with everyone in the account.
   */
  readonly earlierVersions: (name: string, deadlineMs: number) => Promise<DocumentVersions>;
  /** `<prefix>/endpoint`, at most a minute old. */
  readonly endpoint: (deadlineMs: number) => Promise<ParameterValue>;
  /**
   * The API token, decrypted and at most five minutes old; `fresh` after Dynatrace refused the one before.
   */
  readonly token: (fresh: boolean, deadlineMs: number) => Promise<ParameterValue>;
}

interface ParametersDeps {
  readonly client: SSMClient;
  /** Such as `/nim-to-dynatrace`, without a slash at its end. */
  readonly prefix: string;
  readonly clock: Clock;
  /** Default: `<prefix>/secrets/dt-api-token`. */
  readonly tokenName?: string;
}

export function createParameters(deps: ParametersDeps): Parameters {
  const reader = (name: string, maxAgeMs: number) =>
    createReader(deps.clock, maxAgeMs, (deadlineMs) => readParameter(deps, name, deadlineMs));
  const endpoint = reader(`${deps.prefix}/endpoint`, ENDPOINT_MAX_AGE_MS);
  const token = reader(deps.tokenName ?? tokenNameOf(deps.prefix), TOKEN_MAX_AGE_MS);
  return {
    targetDocuments: (deadlineMs) => readTargetDocuments(deps, deadlineMs),
    earlierVersions: (name, deadlineMs) => readVersions(deps, name, deadlineMs),
    endpoint: (deadlineMs) => endpoint(false, deadlineMs),
    token,
  };
}

async function readTargetDocuments(deps: ParametersDeps, deadlineMs: number): Promise<TargetDocuments> {
  const path = `${deps.prefix}/targets`;
  const what = `read the parameters below ${path}`;
  const signal = signalAt(deps.clock, deadlineMs);
  // By name: a list that changes between two pages may show a parameter twice.
  const documents = new Map<string, TargetDocument>();
  let nextToken: string | undefined;
  try {
    for (let page = 0; page < MAX_PAGES; page += 1) {
      // Only a missing NextToken ends the list: a page may be short or empty and still not be the last one.
      const answer = await deps.client.send(
        new GetParametersByPathCommand({
          Path: path,
          Recursive: true,
          MaxResults: PAGE_SIZE,
          NextToken: nextToken,
        }),
        { abortSignal: signal },
      );
      for (const stored of answer.Parameters ?? []) documents.set(stored.Name ?? '', documentOf(stored));
      nextToken = answer.NextToken;
      if (nextToken === undefined || nextToken === '') {
        return { code: 'read', documents: [...documents.values()].sort(byName) };
      }
    }
  } catch (error) {
    return { code: 'failed', message: awsFailure(what, error) };
  }
  return {
    code: 'failed',
    message: `cannot ${what}: more than ${MAX_PAGES} pages; join some documents into one`,
  };
}

/** The newest come last, so half a history is of no use. */
async function readVersions(
  { client, clock }: ParametersDeps,
  name: string,
  deadlineMs: number,
): Promise<DocumentVersions> {
  const what = `read the history of the parameter ${name}`;
  const signal = signalAt(clock, deadlineMs);
  // By version: an edit between two pages may move what they hold.
  const versions = new Map<number, TargetDocument>();
  let nextToken: string | undefined;
  try {
    for (let page = 0; page < MAX_HISTORY_PAGES; page += 1) {
      const answer = await client.send(
        new GetParameterHistoryCommand({
          Name: name,
          WithDecryption: false,
          MaxResults: HISTORY_PAGE_SIZE,
          NextToken: nextToken,
        }),
        { abortSignal: signal },
      );
      for (const stored of answer.Parameters ?? []) versions.set(stored.Version ?? 0, documentOf(stored));
      nextToken = answer.NextToken;
      if (nextToken === undefined || nextToken === '') {
        return { code: 'read', versions: [...versions.values()].sort((a, b) => b.version - a.version) };
      }
    }
  } catch (error) {
    if (error instanceof ParameterNotFound) return { code: 'read', versions: [] };
    return { code: 'failed', message: awsFailure(what, error) };
  }
  return {
    code: 'failed',
    message: `cannot ${what}: more than ${MAX_HISTORY_PAGES} pages; correct the document, or put it under another name`,
  };
}

function documentOf({
  Name = '',
  Value = '',
  Version = 0,
  Type = 'String',
  LastModifiedDate: modifiedAt,
}: Parameter): TargetDocument {
  const document = { name: Name, value: Value, version: Version, type: Type };
  return modifiedAt === undefined ? document : { ...document, modifiedAtMs: modifiedAt.getTime() };
}

async function readParameter(
  { client, clock }: ParametersDeps,
  name: string,
  deadlineMs: number,
): Promise<ParameterValue> {
  const signal = signalAt(clock, Math.min(deadlineMs, clock.monotonicMs() + READ_TIMEOUT_MS));
  try {
    // WithDecryption is ignored for parameters that are not secure.
    const command = new GetParameterCommand({ Name: name, WithDecryption: true });
    const answer = await client.send(command, { abortSignal: signal });
    // A value pasted from a terminal or written by echo ends in a newline.
    const value = (answer.Parameter?.Value ?? '').trim();
    return value === '' ? { code: 'absent' } : { code: 'read', value };
  } catch (error) {
    if (error instanceof ParameterNotFound) return { code: 'absent' };
    return { code: 'failed', message: awsFailure(`read the parameter ${name}`, error) };
  }
}

function byName(one: TargetDocument, other: TargetDocument): number {
  return one.name < other.name ? -1 : 1;
}
