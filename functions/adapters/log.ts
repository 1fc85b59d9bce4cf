/** The one printer: structured JSON lines by Powertools' Logger, without bodies and without secrets. */
import { Logger } from '@aws-lambda-powertools/logger';
import { REDACTED, withoutTokens } from '../core/redaction.ts';

/** Everything the log can say. What a person searches for: these words stand in the docs as well. */
export type LogEvent =
  // dispatch
  | 'dispatch_finished'
  | 'documents_unread'
  | 'owing_unread'
  | 'document_invalid'
  | 'targets_unread'
  | 'staleness_too_short'
  | 'targets_over_limit'
  | 'messages_unsent'
  | 'tick_unrecorded'
  // scrape
  | 'run_finished'
  | 'run_skipped'
  | 'claim_failed'
  | 'message_invalid'
  | 'target_failed'
  | 'lines_refused'
  | 'replica_flip'
  | 'series_suspected'
  | 'points_over_budget'
  | 'pending_given_up'
  | 'export_failed'
  | 'export_partial'
  | 'export_warning'
  | 'series_collided'
  | 'commit_failed'
  // both
  | 'waiting_for_token'
  | 'waiting_for_endpoint'
  | 'parameter_unread'
  | 'doctor_answered'
  | 'bug';

/** A field's value; absent fields are left out. */
export type LogValue = string | number | boolean | undefined | readonly LogValue[] | LogRecord;

export interface LogRecord {
  readonly [name: string]: LogValue;
}

/** Names in camelCase, unit last. The names that every line already has are not free. */
export type LogFields = LogRecord & {
  readonly level?: never;
  readonly message?: never;
  readonly service?: never;
  readonly timestamp?: never;
  readonly sampling_rate?: never;
};

export type LogLevel = 'DEBUG' | 'INFO' | 'WARN' | 'ERROR';

/** One line per call; `info` to standard output, the others to standard error. */
export interface Log {
  readonly info: (event: LogEvent, fields?: LogFields) => void;
  readonly warn: (event: LogEvent, fields?: LogFields) => void;
  readonly error: (event: LogEvent, fields?: LogFields) => void;
}

const SECRET_NAME = /token|authorization|password|passwd|secret|credential|api[-_]?key|cookie/i;

/**
 * The event is the line's `message`. Level: `level`, else Powertools' and Lambda's own variables, else INFO.
 */
export function createLog(options: { readonly service: string; readonly level?: LogLevel }): Log {
  const logger = new Logger({
    serviceName: options.service,
    ...(options.level === undefined ? {} : { logLevel: options.level }),
    jsonReplacerFn: redact,
  });
  return {
    info: (event, fields = {}) => logger.info(event, fields),
    warn: (event, fields = {}) => logger.warn(event, fields),
    error: (event, fields = {}) => logger.error(event, fields),
  };
}

function redact(name: string, value: unknown): unknown {
  // Always 0 here: bytes on every line that say nothing.
  if (name === 'sampling_rate') return undefined;
  if (value !== undefined && SECRET_NAME.test(name)) return REDACTED;
  return typeof value === 'string' ? withoutTokens(value) : value;
}
