/** The nouns of the field, as readonly types. Imports nothing but other nouns. */
import type { ScrapeSettings } from './scrape-config.ts';

export type { InitialValue } from './scrape-config.ts';

/** Label names and values in turn, sorted by name; an empty value is no label (Prometheus data model). */
export type Labels = readonly string[];

/**
 * One time series as the page names it. Instances are interned by a SeriesTable: equal series are the same object,
 * so a Map keyed by Series needs no text comparison.
 */
export interface Series {
  readonly name: string;
  readonly labels: Labels;
  /** Of a series as it stands on a page: names of labels with an empty value, which are none (`honor_labels`). */
  readonly emptied?: readonly string[];
  /** Canonical text, `name{a="x",b="y"}`: the identity of D11 and the form in which the baseline stores it. */
  readonly key: string;
}

/** TYPE of a metric family as the page states it; `unknown` where there is no TYPE line. */
export type FamilyType =
  'counter' | 'gauge' | 'histogram' | 'summary' | 'info' | 'stateset' | 'gaugehistogram' | 'unknown';

/** Kinds of cumulative series. A histogram or summary is one unit: it restarts and is sent as a whole. */
export type CumulativeKind = 'counter' | 'histogram' | 'summary';

/** What tells one target from another (D11). */
export interface TargetIdentity {
  readonly job: string;
  readonly instance: string;
  readonly scheme: 'http' | 'https';
  /** host:port as configured; an IPv6 host in brackets. */
  readonly address: string;
  /** As configured; empty: `/v1/metrics`, and `/metrics` when that answers 404. */
  readonly path: string;
  readonly params: readonly (readonly [name: string, value: string])[];
}

/** One scraped process, and the settings of its job that the worker needs. All of it travels in the queue message. */
export interface Target extends TargetIdentity, ScrapeSettings {
  /** The identity as text: partition key of its state item. */
  readonly key: string;
  /** The target's own labels but job and instance. */
  readonly labels: Labels;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Of a pod: when the list that names it was asked for, on the wall. Its address may be another's since. */
  readonly listedAtMs?: number;
}

/** Attributes of a resource or a data point: strings only, as Dynatrace stores dimensions. */
export type Attributes = Readonly<Record<string, string>>;

interface PointBase {
  readonly name: string;
  /** UCUM, ASCII; empty when the page does not say. */
  readonly unit: string;
  readonly description: string;
  readonly attributes: Attributes;
  /** End of the window: the run's tick, not a clock reading. */
  readonly timeMs: number;
}

/** The increase of a counter over (startMs, timeMs]. */
export interface CounterPoint extends PointBase {
  readonly kind: 'counter';
  readonly startMs: number;
  readonly value: number;
}

/** A reading at timeMs. */
export interface GaugePoint extends PointBase {
  readonly kind: 'gauge';
  readonly value: number;
}

/** The observations of a histogram over (startMs, timeMs]. */
export interface HistogramPoint extends PointBase {
  readonly kind: 'histogram';
  readonly startMs: number;
  readonly count: number;
  readonly sum: number;
  /** Upper bounds, strictly rising, finite; the last bucket has none. */
  readonly bounds: readonly number[];
  /** One count per bucket, not cumulative; one longer than bounds. */
  readonly buckets: readonly number[];
}

export type DataPoint = CounterPoint | GaugePoint | HistogramPoint;

/** Data points of one target under one resource. */
export interface ResourcePoints {
  readonly resource: Attributes;
  readonly points: readonly DataPoint[];
}
