/** What a page would send, in the words of a person who is about to deploy. */
import type { DataPoint } from '../model.ts';
import type { DropReason, ScrapeFailureCode } from '../outcome.ts';

/** What one target would send to Dynatrace, run after run, while its page has the series that it has now. */
export interface Forecast {
  readonly code: 'forecast';
  readonly page: PageFacts;
  /** Every metric that goes out, by name; `up` and the `scrape_*` gauges are among them. */
  readonly metrics: readonly ForecastMetric[];
  /** What does not go out, by reason; the reasons in the order in which they were met. */
  readonly dropped: readonly ForecastDrop[];
  /** What is sent otherwise than the page has it, since Dynatrace would refuse it or change it without a word. */
  readonly altered: readonly Alteration[];
  /** Alterations in all; `altered` holds no more than MAX_ALTERATIONS of them. */
  readonly alterations: number;
  /** Points of the settings as given, and as they would be with each preset in its place. */
  readonly points: Readonly<Record<'given' | 'core' | 'default' | 'all', PointsPerMinute>>;
  /** Of the product's own metrics: once per shard of targets that are like this one, not once per target. */
  readonly selfPointsPerMinute: number;
  /** What a person should know or do, the weightiest first. */
  readonly warnings: readonly ForecastWarning[];
}

/** The page could not be used: `up` would be 0, and nothing else would be sent. `message` says why and what to do. */
export interface Unusable {
  readonly code: UnusableCode;
  readonly message: string;
}

export type UnusableCode = Extract<
  ScrapeFailureCode,
  'not_exposition' | 'sample_limit' | 'label_limit' | 'body_size_limit' | 'state_too_large' | 'bug'
>;

/** The page itself, before anything is done to it. */
export interface PageFacts {
  readonly format: 'text' | 'openmetrics';
  readonly bytes: number;
  readonly samples: number;
  /** Names of its families, those without a sample among them, sorted. */
  readonly families: readonly string[];
  /** Those of which only comments stand there: labelled series of a NIM 1.x begin with its first request. */
  readonly familiesWithoutSamples: readonly string[];
  /** Values of the labels `model_name` and `model`, sorted; at most MAX_MODELS. */
  readonly models: readonly string[];
  /** `process_start_time_seconds`, in milliseconds; undefined where the page does not tell it. */
  readonly processStartMs: number | undefined;
  /** Lines that could not be read, and the first few of them; the others are taken. */
  readonly refused: {
    readonly lines: number;
    readonly examples: readonly { readonly line: number; readonly cause: string }[];
  };
}

export interface ForecastMetric {
  /** As Dynatrace stores it. */
  readonly name: string;
  /** As Dynatrace shows it. */
  readonly type: DataPoint['kind'];
  /** UCUM; empty where nothing tells it. */
  readonly unit: string;
  /** Points of one run: series that Dynatrace tells apart. */
  readonly series: number;
  /** Dimensions of its points, sorted, those of the resource not counted. */
  readonly dimensions: readonly string[];
  /** Names of the families on the page that it comes of, sorted; none: it is this product's own. */
  readonly sources: readonly string[];
}

export interface ForecastDrop {
  /** `relabelled`: by `metric_relabel_configs` of the job. The others are those of the reports. */
  readonly reason: DropReason | 'relabelled';
  /** Samples, or series where what is dropped is a whole histogram or a point. */
  readonly count: number;
  /** The first MAX_EXAMPLES, as the page names them; each at most MAX_EXAMPLE_LENGTH characters. */
  readonly examples: readonly string[];
}

export interface Alteration {
  readonly kind:
    /** Characters that a metric key may not have, or too many of them. */
    | 'metric_name'
    /** Of a label. Capital letters are lowered, other characters replaced. */
    | 'dimension_key'
    /** Longer than 255 characters: cut, with a hash of the whole at its end. */
    | 'dimension_value'
    /** Two labels of one series become one dimension; the first is sent. */
    | 'dimension_clash'
    /** A `# UNIT` that is not ASCII, or too long: no unit is sent. */
    | 'unit'
    /** Longer than 1,023 characters: cut. */
    | 'description'
    /** Buckets below zero are added to the next one. */
    | 'negative_bounds'
    /** Neighbouring buckets are added up: `max_buckets`. */
    | 'buckets';
  readonly from: string;
  readonly to: string;
  /** The series of the page on which it was first met. */
  readonly example: string;
}

/** At one run a minute, or at the target's interval where that is longer. */
export interface PointsPerMinute {
  /** Exact while the page has these series, busy or idle; with `skip_unchanged` an upper bound. */
  readonly perMinute: number;
  /** With `skip_unchanged` and no traffic at all: gauges, and the rest once per heartbeat. A lower bound. */
  readonly idlePerMinute: number;
}

export interface ForecastWarning {
  readonly code: WarningCode;
  /** A sentence or two: what it is, what follows, what to do. */
  readonly message: string;
}

export type WarningCode =
  /** HTTP did not tell the page's end. */
  | 'page_cut'
  | 'refused_lines'
  /** Two series that Dynatrace could not tell apart. */
  | 'collision'
  /** More points than `points_budget`. */
  | 'points_over_budget'
  /** Nothing of the page is sent. */
  | 'nothing_sent'
  /** Metrics of Dynatrace's NIM page without `model_name`: its dashboard splits by it. */
  | 'model_name_missing'
  /** A metric with more series than MANY_SERIES. */
  | 'many_series'
  /** No `process_start_time_seconds`: restarts are told by values alone (D7, D8). */
  | 'no_process_start'
  /** Families that have no sample yet: points grow with the first request. */
  | 'families_without_samples'
  /** Within a fifth of `sample_limit` or `body_size_limit`. */
  | 'near_limit';

/** Series named as examples of one reason: enough to see a pattern. */
export const MAX_EXAMPLES = 3;
/** Characters of an example; a name and the labels of any page that people write fit. */
export const MAX_EXAMPLE_LENGTH = 300;
/** Alterations told one by one; a page with more of them has the same few over and over. */
export const MAX_ALTERATIONS = 50;
/** Part of a limit from which on it is said. */
export const NEAR_LIMIT = 0.8;
/** Models named of one page; a NIM serves one, and its LoRA adapters. */
export const MAX_MODELS = 20;
/** Series of one metric and target: a thousand such targets reach Dynatrace's 1,000,000 tuples of a metric. */
export const MANY_SERIES = 1_000;
