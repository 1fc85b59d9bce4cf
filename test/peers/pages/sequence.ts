/** One NIM 1.x as four scrapes saw it, in order; made by make-pages.py. */
import { join } from 'node:path';

export const SEQUENCE: readonly string[] = [
  '1-before-first-request',
  '2-first-requests',
  '3-first-failures',
  '4-after-restart',
].map((name) => join(import.meta.dirname, `${name}.prom`));
