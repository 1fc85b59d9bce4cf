/** How the collection itself fares: targets, scrapes, and the points on their way to Dynatrace. */
import { MAX_ROWS, type Section, THIRD } from './tile.ts';

/** Of a target as a whole: there is no model on these. */
const BY_JOB = { by: ['service.name'], narrowedBy: ['service.name'] } as const;
/** Of the exporter, once for all targets. */
const OF_EXPORTER = { by: [], narrowedBy: [] } as const;

export const COLLECTION: Section = {
  heading: 'Collection',
  tiles: [
    {
      title: 'Targets up',
      about: 'Scrapes that succeeded, as a percentage, by job.',
      query: {
        ...BY_JOB,
        columns: { reached: { mean: 'up' } },
        computed: { up_percent: '100 * reached[]' },
        removed: ['reached'],
      },
      visualization: 'lineChart',
      unit: 'percent',
      size: THIRD,
    },
    {
      title: 'Least available targets',
      about: `The ${MAX_ROWS} targets whose scrapes failed most often.`,
      query: {
        by: ['service.name', 'service.instance.id'],
        narrowedBy: BY_JOB.narrowedBy,
        columns: { reached: { mean: 'up', whole: true } },
        computed: { up_percent: '100 * reached' },
        removed: ['reached'],
        first: { rows: MAX_ROWS, by: 'up_percent', direction: 'asc' },
      },
      visualization: 'table',
      unit: 'percent',
      size: THIRD,
    },
    {
      title: 'Scrape duration',
      about: 'Mean and longest time of a scrape, by job.',
      query: {
        ...BY_JOB,
        columns: {
          usual: { mean: 'scrape_duration_seconds' },
          longest: { highest: 'scrape_duration_seconds' },
        },
      },
      visualization: 'lineChart',
      unit: 'second',
      size: THIRD,
    },
    {
      title: 'Samples scraped',
      about: 'Samples on the pages of all targets of a job.',
      query: { ...BY_JOB, columns: { samples: { total: 'scrape_samples_scraped', reading: 'avg' } } },
      visualization: 'areaChart',
      unit: 'count',
      size: THIRD,
    },
    {
      title: 'Points sent',
      about: 'Data points that Dynatrace took from the exporter.',
      query: { ...OF_EXPORTER, columns: { points: { sum: 'nim_to_dynatrace.points.sent' } } },
      visualization: 'areaChart',
      unit: 'count',
      size: THIRD,
    },
    {
      title: 'Points dropped',
      about: 'Data points that the exporter did not send, by reason (docs/words.md).',
      query: {
        by: ['reason'],
        narrowedBy: [],
        columns: { points: { sum: 'nim_to_dynatrace.points.dropped' } },
      },
      visualization: 'barChart',
      unit: 'count',
      size: THIRD,
    },
    {
      title: 'Points rejected',
      about: 'Data points that Dynatrace rejected in its answers to the exporter, by reason.',
      query: {
        by: ['reason'],
        narrowedBy: [],
        columns: { points: { sum: 'nim_to_dynatrace.points.rejected' } },
      },
      visualization: 'barChart',
      unit: 'count',
      size: THIRD,
    },
    {
      title: 'Points rejected by Dynatrace',
      about: 'OTLP data points of the whole environment that Dynatrace counts as rejected, by reason.',
      query: {
        by: ['reason'],
        narrowedBy: [],
        columns: { points: { sum: 'dt.sfm.active_gate.metrics.ingest.otlp.datapoints.rejected' } },
      },
      visualization: 'barChart',
      unit: 'count',
      size: THIRD,
    },
    {
      title: 'Series pending',
      about: 'Series with an increase that Dynatrace has not taken yet.',
      query: {
        ...OF_EXPORTER,
        columns: { series: { total: 'nim_to_dynatrace.pending.points', reading: 'max' } },
      },
      visualization: 'areaChart',
      unit: 'count',
      size: THIRD,
    },
    {
      title: 'Age of what is pending',
      about: 'How long the oldest increase waits.',
      query: { ...OF_EXPORTER, columns: { age: { highest: 'nim_to_dynatrace.pending.age' } } },
      visualization: 'lineChart',
      unit: 'second',
      size: THIRD,
    },
  ],
};
