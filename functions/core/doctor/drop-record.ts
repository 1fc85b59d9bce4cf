/** What is dropped on the way, by reason, with a few examples for people. */
import type { Page } from '../exposition.ts';
import type { Series } from '../model.ts';
import type { DropWitness } from '../outcome.ts';
import type { PageViews } from '../page-view.ts';
import { type ForecastDrop, MAX_EXAMPLES, MAX_EXAMPLE_LENGTH } from './forecast-model.ts';

interface Counted {
  count: number;
  readonly examples: string[];
}

export interface DropRecord {
  readonly witness: DropWitness;
  /** All that was witnessed, and the samples that `metric_relabel_configs` dropped, which come first. */
  readonly dropped: (raw: Page, views: PageViews) => readonly ForecastDrop[];
}

export function createDropRecord(): DropRecord {
  const relabelled: Counted = { count: 0, examples: [] };
  const reasons = new Map<ForecastDrop['reason'], Counted>([['relabelled', relabelled]]);
  return {
    witness: (reason, key) => {
      const counted = reasons.get(reason) ?? { count: 0, examples: [] };
      reasons.set(reason, counted);
      count(counted, key);
    },
    dropped: (raw, views) => {
      for (const { key } of relabelledOf(raw, views)) count(relabelled, key);
      return [...reasons]
        .filter(([, counted]) => counted.count > 0)
        .map(([reason, counted]) => ({ reason, ...counted }));
    },
  };
}

function count(counted: Counted, key: string): void {
  counted.count++;
  if (counted.examples.length < MAX_EXAMPLES) counted.examples.push(exampleOf(key));
}

export function exampleOf(key: string): string {
  return key.length <= MAX_EXAMPLE_LENGTH ? key : `${key.slice(0, MAX_EXAMPLE_LENGTH - 3)}...`;
}

function relabelledOf({ series }: Page, views: PageViews): readonly Series[] {
  return series.filter((one) => [...views.values()].some(({ bySeries }) => bySeries.get(one) === null));
}
