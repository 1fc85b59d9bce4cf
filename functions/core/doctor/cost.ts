/**
 * Points a minute -> points a year -> money. What a point costs is an estimate: Dynatrace's list price differs by rate
 * card, and no page of its documentation names one. What a point is, is documented.
 */
import type { DataPoint } from '../model.ts';

/** Of a year of 365 days, as Dynatrace's licence pages count it: one metric each minute is 525,600 points a year. */
export const MINUTES_PER_YEAR = 525_600;

/**
 * Data points billed for one point of ours (docs.dynatrace.com, "Metrics powered by Grail overview (DPS)" and "Metric cost
 * calculation"). One metric, one tuple of dimensions, one report is one data point; dimensions cost nothing by
 * themselves. For histograms only the documentation of Managed says so ("Monitor Prometheus metrics": like one count or
 * gauge, buckets not billed separately); that of SaaS names no number.
 */
export const BILLED_POINTS: Readonly<Record<DataPoint['kind'], number>> = {
  counter: 1,
  gauge: 1,
  histogram: 1,
};

/** US dollars for 100,000 data points: what is commonly quoted as list price, not verified; see your rate card. */
export const LIST_PRICE_PER_100K = 0.15;

/** What an estimate rests on, for people. */
export const COST_ASSUMPTIONS = [
  'one run a minute, all year, with the series that the page has now',
  'one point is one billed data point, a histogram too: Dynatrace documents that for Managed, not for SaaS',
  `${LIST_PRICE_PER_100K} US dollars per 100,000 points, a list price that nobody promises; see your rate card`,
] as const;

export interface Cost {
  /** Whole points. */
  readonly pointsPerYear: number;
  /** US dollars, an estimate, in cents. */
  readonly dollarsPerYear: number;
}

/** `dollarsPer100k`: the price of the rate card, for 100,000 points. */
export function costOf(pointsPerMinute: number, dollarsPer100k: number = LIST_PRICE_PER_100K): Cost {
  const pointsPerYear = Math.round(pointsPerMinute * MINUTES_PER_YEAR);
  const cents = Math.round((pointsPerYear / 100_000) * dollarsPer100k * 100);
  return { pointsPerYear, dollarsPerYear: cents / 100 };
}
