/** A Collector's configuration: which receivers scrape, what their metrics go through, and where they end. */
import { quote } from '../config/findings.ts';
import type { Findings } from '../config/findings.ts';
import { childOf, entriesOf, itemsOf, textOf } from '../config/yaml-tree.ts';
import type { YamlNode, YamlPlace } from '../config/yaml.ts';

export interface Component {
  /** `prometheus/2` */
  readonly id: string;
  /** Both spellings alike, without underscores: `cumulativetodelta`. */
  readonly type: string;
  readonly at: YamlPlace;
  readonly node: YamlNode;
}

/** A Prometheus receiver, and the processors that its metrics go through, in their order. */
export interface Scraping {
  readonly receiver: Component;
  readonly processors: readonly Component[];
}

export interface Collector {
  readonly scrapings: readonly Scraping[];
  /** Of the pipelines that a Prometheus receiver feeds. */
  readonly exporters: readonly Component[];
  readonly extensions: readonly Component[];
}

/** A receiver, exporter or pipeline as a message names it; ids are no secrets, but may be anything. */
export function nameOfComponent(id: string): string {
  return /^[\w./-]{1,64}$/.test(id) ? id : quote(id);
}

export function isCollector(root: YamlNode): boolean {
  return ['receivers', 'exporters', 'processors', 'service'].some(
    (key) => entriesOf(root).find((entry) => entry.key === key)?.value !== undefined,
  );
}

export function readCollector(root: YamlNode, findings: Findings): Collector {
  for (const { key, at } of entriesOf(root)) {
    if (!SECTIONS.has(key)) findings.problem(at, describeSection(key));
  }
  const receivers = componentsOf(root, 'receivers');
  const processors = componentsOf(root, 'processors');
  const exporters = componentsOf(root, 'exporters');
  const pipelines = readPipelines(root, findings);
  for (const receiver of receivers) noteReceiver(receiver, pipelines, findings);
  for (const { at, key } of entriesOf(childOf(root, 'connectors'))) {
    findings.note(at, `connector ${nameOfComponent(key)} is left out: points go straight to Dynatrace`);
  }
  noteService(root, findings);
  const scrapings = receivers
    .filter(({ type, id }) => type === 'prometheus' && (pipelines?.some((one) => one.receives(id)) ?? true))
    .map((receiver) => {
      const own = pipelines?.filter((one) => one.receives(receiver.id));
      return { receiver, processors: processorsOf(receiver, own, processors, findings) };
    });
  if (scrapings.length === 0) {
    const cause = 'no prometheus receiver is in a metrics pipeline';
    findings.problem(root.at, `cannot find anything to scrape: ${cause}; only those become documents`);
  }
  const fed = pipelines?.filter((one) => scrapings.some(({ receiver }) => one.receives(receiver.id)));
  return {
    scrapings,
    exporters: exporters.filter(({ id }) => fed?.some((one) => one.exports(id)) ?? true),
    extensions: componentsOf(root, 'extensions'),
  };
}

const SECTIONS: ReadonlySet<string> = new Set([
  'receivers',
  'processors',
  'exporters',
  'connectors',
  'extensions',
  'service',
]);

function describeSection(key: string): string {
  return `cannot use a section: ${nameOfComponent(key)} is none of a Collector configuration; correct its name, or remove it`;
}

function componentsOf(root: YamlNode, section: string): readonly Component[] {
  return entriesOf(childOf(root, section)).map(({ key, at, value }) => ({
    id: key,
    type: (key.split('/')[0] ?? '').trim().replaceAll('_', '').toLowerCase(),
    at,
    node: value,
  }));
}

interface Pipeline {
  readonly id: string;
  readonly at: YamlPlace;
  readonly processors: readonly { readonly id: string; readonly at: YamlPlace }[];
  readonly receives: (id: string) => boolean;
  readonly exports: (id: string) => boolean;
}

/** Those of metrics; undefined where no pipeline is written at all: then everything counts. */
function readPipelines(root: YamlNode, findings: Findings): readonly Pipeline[] | undefined {
  const service = childOf(root, 'service');
  const written = childOf(service, 'pipelines');
  const misplaced = entriesOf(service).filter(({ key }) => /^(?:metrics|traces|logs)(?:\/|$)/.test(key));
  const [first] = misplaced;
  if (written === undefined && first !== undefined) {
    findings.note(
      first.at,
      `${nameOfComponent(first.key)} is read as a pipeline: pipelines: is missing above it`,
    );
  }
  const entries = written === undefined ? misplaced : entriesOf(written);
  if (entries.length === 0) return undefined;
  return entries
    .filter(({ key }) => /^metrics(?:\/|$)/.test(key))
    .map(({ key, at, value }) => {
      const [receivers, exporters] = [idsIn(value, 'receivers'), idsIn(value, 'exporters')];
      return {
        id: key,
        at,
        processors: idsIn(value, 'processors'),
        receives: (id) => receivers.some((one) => isSame(one.id, id)),
        exports: (id) => exporters.some((one) => isSame(one.id, id)),
      };
    });
}

function idsIn(pipeline: YamlNode, key: string): Pipeline['processors'] {
  return itemsOf(childOf(pipeline, key)).flatMap((item) => {
    const id = textOf(item);
    return id === undefined ? [] : [{ id, at: item.at }];
  });
}

/** A pipeline may use the other spelling of a component's type. */
function isSame(one: string, other: string): boolean {
  const plain = (id: string): string => id.replace(/^[^/]*/, (type) => type.replaceAll('_', ''));
  return plain(one) === plain(other);
}

function noteReceiver(
  { id, type, at }: Component,
  pipelines: readonly Pipeline[] | undefined,
  findings: Findings,
): void {
  const used = pipelines?.some((one) => one.receives(id)) ?? true;
  const name = `receiver ${nameOfComponent(id)}`;
  if (!used) findings.note(at, `${name} is left out: no metrics pipeline has it, so nothing of it is sent`);
  else if (type === 'otlp') {
    findings.note(at, `${name} is left out: who sends to it can send to Dynatrace's OTLP API directly`);
  } else if (type === 'prometheussimple') {
    const remedy = 'write its endpoint as a target of a prometheus receiver, and import again';
    findings.problem(at, `cannot carry over ${name}: only prometheus receivers become documents; ${remedy}`);
  } else if (type !== 'prometheus') {
    const remedy = 'keep a Collector for it';
    findings.problem(at, `cannot carry over ${name}: only prometheus receivers become documents; ${remedy}`);
  }
}

function processorsOf(
  receiver: Component,
  pipelines: readonly Pipeline[] | undefined,
  processors: readonly Component[],
  findings: Findings,
): readonly Component[] {
  if (pipelines === undefined) return processors;
  const [first, ...others] = pipelines;
  const orderOf = (pipeline: Pipeline | undefined): string =>
    (pipeline?.processors ?? []).map(({ id }) => id).join(' ');
  for (const other of others) {
    if (orderOf(other) === orderOf(first)) continue;
    const cause = `receiver ${nameOfComponent(receiver.id)} is in ${nameOfComponent(first?.id ?? '')} too, with other processors`;
    const remedy = 'its metrics go to Dynatrace once, as that pipeline says';
    findings.problem(
      other.at,
      `cannot carry over the pipeline ${nameOfComponent(other.id)}: ${cause}; ${remedy}`,
    );
  }
  return (first?.processors ?? []).flatMap(({ id, at }) => {
    const component = processors.find((one) => isSame(one.id, id));
    if (component !== undefined) return [component];
    findings.problem(
      at,
      `cannot find processor ${nameOfComponent(id)}: it is not under processors; correct its name there or here`,
    );
    return [];
  });
}

function noteService(root: YamlNode, { note }: Findings): void {
  for (const { key, at } of entriesOf(childOf(root, 'extensions'))) {
    if (!/auth/i.test(key))
      note(at, `extension ${nameOfComponent(key)} has no effect: there is no Collector process`);
  }
  const telemetry = entriesOf(childOf(root, 'service')).find(({ key }) => key === 'telemetry');
  if (telemetry !== undefined) {
    note(telemetry.at, 'telemetry has no effect: the functions report themselves to CloudWatch');
  }
}

/** Keys of the Prometheus receiver beside `config` that change what is scraped, or sent. */
const RECEIVER_KEYS: Readonly<Record<string, string | undefined>> = {
  target_allocator:
    'cannot use target_allocator: targets are divided without one; write them under scrape_configs',
  trim_metric_suffixes:
    'cannot use trim_metric_suffixes: names stay as they are on the page; set it to false',
};

/** What the receiver says beside the Prometheus configuration, which is the answer. */
export function configOf({ id, at, node }: Component, findings: Findings): YamlNode | undefined {
  for (const { key, at: keyAt, value } of entriesOf(node)) {
    if (key === 'config') continue;
    const problem = textOf(value) === 'false' ? undefined : RECEIVER_KEYS[key];
    if (problem !== undefined) findings.problem(keyAt, problem);
    else findings.note(keyAt, `${nameOfComponent(key)} has no effect: it is the Collector's own`);
  }
  const config = childOf(node, 'config');
  if (config === undefined) {
    findings.problem(
      at,
      `cannot read receiver ${nameOfComponent(id)}: it has no config; write scrape_configs under config`,
    );
  }
  return config;
}
