/** The network between a worker and the targets: whoever is at the address now answers, if nothing befalls it. */
import type { Scrape } from '../../functions/core/ports.ts';
import type { VirtualTime } from '../fakes/virtual-time.ts';
import type { Mischief } from './mischief.ts';
import { ownerOfKey } from './names.ts';
import { type Place, isAt, isItsOwn, living, pageOf } from './places.ts';
import type { Book, Run } from './runs.ts';

interface ScrapingDeps {
  readonly places: readonly Place[];
  readonly mischief: Mischief;
  readonly book: Book;
  readonly time: VirtualTime;
  readonly tickMs: () => number;
}

/** The scrape port of one run; `die` ends its worker. */
export function createScrape(
  run: Run,
  die: () => Promise<never>,
  { places, mischief, book, time, tickMs }: ScrapingDeps,
): Scrape {
  const { clock } = time;
  return async (target, deadlineMs) => {
    const place = living(places).find(({ address }) => address === target.address);
    const how = place && mischief.note(mischief.take('scrape', isAt(living(places), place.id)));
    if (how === 'kills') return die();
    if (how === 'hangs') await time.sleepUntil(Math.min(deadlineMs, clock.monotonicMs() + target.timeoutMs));
    if (how === 'hangs' || how === 'connect' || place === undefined)
      return { code: how === 'hangs' ? 'timeout' : 'connect', message: 'as simulated' };
    if (how === 'html')
      return { code: 'page', body: bytes('<html></html>\n'), path: '/v1/metrics', complete: true };
    const owner = ownerOfKey(target.key);
    const nowMs = clock.wallMs();
    const page = pageOf(place, places, mischief, {
      tickMs: tickMs(),
      nowMs,
      known: book.accounts.get(owner)?.known,
    });
    if (owner !== place.id) mischief.happened('another pod answers');
    // D11: another's page is to be told from its own; an empty one says nothing to anyone.
    if (isItsOwn(page, target, nowMs) && (owner === place.id || page.series.length === 0))
      book.scraped(run, owner, page);
    const dated = place.nim.kind.aheadS === undefined ? {} : { dateMs: page.scrapedAtMs };
    const complete = page.torn !== 'all';
    return { code: 'page', body: bytes(page.text), path: '/v1/metrics', complete, ...dated };
  };
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
