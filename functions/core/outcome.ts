/**
 * What the world can do to a run, as closed unions of codes. The same words stand in code, logs, metrics and docs.
 * What only this program can do wrong is an assertion, kept on in production.
 */

/** Why a scrape yielded no page. A failed scrape is an empty scrape: `up` is 0 and nothing else moves (D10). */
export type ScrapeFailureCode =
  /** Name resolution, refused connection, unreachable host, connection closed before an answer. */
  | 'connect'
  /** No complete answer within the scrape timeout or the run's own time. */
  | 'timeout'
  /** A private address did not answer, and the function is in no VPC: it cannot. */
  | 'private_target_without_vpc'
  /** Certificate or handshake. */
  | 'tls'
  /** A secret that the target's options refer to is not there yet. */
  | 'waiting_for_secret'
  /** A secret that could not be read, may not be read, or is none that the request can carry. */
  | 'secret'
  /** Any status but 200. */
  | 'status'
  /** A redirect that may not or cannot be followed, or too many of them. */
  | 'redirect'
  /** The body, after gunzip, reached the byte limit. */
  | 'body_size_limit'
  /** gzip that does not unpack, or a body that ended early. */
  | 'body'
  /** An HTML or JSON page, a binary body: no exposition format. */
  | 'not_exposition'
  /** More samples than `sample_limit`. */
  | 'sample_limit'
  /** A sample beyond `label_limit`, `label_name_length_limit` or `label_value_length_limit`. */
  | 'label_limit'
  /** Its process may be another pod's: it began after the pod was listed, or the page ends before it says (D11). */
  | 'another_process'
  /** The baseline of this page would not fit one DynamoDB item. */
  | 'state_too_large'
  /** A program error met on this page: only this target is left out. */
  | 'bug'
  /** The stored baseline could not be read: a newer format or damaged bytes. Never overwritten. */
  | 'state_unreadable'
  /** The store did not answer for this target: it is skipped, nothing is guessed. */
  | 'state_unread';

/** Why increments or samples were not turned into data points. A closed list; the first two are the Collector's words. */
export type DropReason =
  /** First sight of a series: a baseline, nothing sent (D5, D6). */
  | 'initial'
  /** Other bounds under the same name and labels without a restart: no honest bucket delta exists (D7). */
  | 'bucket_mismatch'
  /** Another process answered on the same address: no deltas from this page (D8). */
  | 'replica_flip'
  /** NaN or infinite where Dynatrace takes finite numbers only. */
  | 'nan'
  /** DCGM's own mark for a field that it does not know. */
  | 'blank'
  /** A counter below zero. */
  | 'negative'
  /** A histogram without count or sum, with falling or fractional buckets, or a bad bound. */
  | 'invalid_histogram'
  /** The same series a second time on one page: the first one counts. */
  | 'duplicate'
  /** Not sent by choice: `preset`, `include` and `exclude` of the job. */
  | 'filtered'
  /** More than 50 dimensions, or a name of which nothing valid is left: Dynatrace would refuse it. */
  | 'unsendable'
  /** Owed by a target that vanished longer ago than `max_staleness` (D4). */
  | 'given_up'
  /** A gauge that Dynatrace refused as malformed, waiting for its next try (D12). */
  | 'suspect'
  /** A gauge whose body was not accepted: gauges are instantaneous and not replayed. */
  | 'gauge_not_delivered';

/** Told of each sample, series or point that is dropped, by its text; runs count only, a forecast shows examples. */
export type DropWitness = (reason: DropReason, series: string) => void;

/** What became of one body. */
export type ExportOutcome =
  /** 2xx: accepted, whatever the answer's body says; a warning is for people. */
  | { readonly code: 'accepted'; readonly warning?: string }
  /** 2xx with a partial success: what it rejects is lost for good and counted, never sent again. */
  | { readonly code: 'partial'; readonly rejectedPoints: number; readonly message: string }
  /** 400: malformed, or every metric in it invalid. Stays pending. */
  | { readonly code: 'malformed'; readonly message: string }
  /** 413: too large; the body is halved and sent again. */
  | { readonly code: 'too_large'; readonly message: string }
  /** 401, 402, 403, 404, 415 and other 4xx: refused as a whole, stays pending. */
  | { readonly code: 'refused'; readonly status: number; readonly message: string }
  /** 429, 503, or an error before the body was sent, still so after the retries: stays pending. */
  | { readonly code: 'retry'; readonly message: string }
  /** 408, 500, 502, 504, other 5xx, or silence after the first body byte: perhaps accepted, perhaps not (D2). */
  | { readonly code: 'unknown'; readonly message: string }
  /** No API token yet: as under 503. */
  | { readonly code: 'waiting_for_token'; readonly message: string }
  /** No endpoint yet: as under 503. */
  | { readonly code: 'waiting_for_endpoint'; readonly message: string };

/** For a person who reads the state: the code, and where nothing was accepted why, and what to do. */
export function describeOutcome(outcome: ExportOutcome): string {
  if (outcome.code === 'accepted' || outcome.code === 'partial') return outcome.code;
  return `${outcome.code}: ${outcome.message}`;
}

export type ExportCode = ExportOutcome['code'];

/** What became of one conditional write. */
export type CommitOutcome =
  | { readonly code: 'committed' }
  /** Someone else wrote this item since it was read: counted, nothing guessed. */
  | { readonly code: 'conflict' }
  | { readonly code: 'failed'; readonly message: string };

/** A program error: something that no answer of the world can cause. */
export class Bug extends Error {
  override readonly name = 'Bug';
}

/** Asserts what only this program can break. Stays on in production. */
export function assert(condition: boolean, sentence: string): asserts condition {
  if (!condition) throw new Bug(`BUG: ${sentence}`);
}

/** Closes a switch over a closed union. */
export function unreachable(value: never): never {
  throw new Bug(`BUG: unreachable value ${JSON.stringify(value)}`);
}
