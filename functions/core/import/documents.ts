/** Scrape_configs as documents, each of which fits an SSM parameter. */
import { MAX_DOCUMENT_BYTES, MAX_DOCUMENTS } from '../config/config-bounds.ts';
import type { KeyTable, Place } from '../config/config-key.ts';
import { CONFIG_KEYS } from '../config/config-keys.ts';
import type { Findings } from '../config/findings.ts';
import type { StoringCommand } from './commands.ts';
import { DISCOVERIES } from './discoveries.ts';
import { uniqueName } from './secrets.ts';
import type { Names } from './secrets.ts';
import {
  lengthOf,
  childOf,
  itemsOf,
  listAt,
  mappingAt,
  textsOf,
  withEntry,
  withoutEntry,
} from '../config/yaml-tree.ts';
import { writeYaml } from '../config/yaml.ts';
import type { YamlMapping, YamlNode, YamlPlace } from '../config/yaml.ts';

/** Bytes of a parameter's value in the standard tier, and in the advanced one (SSM quotas). */
export const MAX_STANDARD_BYTES = 4_096;
export const MAX_ADVANCED_BYTES = 8_192;

export interface ImportedDocument {
  /** The parameter's name. */
  readonly name: string;
  readonly value: string;
  readonly tier?: StoringCommand['tier'];
  /** Of the job in the input. */
  readonly at: YamlPlace;
}

/** One job with what it inherits. */
export interface Job {
  readonly name: string;
  readonly global: YamlMapping | undefined;
  readonly config: YamlMapping;
}

/** Names of the documents are those of the jobs; `taken` keeps them apart. */
export function documentsOf(
  job: Job,
  prefix: string,
  taken: Names,
  findings: Findings,
): readonly ImportedDocument[] {
  const { at } = job.config;
  const bare = bareOf(job);
  const size = lengthOf(bare.config) + (bare.global === undefined ? 0 : lengthOf(bare.global));
  if (size > MAX_DOCUMENT_BYTES) {
    const remedy = 'use fewer aliases, or divide its targets among several jobs';
    findings.problem(at, `cannot carry over the job: written out it is larger than 1 MiB; ${remedy}`);
    return [];
  }
  const parts = partsOf(bare);
  const largest = Math.max(...parts.map(byteLength));
  if (largest > MAX_ADVANCED_BYTES) {
    const cause = `a document of it has ${largest} bytes, and a parameter holds ${MAX_ADVANCED_BYTES}`;
    const remedy = 'shorten its rules, labels or certificate, or divide its targets among several jobs';
    findings.problem(at, `cannot store the job: ${cause}; ${remedy}`);
    return [];
  }
  if (largest > MAX_STANDARD_BYTES) {
    const cause = `the job does not fit into documents of ${MAX_STANDARD_BYTES} bytes`;
    findings.note(at, `${cause}: it needs the advanced tier of SSM, which is not free`);
  }
  return parts.map((value, index) => ({
    name: `${prefix}/targets/${uniqueName(parts.length === 1 ? job.name : `${job.name}-${index + 1}`, taken)}`,
    value,
    at,
    ...(byteLength(value) > MAX_STANDARD_BYTES && { tier: 'Advanced' as const }),
  }));
}

/** Only what is honoured: the rest has no effect, or is empty, and was said. */
function bareOf({ name, global, config }: Job): Job {
  const bare = global === undefined ? undefined : honoured(global, 'global');
  return {
    name,
    config: honoured(config, 'scrape_config'),
    global: bare?.entries.length === 0 ? undefined : bare,
  };
}

function honoured(mapping: YamlMapping, place: Place): YamlMapping {
  const table: KeyTable = CONFIG_KEYS[place];
  const entries = mapping.entries.filter(({ key }) => table[key]?.use === 'honoured');
  return { ...mapping, entries };
}

/** Documents that hold the job, about as few as can be, in the standard tier if they fit there. */
function partsOf(job: Job): readonly string[] {
  const whole = textOfJob(job);
  const targets = targetsOf(job.config);
  for (const limit of [MAX_STANDARD_BYTES, MAX_ADVANCED_BYTES]) {
    const parts = byteLength(whole) <= limit ? [whole] : partsWithin(limit, whole, job, targets);
    if (parts !== undefined) return parts;
  }
  return [whole];
}

/** All with the same settings and as many targets; undefined where they do not fit, or are too many. */
function partsWithin(
  limit: number,
  whole: string,
  job: Job,
  targets: readonly GroupedTarget[],
): readonly string[] | undefined {
  const partWith = (own: readonly GroupedTarget[], first: boolean): string =>
    textOfJob({ ...job, config: withTargets(job.config, own, first) });
  const least = byteLength(partWith(targets.slice(0, 1), true));
  if (least >= limit) return undefined;
  const atLeast = Math.max(2, Math.ceil((byteLength(whole) - least) / (limit - least)));
  for (let parts = atLeast; parts <= MAX_DOCUMENTS; parts += Math.ceil(parts / 8)) {
    const length = Math.ceil(targets.length / parts) || 1;
    const written = Array.from({ length: Math.ceil(targets.length / length) }, (_, index) =>
      partWith(targets.slice(index * length, (index + 1) * length), index === 0),
    );
    if (written.every((text) => byteLength(text) <= limit)) return written;
    if (length === 1) return undefined;
  }
  return undefined;
}

interface GroupedTarget {
  readonly group: YamlNode;
  readonly target: YamlNode;
}

function targetsOf(config: YamlMapping): readonly GroupedTarget[] {
  return itemsOf(childOf(config, 'static_configs')).flatMap((group) =>
    itemsOf(childOf(group, 'targets')).map((target) => ({ group, target })),
  );
}

/** Only with these targets, in their groups; discoveries stand in the first document. */
function withTargets(config: YamlMapping, targets: readonly GroupedTarget[], first: boolean): YamlMapping {
  const groups = [...Map.groupBy(targets, ({ group }) => group)].map(([group, own]) => {
    const list = listAt(
      group.at,
      own.map(({ target }) => target),
    );
    return group.kind === 'mapping' ? withEntry(group, 'targets', list) : group;
  });
  const rest = first ? config : DISCOVERIES.reduce(withoutEntry, config);
  return withEntry(rest, 'static_configs', listAt(config.at, groups));
}

function textOfJob({ global, config }: Job): string {
  if (global === undefined) return writeYaml(config);
  return writeYaml(mappingAt(config.at, { global, scrape_configs: listAt(config.at, [config]) }));
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** Texts of the job that stand for something outside of the file. */
export function* textsOfJob({ global, config }: Job): ReturnType<typeof textsOf> {
  if (global !== undefined) yield* textsOf(global);
  for (const { value } of config.entries) yield* textsOf(value);
}
