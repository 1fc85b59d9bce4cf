/** The gauges that every scrape reports of itself, under Prometheus' names; a failed scrape has them too. */

/** One of the gauges that every scrape reports of itself. */
export interface ReportGauge {
  readonly name: string;
  readonly unit: string;
  readonly help: string;
  readonly value: number;
}

export interface ScrapeReport {
  readonly up: boolean;
  readonly durationMs: number;
  readonly samples: number;
  readonly samplesPostRelabeling: number;
  readonly seriesAdded: number;
}

/** `up` and the `scrape_*` gauges. */
export function reportGauges(report: ScrapeReport): readonly ReportGauge[] {
  return [
    { name: 'up', unit: '', help: 'The scraping was successful', value: report.up ? 1 : 0 },
    {
      name: 'scrape_duration_seconds',
      unit: 'seconds',
      help: 'Duration of the scrape',
      value: report.durationMs / 1000,
    },
    {
      name: 'scrape_samples_scraped',
      unit: '',
      help: 'The number of samples the target exposed',
      value: report.samples,
    },
    {
      name: 'scrape_samples_post_metric_relabeling',
      unit: '',
      help: 'The number of samples remaining after metric relabeling was applied',
      value: report.samplesPostRelabeling,
    },
    {
      name: 'scrape_series_added',
      unit: '',
      help: 'The approximate number of new series in this scrape',
      value: report.seriesAdded,
    },
  ];
}
