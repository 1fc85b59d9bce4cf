/** The document against the rules of its format, version 21 (as exports of the Dashboards app have them). */
import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  type DashboardDocument,
  type DashboardOptions,
  type DataTileJson,
  buildDashboard,
} from '../../functions/core/dashboard/dashboard.ts';
import { environmentOrigin, tokenProblem } from '../../functions/core/dashboard/environment.ts';
import { GRID_COLUMNS, type TilePlace, placeTiles } from '../../functions/core/dashboard/layout.ts';
import { parseDql } from './dql-parser.ts';

const OPTIONS: DashboardOptions = {
  variant: 'grail',
  histogramSuffix: '',
  promptPrice: '0.15',
  generationPrice: '0.6',
};

/** Charts over time; the others show one record or rows. */
const OVER_TIME = ['lineChart', 'areaChart', 'barChart'];
const DQL_FUNCTIONS = [
  'sum',
  'avg',
  'min',
  'max',
  'count',
  'percentile',
  'by',
  'filter',
  'union',
  'interval',
];

function overlap(a: TilePlace, b: TilePlace): boolean {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}

function assertPlaced(places: readonly TilePlace[]): void {
  for (const [i, place] of places.entries()) {
    const { x, y, w, h } = place;
    assert([x, y, w, h].every((value) => Number.isInteger(value) && value >= 0) && w > 0 && h > 0);
    assert(x + w <= GRID_COLUMNS, `tile ${i} leaves the grid`);
    for (const [j, other] of places.entries())
      assert(j <= i || !overlap(place, other), `tiles ${i} and ${j} overlap`);
  }
}

function dataTiles(document: DashboardDocument): readonly DataTileJson[] {
  return Object.values(document.tiles).filter((tile) => tile.type === 'data');
}

describe('the layout', () => {
  test('a grid of 24 columns: side by side while there is room, then below the highest', () => {
    const places = placeTiles([
      { w: 12, h: 2 },
      { w: 12, h: 5 },
      { w: 1, h: 1 },
      { w: 24, h: 1 },
    ]);
    assert.deepEqual(places, [
      { x: 0, y: 0, w: 12, h: 2 },
      { x: 12, y: 0, w: 12, h: 5 },
      { x: 0, y: 5, w: 1, h: 1 },
      { x: 0, y: 6, w: 24, h: 1 },
    ]);
  });

  test('whatever the sizes, nothing overlaps and nothing leaves the grid', () => {
    const size = fc.record({
      w: fc.integer({ min: 1, max: GRID_COLUMNS }),
      h: fc.integer({ min: 1, max: 9 }),
    });
    fc.assert(fc.property(fc.array(size, { maxLength: 30 }), (sizes) => assertPlaced(placeTiles(sizes))));
  });
});

for (const variant of ['grail', 'summary'] as const) {
  describe(`the document, ${variant}`, () => {
    const document = buildDashboard({ ...OPTIONS, variant });

    test('version 21, with the keys of an export, and the same as JSON', () => {
      assert.equal(document.version, 21);
      const keys = [
        'annotations',
        'importedWithCode',
        'layouts',
        'settings',
        'tiles',
        'variables',
        'version',
      ];
      assert.deepEqual(Object.keys(document).toSorted(), keys);
      assert.deepEqual(JSON.parse(JSON.stringify(document)), document);
    });

    test('every tile has its place, on the grid and its own', () => {
      assert.deepEqual(Object.keys(document.layouts), Object.keys(document.tiles));
      assertPlaced(Object.values(document.layouts));
    });

    test('a heading has content and no title; a data tile has a title of its own and a query', () => {
      for (const tile of Object.values(document.tiles)) {
        if (tile.type === 'markdown') assert(tile.content !== '' && !('title' in tile));
        else assert(tile.title !== '' && tile.description.endsWith('.') && tile.query !== '');
      }
      const titles = dataTiles(document).map(({ title }) => title);
      assert.equal(new Set(titles).size, titles.length);
    });

    test('charts have a time axis, single values one number, and units a column', () => {
      for (const { title, query, visualization, visualizationSettings: settings } of dataTiles(document)) {
        const parsed = parseDql(query);
        const columns = parsed.kind === 'fetch' ? [parsed.column] : columnsOf(query);
        if (parsed.kind === 'timeseries') {
          const isWhole = parsed.aggregations.every(({ scalar }) => scalar);
          assert.equal(OVER_TIME.includes(visualization), !isWhole, `${title}: ${visualization}`);
          assert.equal(new Set(parsed.aggregations.map(({ scalar }) => scalar)).size, 1, title);
          assert.equal(visualization === 'singleValue', isWhole && parsed.by.length === 0, title);
          for (const { column } of parsed.aggregations) assert(!DQL_FUNCTIONS.includes(column), column);
        }
        assert.equal(settings.autoSelectVisualization, false);
        for (const { identifier } of settings.unitsOverrides) assert(columns.includes(identifier), title);
        const field = settings.singleValue?.recordField;
        assert.equal(field !== undefined, visualization === 'singleValue');
        if (field !== undefined) assert.deepEqual(columns, [field]);
      }
    });

    test('a variable that is used is there, and one that is there is used', () => {
      const used = dataTiles(document).flatMap(({ query }) => query.match(/\$\w+/g) ?? []);
      const there = document.variables.map(({ key }) => `$${key}`);
      assert.deepEqual([...new Set(used)].toSorted(), there.toSorted());
      for (const { type, input, multiple } of document.variables) {
        assert.equal(type === 'query', input !== undefined && multiple === true);
        if (input === undefined) continue;
        const { steps } = parseDql(input) as Extract<ReturnType<typeof parseDql>, { kind: 'timeseries' }>;
        assert(steps.some((step) => step.kind === 'fields' && step.names.length === 1));
      }
    });

    test('no time range is fixed in a query', () => {
      for (const { query } of dataTiles(document))
        assert.doesNotMatch(query, /\b(from|to|interval|bins|shift)\s*:/);
    });
  });
}

/** What a query leaves beside its dimensions. */
function columnsOf(query: string): readonly string[] {
  const parsed = parseDql(query);
  if (parsed.kind === 'fetch') return [parsed.column];
  const added = parsed.steps.flatMap((step) => (step.kind === 'fieldsAdd' ? [step.name] : []));
  const removed = parsed.steps.flatMap((step) => (step.kind === 'fieldsRemove' ? step.names : []));
  return [...parsed.aggregations.map(({ column }) => column), ...added].filter(
    (name) => !removed.includes(name),
  );
}

describe('options of the document', () => {
  const text = (options: Partial<DashboardOptions>) =>
    JSON.stringify(buildDashboard({ ...OPTIONS, ...options }));

  test('percentiles in one variant only', () => {
    assert.match(text({ variant: 'grail' }), /percentile\(/);
    assert.doesNotMatch(text({ variant: 'summary' }), /percentile\(/);
  });

  test('a suffix stands behind every histogram and nothing else', () => {
    const keys = (options: Partial<DashboardOptions>) =>
      dataTiles(buildDashboard({ ...OPTIONS, ...options })).flatMap(({ query }) => {
        const parsed = parseDql(query);
        return parsed.kind === 'fetch' ? [] : parsed.aggregations.map(({ metric }) => metric);
      });
    for (const variant of ['grail', 'summary'] as const) {
      const plain = keys({ variant });
      const suffixed = keys({ variant, histogramSuffix: '_bucket' });
      const histograms = plain.filter((_, i) => suffixed[i] === `${plain[i]}_bucket`);
      assert.deepEqual([...new Set(histograms)].toSorted(), [
        'e2e_request_latency_seconds',
        'request_generation_tokens',
        'request_prompt_tokens',
        'time_per_output_token_seconds',
        'time_to_first_token_seconds',
      ]);
      assert.deepEqual(
        plain.filter((name) => !histograms.includes(name)),
        suffixed.filter((name) => !name.endsWith('_bucket')),
      );
    }
  });

  test('prices are what the variables hold', () => {
    const { variables } = buildDashboard(OPTIONS);
    const texts = variables.filter(({ type }) => type === 'text');
    assert.deepEqual(
      texts.map(({ key, defaultValue }) => [key, defaultValue]),
      [
        ['PromptPrice', '0.15'],
        ['GenerationPrice', '0.6'],
      ],
    );
  });
});

describe('where it goes', () => {
  const APPS = 'https://abc12345.apps.dynatrace.com';
  const good: Readonly<Record<string, string>> = {
    [APPS]: APPS,
    [`${APPS}/ui/apps/dynatrace.dashboards?x=1#top`]: APPS,
    ' https://abc12345.apps.dynatracelabs.com/ ': 'https://abc12345.apps.dynatracelabs.com',
    'http://127.0.0.1:8080': 'http://127.0.0.1:8080',
    'http://localhost:8080/': 'http://localhost:8080',
    'http://[::1]:8080': 'http://[::1]:8080',
    'https://dynatrace.example.com': 'https://dynatrace.example.com',
  };
  for (const [given, origin] of Object.entries(good))
    test(`taken: ${given}`, () => assert.deepEqual(environmentOrigin(given), { origin }));

  const bad: Readonly<Record<string, RegExp>> = {
    abc12345: /no http or https URL|not an http or https URL/,
    'ftp://abc12345.apps.dynatrace.com': /not an http or https URL/,
    'https://abc12345.live.dynatrace.com/api/v2/otlp':
      /not the host of the Document API; write https:\/\/abc12345\.apps\./,
    'https://abc12345.live.apps.dynatrace.com': /write https:\/\/abc12345\.apps\.dynatrace\.com$/,
    'https://abc12345.dynatrace.com': /write https:\/\/abc12345\.apps\.dynatrace\.com$/,
    'http://abc12345.apps.dynatrace.com': /unencrypted/,
    'https://abc12345.apps.dynatrace.com:8443': /another port/,
    'http://10.0.0.1': /unencrypted; write https:\/\/10\.0\.0\.1$/,
    'http://127.0.0.1.example.com': /unencrypted/,
    'https://me:hunter2@abc12345.apps.dynatrace.com': /user name or password/,
  };
  for (const [given, cause] of Object.entries(bad)) {
    test(`refused: ${given}`, () => {
      const read = environmentOrigin(given);
      assert('problem' in read);
      assert.match(read.problem, cause);
      assert(!read.problem.includes('hunter2'));
    });
  }

  test('a token: platform and OAuth tokens are taken, classic and broken ones are named without being shown', () => {
    assert.equal(tokenProblem('dt0s16.PUBLIC.hunter2'), undefined);
    assert.equal(tokenProblem('eyJhbGciOi.hunter2.sig'), undefined);
    for (const [token, cause] of [
      ['', /DT_PLATFORM_TOKEN is not set/],
      ['dt0c01.PUBLIC.hunter2', /classic token.*dt0s16/],
      ['Bearer hunter2', /character that no token has/],
      ['hunter2\n', /character that no token has/],
    ] as const) {
      const problem = tokenProblem(token) ?? '';
      assert.match(problem, cause);
      assert(!problem.includes('hunter2'));
    }
  });
});
