/** Middleware: what a handler throws is a program error, and one structured line says so before Lambda counts it. */
import type { MiddlewareObj } from '@middy/core';
import type { Log } from './log.ts';

export function logBugs(log: Log): MiddlewareObj {
  return {
    onError: ({ error }) => {
      log.error('bug', { problem: String(error), stack: error instanceof Error ? error.stack : undefined });
    },
  };
}
