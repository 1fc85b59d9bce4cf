/** Why something of a page is not sent, in the words that a person at the terminal reads. */
import type { DropReason } from '../core/outcome.ts';

/** Not by choice: `filtered` is not among them. */
export const NOT_SENT: Readonly<Record<Exclude<DropReason, 'filtered'>, string>> = {
  initial: 'first sight: a baseline, and what is counted from now on is sent',
  bucket_mismatch: 'other bounds than before: a new baseline',
  replica_flip: 'another process answered: scrape each replica by its own address',
  nan: 'NaN or infinite',
  blank: 'DCGM does not know it',
  negative: 'a counter below zero',
  invalid_histogram: 'not whole in itself',
  duplicate: 'twice on the page: the first one counts',
  unsendable: 'a name or labels that Dynatrace does not take',
  given_up: 'owed by a target that vanished too long ago',
  suspect: 'refused by Dynatrace as malformed, until the next try',
  gauge_not_delivered: 'a reading of a moment is not sent later',
};
