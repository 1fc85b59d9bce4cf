/** Reads the keys of one mapping by their table: kinds, defaults, bounds, misspellings. */
import { parseByteSize } from './byte-size.ts';
import { MAX_NAMED_FINDINGS, MAX_TEXT_LENGTH } from './config-bounds.ts';
import { PLACES } from './config-key.ts';
import type { ConfigKey, HonouredKey, KeyTable, Kind, Place } from './config-key.ts';
import { CONFIG_KEYS } from './config-keys.ts';
import { parseDuration } from '../duration.ts';
import { quote } from './findings.ts';
import type { Findings } from './findings.ts';
import { KEY_WORD, nearestKey } from './key-spelling.ts';
import type { RelabelConfig, SecretReference } from '../scrape-config.ts';
import { isSecretReference, looksLikeReference, storingSecret } from './secret-reference.ts';
import { isNull } from './yaml.ts';
import type { YamlEntry, YamlList, YamlMapping, YamlNode, YamlPlace, YamlText } from './yaml.ts';

/** What all readers of one document share. */
export interface Reading {
  readonly findings: Findings;
  /** `/nim-to-dynatrace`: where remedies put secrets. */
  readonly prefix: string;
  /** Names secrets in remedies. */
  readonly job: string;
  readonly options: ReadOptions;
}

export interface ReadOptions {
  /** What is wrong with a relabel rule, as a whole message; core/relabel knows. */
  readonly checkRelabel?: (rule: RelabelConfig) => string | undefined;
  /** How often the schedule fires; a shorter `scrape_interval` is noted. */
  readonly tickMs?: number;
  /** What becomes of a job with a mistake, where it is not that its document is refused. */
  readonly consequence?: string;
}

/** PEM, or where it is. */
export type Certificate = string | { readonly secret: SecretReference };

interface Values {
  readonly text: string;
  readonly flag: boolean;
  readonly duration: number;
  readonly count: number;
  readonly bytes: number;
  readonly choice: string;
  readonly texts: readonly string[];
  readonly secret: SecretReference;
  readonly certificate: Certificate;
  readonly mapping: YamlMapping;
  readonly list: YamlList;
}

type ValueOf<K> = K extends { readonly choices: readonly (infer Choice)[] }
  ? Choice
  : K extends { readonly kind: infer Of extends Kind }
    ? Values[Of]
    : never;
type Honoured<T> = { [N in keyof T]: T[N] extends { readonly use: 'honoured' } ? N : never }[keyof T];

/** The values of a table's honoured keys; one without a default may be absent. */
export type ValuesOf<T> = {
  readonly [N in Honoured<T>]: T[N] extends { readonly default: string }
    ? ValueOf<T[N]>
    : ValueOf<T[N]> | undefined;
};

export interface ReadKeys<P extends Place> {
  readonly values: ValuesOf<(typeof CONFIG_KEYS)[P]>;
  /** Where the key's value stands; the mapping's own place where it is absent. */
  readonly placeOf: (key: string) => YamlPlace;
}

/** Undefined where the node is no mapping. */
export function readKeys<P extends Place>(
  node: YamlNode,
  place: P,
  reading: Reading,
): ReadKeys<P> | undefined {
  const table: KeyTable = CONFIG_KEYS[place];
  if (node.kind !== 'mapping') {
    const found = node.kind === 'list' ? 'a list' : isNull(node) ? 'empty' : 'a single text';
    const example = Object.keys(table)[0];
    reading.findings.problem(
      node.at,
      `cannot read ${PLACES[place]}: it is ${found}, not a mapping; write lines of key: value, such as ${example}: ...`,
    );
    return undefined;
  }
  const values: Record<string, unknown> = {};
  const places = new Map<string, YamlPlace>();
  for (const entry of node.entries) {
    const key = Object.hasOwn(table, entry.key) ? table[entry.key] : undefined;
    if (key?.use !== 'honoured') {
      reportUnused(entry, key, place, reading);
      continue;
    }
    places.set(entry.key, entry.value.at);
    const zero = isNull(entry.value) ? ZEROS[key.kind] : undefined;
    values[entry.key] = zero ?? readValue(entry.value, entry.key, key, reading);
  }
  for (const [name, key] of Object.entries(table)) {
    if (key.use === 'honoured' && key.default !== undefined && values[name] === undefined) {
      const text = key.default === '""' ? '' : key.default;
      values[name] = readValue({ kind: 'text', at: node.at, text, quoted: true }, name, key, reading);
    }
  }
  return {
    values: values as ValuesOf<(typeof CONFIG_KEYS)[P]>,
    placeOf: (key) => places.get(key) ?? node.at,
  };
}

/** What Prometheus reads where `key:` has no value: not the default. */
const ZEROS: Partial<Record<Kind, unknown>> = { text: '', flag: false, duration: 0, count: 0, bytes: 0 };

function reportUnused(
  { key: name, at, value }: YamlEntry,
  key: Exclude<ConfigKey, HonouredKey> | undefined,
  place: Place,
  { prefix, findings }: Reading,
): void {
  const { problem, note, problemCount } = findings;
  if (key === undefined) problem(at, describeUnknown(name, place, problemCount < MAX_NAMED_FINDINGS));
  else if (key.use === 'no effect') note(at, `${name} has no effect: ${key.about}`);
  // `proxy_from_environment: false`, `file_sd_configs: []` and `attach_metadata: {node: false}` ask for nothing.
  else if (!isEmpty(value)) {
    problem(at, `cannot use ${name}: ${key.about}; ${key.instead.replaceAll('<prefix>', prefix)}`);
  }
}

function isEmpty(node: YamlNode): boolean {
  if (node.kind === 'list') return node.items.length === 0;
  if (node.kind === 'mapping') return node.entries.every(({ value }) => isEmpty(value));
  return isNull(node) || node.text === '' || readFlag(node) === false;
}

/** `search`: for what was meant. Not done for what nobody is going to read: it takes its time. */
function describeUnknown(name: string, place: Place, search: boolean): string {
  const where = PLACES[place];
  const seeTable = 'docs/targets.md lists the keys';
  if (!search || !KEY_WORD.test(name)) return `cannot use a key: it is no key of ${where}; ${seeTable}`;
  const usable = (of: Place): readonly string[] =>
    Object.entries(CONFIG_KEYS[of] as KeyTable).flatMap(([key, { use }]) => (use === 'refused' ? [] : [key]));
  const home = (Object.keys(PLACES) as Place[]).find((other) => usable(other).includes(name));
  if (home !== undefined) {
    return `cannot use ${name}: it is a key of ${PLACES[home]}, not of ${where}; move it there`;
  }
  const near = nearestKey(name, usable(place));
  const remedy = near === undefined ? seeTable : `write ${near}`;
  return `cannot use ${name}: it is no key of ${where}; ${remedy}`;
}

/** The value, or undefined after a problem. */
function readValue(node: YamlNode, name: string, key: HonouredKey, reading: Reading): unknown {
  const { problem } = reading.findings;
  const { kind, max, example } = key;
  if (isNull(node) && kind !== 'choice') return undefined;
  if (kind === 'mapping' || kind === 'list' || kind === 'texts') {
    const wanted = kind === 'mapping' ? 'mapping' : 'list';
    if (node.kind !== wanted) {
      problem(node.at, describeShape(node, name, wanted, example));
      return undefined;
    }
    const size = node.kind === 'list' ? node.items.length : node.entries.length;
    if (max !== undefined && size > max) {
      problem(node.at, `cannot use ${name}: it has ${size} entries, and ${max} are the most; remove some`);
      return undefined;
    }
    return kind === 'texts' ? readTexts(node as YamlList, name, reading.findings) : node;
  }
  if (node.kind !== 'text') {
    problem(
      node.at,
      `cannot use ${name}: it is a ${node.kind}, not a single value; write ${name}: and the value`,
    );
    return undefined;
  }
  if (kind === 'secret') return readSecret(node, name, reading);
  if (kind === 'certificate') return readCertificate(node, name, max ?? MAX_TEXT_LENGTH, reading);
  return readScalar(node, name, key, reading.findings);
}

function describeShape(node: YamlNode, name: string, wanted: string, example: string | undefined): string {
  const found = node.kind === 'text' ? 'a single text' : `a ${node.kind}`;
  return `cannot use ${name}: it is ${found}, not a ${wanted}; write ${example ?? `its keys in lines below ${name}:`}`;
}

/** The texts of a list; a null among them is an empty one, as in Prometheus. */
export function readTexts({ items }: YamlList, name: string, { problem }: Findings): readonly string[] {
  return items.flatMap((item) => {
    const text = item.kind === 'text' ? readText(item) : undefined;
    if (text !== undefined && text.length <= MAX_TEXT_LENGTH) return [text];
    const cause =
      text === undefined
        ? `it is a ${item.kind}, not a text`
        : `it is longer than ${MAX_TEXT_LENGTH} characters`;
    problem(item.at, `cannot use an entry of ${name}: ${cause}; write one text per entry`);
    return [];
  });
}

export function readText(node: YamlText): string {
  return isNull(node) ? '' : node.text;
}

function readScalar(node: YamlText, name: string, key: HonouredKey, { problem }: Findings): unknown {
  const { text } = node;
  const { kind, max, choices } = key;
  const complain = (cause: string, remedy: string): undefined =>
    problem(node.at, `cannot use ${name}: ${cause}; ${remedy}`);
  if (kind === 'text') {
    const longest = max ?? MAX_TEXT_LENGTH;
    if (text.length <= longest) return text;
    return complain(`it is longer than ${longest} characters`, 'shorten it');
  }
  if (kind === 'flag')
    return readFlag(node) ?? complain(`${quote(text)} is neither true nor false`, 'write true or false');
  if (kind === 'duration') {
    const bare = /^[1-9]\d{0,8}$/.test(text)
      ? `write ${name}: ${text}s if seconds are meant`
      : 'write a number and its unit, such as 30s or 1m';
    return parseDuration(text) ?? complain(`${quote(text)} is no duration`, bare);
  }
  if (kind === 'choice') {
    // Actions and record types are read in any case, as in Prometheus; the others as they are written.
    const choice = choices?.find(
      (one) => one === text || (ANY_CASE.has(name) && one.toLowerCase() === text.toLowerCase()),
    );
    return choice ?? complain(`${quote(text)} is none of its values`, `write one of ${choices?.join(', ')}`);
  }
  const number = kind === 'bytes' ? parseByteSize(text) : readCount(text);
  if (number === undefined) {
    return kind === 'bytes'
      ? complain(
          `${quote(text)} is no size`,
          `write a number and its unit, such as ${/^\d+$/.test(text) ? `${text}B` : '5MB'}`,
        )
      : complain(`${quote(text)} is no whole number from 0 up`, 'write digits only');
  }
  if (max === undefined || number <= max) return number;
  return complain(`${quote(text)} is more than the maximum`, `write ${formatMaximum(kind, max)} at most`);
}

const ANY_CASE: ReadonlySet<string> = new Set(['action', 'type']);

export function formatMaximum(kind: Kind, max: number): string {
  return kind === 'bytes' ? `${max / 1024 / 1024}MiB` : String(max);
}

/** The words of YAML 1.1, which Prometheus reads. */
function readFlag({ text }: YamlText): boolean | undefined {
  if (/^(?:y|Y|yes|Yes|YES|true|True|TRUE|on|On|ON)$/.test(text)) return true;
  if (/^(?:n|N|no|No|NO|false|False|FALSE|off|Off|OFF)$/.test(text)) return false;
  return undefined;
}

/** Whole numbers: `1000`, `1_000`, `1e3`, `0x3e8`. Leading zeros are octal to some and not to others: refused. */
export function readCount(text: string): number | undefined {
  const digits = text.replace(/^\+/, '').replaceAll('_', '');
  if (!/^(?:0|[1-9]\d*(?:e\+?\d{1,2})?|0x[\da-fA-F]+)$/.test(digits)) return undefined;
  const number = Number(digits);
  return Number.isSafeInteger(number) ? number : undefined;
}

/**
 * A reference. The value itself is never quoted: it may be the secret. `what` names it in messages, `key` in the name of
 * the parameter that a remedy suggests, and `written` is how the reference then stands in the document.
 */
export function readSecret(
  node: YamlText,
  key: string,
  reading: Reading,
  what = key,
  written = (reference: SecretReference): string => `${key}: ${reference}`,
): SecretReference | undefined {
  const { text, at } = node;
  if (isSecretReference(text)) return text;
  const { command, reference } = storingSecret(reading.prefix, reading.job, key);
  const remedy = looksLikeReference(text)
    ? `it is no whole reference; write ${written(reference)}, or the ARN of a Secrets Manager secret with or without #field`
    : `a secret never stands in a document; store it with ${command} and write ${written(reference)}`;
  return reading.findings.problem(at, `cannot use ${what}: ${remedy}`);
}

/** PEM, which is public, or a reference to it. */
function readCertificate(
  node: YamlText,
  name: string,
  max: number,
  reading: Reading,
): Certificate | undefined {
  const { text, at } = node;
  const { problem } = reading.findings;
  if (text === '') return undefined;
  if (isSecretReference(text)) return { secret: text };
  if (/PRIVATE KEY/.test(text)) {
    const { command, reference } = storingSecret(reading.prefix, reading.job, 'key');
    const remedy = `remove it, store it with ${command} and write key: ${reference}`;
    return problem(at, `cannot use ${name}: it holds a private key; ${remedy}`);
  }
  if (!/-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----/.test(text)) {
    const remedy = `write ${name}: | and the PEM text below it, or a reference such as ssm:${reading.prefix}/secrets/ca`;
    return problem(at, `cannot use ${name}: it is neither PEM text nor a reference; ${remedy}`);
  }
  if (text.length <= max) return text;
  const remedy = 'keep the certificates that are needed, or write a reference';
  return problem(at, `cannot use ${name}: it is longer than ${max} characters; ${remedy}`);
}
