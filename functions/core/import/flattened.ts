/**
 * A configuration that lost its indentation, as some pages show it: the nesting is rebuilt from the keys. Line numbers
 * stay those of the text.
 */
import type { Place } from '../config/config-key.ts';
import { CONFIG_KEYS } from '../config/config-keys.ts';

/** What may stand below a key. */
interface Shape {
  readonly keys?: Readonly<Record<string, Shape>>;
  /** Of every key that is not named: a mapping of names. */
  readonly rest?: Shape;
  readonly item?: Shape;
}

const VALUE: Shape = {};
const VALUES: Shape = { item: VALUE };
const NAMED_VALUES: Shape = { rest: VALUE };

function placed(place: Place, nested: Readonly<Record<string, Shape>> = {}): Shape {
  const own = Object.keys(CONFIG_KEYS[place]).map((key) => [key, nested[key] ?? VALUE] as const);
  return { keys: Object.fromEntries(own) };
}

const CLIENT: Readonly<Record<string, Shape>> = {
  authorization: placed('authorization'),
  basic_auth: placed('basic_auth'),
  tls_config: placed('tls_config'),
  http_headers: { rest: placed('http_headers', { values: VALUES, secrets: VALUES }) },
};
const PODS = placed('kubernetes_sd_configs', {
  namespaces: placed('namespaces', { names: VALUES }),
  selectors: { item: placed('selectors') },
  attach_metadata: { keys: { node: VALUE, namespace: VALUE } },
  dynatrace: placed('kubernetes_dynatrace'),
  ...CLIENT,
});
const RULES: Shape = { item: placed('relabel_configs', { source_labels: VALUES }) };
const SCRAPE_CONFIG = placed('scrape_config', {
  static_configs: { item: placed('static_configs', { targets: VALUES, labels: NAMED_VALUES }) },
  dns_sd_configs: { item: placed('dns_sd_configs', { names: VALUES }) },
  relabel_configs: RULES,
  metric_relabel_configs: RULES,
  http_sd_configs: { item: placed('http_sd_configs', CLIENT) },
  kubernetes_sd_configs: { item: PODS },
  params: { rest: VALUES },
  ...CLIENT,
});
const SCRAPING: Readonly<Record<string, Shape>> = {
  global: placed('global', { external_labels: NAMED_VALUES }),
  scrape_configs: { item: SCRAPE_CONFIG },
};
const FILTERED: Shape = {
  keys: { match_type: VALUE, metrics: VALUES, metric_names: VALUES, metric_types: VALUES },
};
const ACTIONS: Shape = { item: { keys: { key: VALUE, value: VALUE, action: VALUE } } };
/** Keys of all components: which one has which is the Collector's business. */
const COMPONENT: Shape = {
  keys: {
    // Not with all keys of a Prometheus file: otlp is a receiver of the Collector too.
    config: { keys: SCRAPING },
    max_staleness: VALUE,
    initial_value: VALUE,
    include: FILTERED,
    exclude: FILTERED,
    actions: ACTIONS,
    attributes: ACTIONS,
    strategy: VALUE,
    check_interval: VALUE,
    limit_mib: VALUE,
    limit_percentage: VALUE,
    spike_limit_percentage: VALUE,
    send_batch_size: VALUE,
    send_batch_max_size: VALUE,
    endpoint: VALUE,
    metrics_endpoint: VALUE,
    headers: NAMED_VALUES,
    compression: VALUE,
    encoding: VALUE,
    timeout: VALUE,
    verbosity: VALUE,
  },
};
const COMPONENTS: Shape = { rest: COMPONENT };
const PIPELINE: Shape = { keys: { receivers: VALUES, processors: VALUES, exporters: VALUES } };
const PIPELINES: Shape = {
  keys: { metrics: PIPELINE, traces: PIPELINE, logs: PIPELINE },
  rest: PIPELINE,
};
const PROMETHEUS = placed('document', SCRAPING);
const COLLECTOR: Shape = {
  keys: {
    receivers: COMPONENTS,
    processors: COMPONENTS,
    exporters: COMPONENTS,
    extensions: COMPONENTS,
    connectors: COMPONENTS,
    service: { keys: { ...PIPELINES.keys, extensions: VALUES, pipelines: PIPELINES } },
  },
};

const KEY = /^(["']?)([\w./-]+)\1:(?:\s+(.*))?$/s;
const COLLECTOR_KEY = /^(?:receivers|processors|exporters|service):\s*$/m;
const PROMETHEUS_KEY = /^(?:scrape_configs|global):\s*$/m;

/** A key without a value, or the item of a list: what comes below may belong to it. */
interface Level {
  readonly shape: Shape;
  readonly column: number;
}

/** The text with its nesting, or undefined where it has some, or is none of the configurations. */
export function nestFlattened(text: string): string | undefined {
  const root = COLLECTOR_KEY.test(text) ? COLLECTOR : PROMETHEUS_KEY.test(text) ? PROMETHEUS : undefined;
  if (root === undefined) return undefined;
  const lines = text.split('\n').map((line) => (/^```\w*\s*$/.test(line) ? '' : line.trimEnd()));
  if (lines.some((line) => /^\s+[^\s#]/.test(line))) return undefined;
  let levels: readonly Level[] = [{ shape: root, column: 0 }];
  let moved = false;
  const nested = lines.map((line) => {
    if (line === '' || line.startsWith('#')) return line;
    const placed = placeLine(line, levels);
    levels = placed.levels;
    moved ||= placed.column > 0 && !line.startsWith('-');
    return ' '.repeat(placed.column) + line;
  });
  return moved ? nested.join('\n') : undefined;
}

/** Where the line belongs, and the levels that are open below it. */
function placeLine(
  line: string,
  levels: readonly Level[],
): { readonly column: number; readonly levels: readonly Level[] } {
  const [, dash = '', content = line] = /^(-\s+)(.*)$/s.exec(line) ?? [];
  const [, , key, value = ''] = KEY.exec(content) ?? [];
  if (dash !== '') {
    const open = openList(key, levels);
    const { column, shape } = open.at(-1) as Level;
    const inner: Level = { shape: shape.item ?? VALUE, column: column + dash.length };
    const below = key === undefined || value !== '' ? [] : [levelOf(key, inner)];
    return { column, levels: [...open, inner, ...below] };
  }
  const open = key === undefined ? levels : openMapping(key, value !== '', levels);
  const last = open.at(-1) as Level;
  return {
    column: last.column,
    levels: key === undefined || value !== '' ? open : [...open, levelOf(key, last)],
  };
}

function levelOf(key: string, { shape, column }: Level): Level {
  return { shape: shape.keys?.[key] ?? shape.rest ?? VALUE, column: column + 2 };
}

/** Up to the innermost list with items that have the key, or else the innermost list. */
function openList(key: string | undefined, levels: readonly Level[]): readonly Level[] {
  const named = levels.findLastIndex(
    ({ shape: { item } }) => key !== undefined && item?.keys !== undefined && Object.hasOwn(item.keys, key),
  );
  const plain = levels.findLastIndex(({ shape }) => shape.item !== undefined);
  const index = named >= 0 ? named : plain;
  return index >= 0 ? levels.slice(0, index + 1) : levels;
}

/** Up to the innermost mapping that has the key by name, or else the innermost that takes any. */
function openMapping(key: string, hasValue: boolean, levels: readonly Level[]): readonly Level[] {
  const named = levels.findLastIndex(({ shape: { keys } }) => keys !== undefined && Object.hasOwn(keys, key));
  const any = levels.findLastIndex(
    ({ shape: { rest } }) => rest !== undefined && (hasValue || rest !== VALUE),
  );
  const index = named >= 0 ? named : any;
  return index >= 0 ? levels.slice(0, index + 1) : levels;
}
