/** The dashboard as a document of version 21, the content that the Dashboards app uploads and exports. */
import { GRID_COLUMNS, type TilePlace, placeTiles } from './layout.ts';
import { type HistogramSuffix, type MetricQuery, VARIABLE_OF, queryText } from './query.ts';
import type { DataTile, DisplayUnit } from './tile.ts';
import { type DashboardVariant, GENERATION_PRICE, PROMPT_PRICE, describeTiles } from './tiles.ts';

export interface DashboardOptions {
  readonly variant: DashboardVariant;
  readonly histogramSuffix: HistogramSuffix;
  /** Per million tokens, in any currency; decimal text. What the variables hold until someone edits them. */
  readonly promptPrice: string;
  readonly generationPrice: string;
}

export interface DashboardVariable {
  readonly version: 2;
  readonly key: string;
  readonly type: 'query' | 'text';
  readonly visible: true;
  readonly editable: true;
  /** Of a query: DQL with exactly one field. */
  readonly input?: string;
  readonly multiple?: true;
  readonly defaultValue: string;
}

export interface MarkdownTileJson {
  readonly type: 'markdown';
  readonly content: string;
}

export interface DataTileJson {
  readonly type: 'data';
  readonly title: string;
  readonly description: string;
  readonly query: string;
  readonly visualization: DataTile['visualization'];
  readonly visualizationSettings: VisualizationSettings;
  readonly querySettings: typeof QUERY_SETTINGS;
  readonly davis: typeof DAVIS;
}

interface VisualizationSettings {
  readonly autoSelectVisualization: false;
  readonly unitsOverrides: readonly (ReturnType<typeof unitOf> & { readonly identifier: string })[];
  readonly singleValue?: { readonly recordField: string; readonly label: string };
}

export interface DashboardDocument {
  readonly version: 21;
  readonly variables: readonly DashboardVariable[];
  /** Keyed as `layouts`. */
  readonly tiles: Readonly<Record<string, MarkdownTileJson | DataTileJson>>;
  readonly layouts: Readonly<Record<string, TilePlace>>;
  readonly importedWithCode: false;
  readonly settings: { readonly defaultTimeframe: unknown };
  readonly annotations: readonly [];
}

export function buildDashboard(options: DashboardOptions): DashboardDocument {
  const sections = describeTiles(options.variant);
  const heading = (content: string, h: number) => ({
    json: { type: 'markdown', content } as const,
    size: { w: GRID_COLUMNS, h },
  });
  const placed = [
    heading(`# NVIDIA NIM\n${VARIANT_NOTE[options.variant]}`, 2),
    ...sections.flatMap(({ heading: text, tiles }) => [
      heading(`## ${text}`, 1),
      ...tiles.map((tile) => ({ json: dataTile(tile, options.histogramSuffix), size: tile.size })),
    ]),
  ];
  const places = placeTiles(placed.map(({ size }) => size));
  return {
    version: 21,
    variables: variables(options),
    tiles: Object.fromEntries(placed.map(({ json }, i) => [`${i}`, json])),
    layouts: Object.fromEntries(places.map((place, i) => [`${i}`, place])),
    importedWithCode: false,
    settings: { defaultTimeframe: { enabled: true, value: { from: 'now()-2h', to: 'now()' } } },
    annotations: [],
  };
}

const VARIANT_NOTE: Readonly<Record<DashboardVariant, string>> = {
  grail: 'Sent by nim-to-dynatrace. Where percentiles are an error, upload the variant `summary`.',
  summary: 'Sent by nim-to-dynatrace. Latencies are means: the variant `grail` has percentiles.',
};

/** The app's own value for all that a query variable offers. */
const SELECT_ALL = '3420b2ac-f1cf-4b24-b62d-61ba1ba8ed05*';

function variables({ promptPrice, generationPrice }: DashboardOptions): readonly DashboardVariable[] {
  const common = { version: 2, visible: true, editable: true } as const;
  const choice = (dimension: keyof typeof VARIABLE_OF, metric: string) =>
    ({
      ...common,
      key: VARIABLE_OF[dimension],
      type: 'query',
      multiple: true,
      defaultValue: SELECT_ALL,
      input: `timeseries r = avg(${metric}), by:{${dimension}}\n| fields ${dimension}\n| dedup ${dimension}`,
    }) as const;
  return [
    choice('service.name', 'up'),
    choice('model_name', 'num_requests_running'),
    { ...common, key: PROMPT_PRICE, type: 'text', defaultValue: promptPrice },
    { ...common, key: GENERATION_PRICE, type: 'text', defaultValue: generationPrice },
  ];
}

function dataTile(
  { title, about, query, visualization, unit }: DataTile,
  suffix: HistogramSuffix,
): DataTileJson {
  const shown = typeof query === 'string' ? [] : shownColumns(query);
  const [field = 'problems'] = shown;
  return {
    type: 'data',
    title,
    description: about,
    query: typeof query === 'string' ? query : queryText(query, suffix),
    visualization,
    visualizationSettings: {
      autoSelectVisualization: false,
      unitsOverrides: shown.map((identifier) => ({ identifier, ...unitOf(unit) })),
      ...(visualization === 'singleValue' ? { singleValue: { recordField: field, label: '' } } : {}),
    },
    querySettings: QUERY_SETTINGS,
    davis: DAVIS,
  };
}

function shownColumns({ columns, computed = {}, removed = [] }: MetricQuery): readonly string[] {
  return [...Object.keys(columns), ...Object.keys(computed)].filter((name) => !removed.includes(name));
}

/** As the app's own exports have them. */
const QUERY_SETTINGS = {
  maxResultRecords: 1000,
  defaultScanLimitGbytes: 500,
  maxResultMegaBytes: 1,
  defaultSamplingRatio: 10,
  enableSampling: false,
} as const;
const DAVIS = { enabled: false, davisVisualization: { isAvailable: true } } as const;

const UNITS: Readonly<
  Record<DisplayUnit, readonly [category: string, unit: string, decimals: number | null]>
> = {
  second: ['time', 'second', 2],
  percent: ['percentage', 'percent', 1],
  count: ['unspecified', 'count', null],
};

function unitOf(unit: DisplayUnit) {
  const [unitCategory, baseUnit, decimals] = UNITS[unit];
  return { unitCategory, baseUnit, displayUnit: null, decimals, suffix: '', delimiter: true };
}
