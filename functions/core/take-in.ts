/** A page that came -> what it tells, held against what is known of its target: every pure stage before the points. */
import type { Baseline } from './baseline.ts';
import { encodeBaseline } from './baseline-format.ts';
import { MAX_TRACKED_SERIES, type Observation, observe } from './delta.ts';
import { MAX_PAGE_SAMPLES, type Page, parseExposition } from './exposition.ts';
import { type Families, groupFamilies } from './families.ts';
import type { Target } from './model.ts';
import type { DropWitness, ScrapeFailureCode } from './outcome.ts';
import { readingOf, viewPage } from './page-view.ts';
import type { Memory } from './point-names.ts';
import type { ScrapeResult } from './ports.ts';
import { shapeOf } from './targets.ts';
import type { ShardWork } from './work.ts';

export type ScrapedPage = Extract<ScrapeResult, { readonly code: 'page' }>;

export interface Taken extends Observation {
  readonly code: 'taken';
  /** As the target shows it. */
  readonly raw: Page;
  readonly families: Families;
  readonly samplesPostRelabeling: number;
}

/** Why a page is as good as none. */
export interface NotTaken {
  readonly code: Extract<
    ScrapeFailureCode,
    'not_exposition' | 'sample_limit' | 'label_limit' | 'state_too_large' | 'bug'
  >;
  readonly message: string;
}

/**
 * Takes in a whole page; series that it no longer shows are forgotten if there is no room for them (`fits`). A program
 * error that one page brings about must not stop the others.
 */
export function takeIn(
  { target, baseline }: { readonly target: Target; readonly baseline: Baseline | undefined },
  { body, path, complete }: ScrapedPage,
  scrapedAtMs: number,
  { tickMs, maxStalenessMs }: Pick<ShardWork, 'tickMs' | 'maxStalenessMs'>,
  fits: (baseline: Uint8Array) => boolean,
  { table, views }: Memory,
  witness?: DropWitness,
): Taken | NotTaken {
  try {
    const parsed = parseExposition(body, table, MAX_PAGE_SAMPLES, complete);
    if (parsed.code !== 'page') return parsed;
    const raw = parsed.page;
    const viewed = viewPage(raw, target, table, views);
    if (viewed.code !== 'page') return viewed;
    const families = groupFamilies(viewed.page, table, kindsOf(baseline), raw, witness);
    const facts = {
      tickMs,
      scrapedAtMs,
      shape: shapeOf(path, raw.format, readingOf(target)),
      samples: raw.values.length,
      intervalMs: target.intervalMs,
      maxStalenessMs,
      initialValue: target.initialValue,
    };
    const samplesPostRelabeling = viewed.page.values.length;
    for (const maxSeries of [MAX_TRACKED_SERIES, 0]) {
      const observation = observe(baseline, families, { ...facts, maxSeries });
      if (fits(encodeBaseline(observation.baseline)))
        return { code: 'taken', raw, families, samplesPostRelabeling, ...observation };
    }
    return {
      code: 'state_too_large',
      message: 'cannot keep the baseline: it exceeds one DynamoDB item; scrape fewer series',
    };
  } catch (error) {
    return { code: 'bug', message: String(error) };
  }
}

/** A lost TYPE line changes nothing: what was cumulative stays so (D11). */
function kindsOf(baseline: Baseline | undefined) {
  return new Map([...(baseline?.series.values() ?? [])].map(({ series, kind }) => [series.name, kind]));
}
