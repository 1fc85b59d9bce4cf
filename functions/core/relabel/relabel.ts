/**
 * Relabelling as Prometheus does it (model/relabel): labels go through rules one after the other, and come out changed
 * or are dropped. RE2 regexes, whose time is linear in the text; Go's `$` templates.
 */
import { md5 } from '@noble/hashes/legacy.js';
import { RE2JS } from 're2js';
import { createLabelBuilder, getLabel, labelsOf, setLabel, type LabelBuilder } from './label-builder.ts';
import { toLower, toUpper } from './letter-case.ts';
import type { Labels } from '../model.ts';
import { unreachable } from '../outcome.ts';
import { regexSize } from './regex-size.ts';
import type { RelabelConfig } from '../scrape-config.ts';
import { compileTemplate, expand, type Captures, type Template } from './template.ts';

/** Prometheus' defaults (DefaultRelabelConfig). */
export const DEFAULT_RELABEL_CONFIG: RelabelConfig = {
  action: 'replace',
  sourceLabels: [],
  separator: ';',
  regex: '(.*)',
  modulus: 0,
  targetLabel: '',
  replacement: '$1',
};

/** Characters of one regex: all of the largest parameter, so that any list of metric names fits. */
export const MAX_REGEX_LENGTH = 8_192;
/**
 * What counted repetitions and Unicode classes may add to the length of a regex, in instructions. `[0-9a-f]{64}` adds
 * 51; each instruction costs memory, and time at each character of a value.
 */
export const MAX_REPETITION_SIZE = 1_000;
/** Instructions of all regexes in one list: some 100 MB at the very worst. */
export const MAX_RULES_SIZE = 50_000;
/**
 * Instructions of a regex times characters of the text it reads: some tenths of a second at the very worst, and a list of
 * 8,000 characters still reads 600. Labels with more to read are dropped, as by the rule.
 */
export const MAX_MATCH_STEPS = 5_000_000;
/** Rules of one list: more than anyone writes by hand. */
export const MAX_RULES = 500;
/** Labels joined by one rule: more than any target has reason to carry. */
export const MAX_SOURCE_LABELS = 64;
/**
 * What rules may build; Dynatrace takes 50 labels of 250 characters. A chain of `$1$1` or of labelmaps doubles with
 * each rule, so what grows past these is dropped, as by a rule.
 */
export const MAX_LABELS = 2_000;
export const MAX_NAME_LENGTH = 1_024;
export const MAX_VALUE_LENGTH = 65_536;

/** A rule ready to run. */
export interface RelabelRule {
  readonly config: RelabelConfig;
  readonly regex: RE2JS;
  readonly target: Template;
  readonly replacement: Template;
  /** Whether a template refers to what the regex captured; else it is enough to know that it matches. */
  readonly captures: boolean;
  /** Characters that the regex may be given to read. */
  readonly longest: number;
}

export type CompiledRules =
  | { readonly code: 'rules'; readonly rules: readonly RelabelRule[] }
  | { readonly code: 'wrong'; readonly message: string };

/** One rule, and the labels before and after it; undefined after the one that dropped them. */
export interface RelabelStep {
  readonly config: RelabelConfig;
  readonly before: Labels;
  readonly after: Labels | undefined;
}

/** The labels after all rules; undefined: dropped. */
export function relabel(labels: Labels, rules: readonly RelabelRule[]): Labels | undefined {
  const builder = createLabelBuilder(labels);
  return applyRules(builder, rules) ? labelsOf(builder) : undefined;
}

/** As `relabel`, rule by rule; ends with the rule that dropped the labels. */
export function relabelSteps(
  start: Labels | LabelBuilder,
  rules: readonly RelabelRule[],
): readonly RelabelStep[] {
  const builder = 'set' in start ? start : createLabelBuilder(start);
  const steps: RelabelStep[] = [];
  let before = labelsOf(builder);
  for (const rule of rules) {
    const after = applyRule(builder, rule) ? labelsOf(builder) : undefined;
    steps.push({ config: rule.config, before, after });
    if (after === undefined) break;
    before = after;
  }
  return steps;
}

/** Changes the labels by all rules; false: dropped. */
export function applyRules(builder: LabelBuilder, rules: readonly RelabelRule[]): boolean {
  return rules.every((rule) => applyRule(builder, rule));
}

function applyRule(builder: LabelBuilder, rule: RelabelRule): boolean {
  const { config, regex } = rule;
  const source = sourceOf(builder, config);
  if (source.length > rule.longest) return false;
  switch (config.action) {
    case 'replace':
      return replace(builder, rule, source);
    case 'keep':
      return regex.test(source);
    case 'drop':
      return !regex.test(source);
    case 'keepequal':
      return getLabel(builder, config.targetLabel) === source;
    case 'dropequal':
      return getLabel(builder, config.targetLabel) !== source;
    case 'hashmod':
      return put(builder, config.targetLabel, hashMod(source, config.modulus));
    case 'lowercase':
      return put(builder, config.targetLabel, toLower(source));
    case 'uppercase':
      return put(builder, config.targetLabel, toUpper(source));
    case 'labelmap':
    case 'labeldrop':
    case 'labelkeep':
      return changeNames(builder, rule);
    default:
      return unreachable(config.action);
  }
}

/** The values of the source labels, joined; a label that is not there is empty. */
function sourceOf(builder: LabelBuilder, { sourceLabels, separator }: RelabelConfig): string {
  if (sourceLabels.length === 1) return getLabel(builder, sourceLabels[0] as string);
  return sourceLabels.map((name) => getLabel(builder, name)).join(separator);
}

function replace(builder: LabelBuilder, rule: RelabelRule, source: string): boolean {
  const captured = capture(rule, source);
  if (captured === undefined) return true;
  return put(builder, expand(rule.target, captured), expand(rule.replacement, captured));
}

const NOTHING_CAPTURED: Captures = [];

function capture({ config, regex, captures }: RelabelRule, value: string): Captures | undefined {
  if (config.regex === DEFAULT_RELABEL_CONFIG.regex) return [value, value];
  if (!captures) return regex.test(value) ? NOTHING_CAPTURED : undefined;
  return (regex.exec(value) as Captures | null) ?? undefined;
}

/** MD5's last 8 bytes, big-endian, modulo: the same shard as in Prometheus. */
function hashMod(value: string, modulus: number): string {
  const hash = md5(new TextEncoder().encode(value));
  return String(new DataView(hash.buffer, hash.byteOffset).getBigUint64(8) % BigInt(modulus));
}

/** The actions on each label whose name matches, or does not. */
function changeNames(builder: LabelBuilder, rule: RelabelRule): boolean {
  const entries = builder.entries.slice();
  for (let i = 0; i < entries.length; i += 2) {
    const name = entries[i] as string;
    if (name.length > rule.longest) return false;
    const matches = rule.regex.test(name);
    if (rule.config.action !== 'labelmap') {
      if (matches === (rule.config.action === 'labeldrop')) setLabel(builder, name, '');
    } else if (matches && !put(builder, mappedName(rule, name), entries[i + 1] as string)) {
      return false;
    }
  }
  return true;
}

/** As Go's ReplaceAllString: what stands outside of the match stays. */
function mappedName({ regex, replacement }: RelabelRule, name: string): string {
  return regex.matcher(name).replaceAll((...captured) => expand(replacement, captured as Captures));
}

/**
 * Sets a label, or removes it if the value is empty; false past the bounds. Nothing is set without a name; there
 * `labelmap` in Prometheus makes a label that fails every scrape.
 */
function put(builder: LabelBuilder, name: string, value: string): boolean {
  if (name === '') return true;
  if (name.length > MAX_NAME_LENGTH || value.length > MAX_VALUE_LENGTH) return false;
  setLabel(builder, name, value);
  return builder.entries.length <= 2 * MAX_LABELS;
}

/** Ready to run, or what is wrong with the first rule that cannot. */
export function compileRelabel(configs: readonly RelabelConfig[]): CompiledRules {
  if (configs.length > MAX_RULES) {
    return wrong(`${configs.length} rules are more than ${MAX_RULES}; join some of them by | in one regex`);
  }
  let size = 0;
  const rules: RelabelRule[] = [];
  for (const config of configs) {
    const problem = checkRelabel(config);
    if (problem !== undefined) return { code: 'wrong', message: problem };
    size += sizeOf(config.regex);
    if (size > MAX_RULES_SIZE) {
      return wrong(`the regexes are together larger than ${MAX_RULES_SIZE} instructions; ${SHORTER}`);
    }
    rules.push(compileRule(config));
  }
  return { code: 'rules', rules };
}

function wrong(cause: string): CompiledRules {
  return { code: 'wrong', message: `cannot use the relabel rules: ${cause}` };
}

function compileRule(config: RelabelConfig): RelabelRule {
  const regex = compileRegex(config.regex);
  const groups = { count: regex.groupCount(), byName: regex.namedGroups() };
  const target = compileTemplate(config.targetLabel, groups);
  const replacement = compileTemplate(config.replacement, groups);
  const captures = [...target, ...replacement].some((part) => typeof part === 'number');
  const longest = Math.floor(MAX_MATCH_STEPS / (sizeOf(config.regex) + 1));
  return { config, regex, target, replacement, captures, longest };
}

function sizeOf(regex: string): number {
  return regexSize(regex, regex.length + MAX_REPETITION_SIZE);
}

/** As Prometheus: the text is put between anchors unread, so that `a)|(b` means what it means there. */
function compileRegex(regex: string): RE2JS {
  return RE2JS.compile(`^(?s:${regex})$`);
}

const SHORTER = 'use fewer or smaller repetitions, or a shorter list';

/**
 * What is wrong with a rule: all that Prometheus refuses when it loads one (Config.Validate, names in UTF-8), and our
 * bounds. Two things that Prometheus refuses pass, as they mean nothing: a field that is written out with its default
 * value where it may not stand, and an empty list of source labels. One that it takes is refused, as by RE2 itself: two
 * groups of one name.
 */
export function checkRelabel(config: RelabelConfig): string | undefined {
  const cause = checkFields(config) ?? checkNames(config) ?? checkRegex(config.regex);
  return cause === undefined ? undefined : `cannot relabel by ${config.action}: ${cause}`;
}

/** Actions that set a label, or compare with one. */
const WITH_TARGET = new Set(['replace', 'hashmod', 'lowercase', 'uppercase', 'keepequal', 'dropequal']);

/** The fields that may differ from their defaults, of actions which take but some. */
const FIELDS: Partial<Record<RelabelConfig['action'], readonly (keyof RelabelConfig)[]>> = {
  keepequal: ['sourceLabels', 'targetLabel'],
  dropequal: ['sourceLabels', 'targetLabel'],
  labeldrop: ['regex'],
  labelkeep: ['regex'],
  lowercase: ['sourceLabels', 'targetLabel', 'separator', 'regex', 'modulus'],
  uppercase: ['sourceLabels', 'targetLabel', 'separator', 'regex', 'modulus'],
};

const KEYS = {
  sourceLabels: 'source_labels',
  separator: 'separator',
  regex: 'regex',
  modulus: 'modulus',
  targetLabel: 'target_label',
  replacement: 'replacement',
} as const;

function checkFields(config: RelabelConfig): string | undefined {
  const { action, targetLabel, modulus, sourceLabels } = config;
  if (WITH_TARGET.has(action) && targetLabel === '') {
    return 'target_label is missing; name a label, such as target_label: instance';
  }
  if (action === 'hashmod' && modulus === 0) {
    return 'modulus is missing or 0; write into how many parts to divide, such as modulus: 8';
  }
  if (!Number.isSafeInteger(modulus) || modulus < 0) {
    return `modulus is no whole number up to ${Number.MAX_SAFE_INTEGER}; write one, such as modulus: 8`;
  }
  if (sourceLabels.length > MAX_SOURCE_LABELS) {
    return `${sourceLabels.length} source labels are more than ${MAX_SOURCE_LABELS}; join them in two rules`;
  }
  const allowed = FIELDS[action];
  for (const [field, key] of Object.entries(KEYS) as [keyof typeof KEYS, string][]) {
    if (allowed === undefined || allowed.includes(field)) continue;
    if (String(config[field]) === String(DEFAULT_RELABEL_CONFIG[field])) continue;
    const only = allowed.map((name) => KEYS[name as keyof typeof KEYS]).join(', ');
    return `${key} has no meaning there; remove it, this action takes only ${only}`;
  }
  return undefined;
}

/** Prometheus 3 takes any UTF-8 text for a label name, `$` included, but no empty one. */
function checkNames({ action, targetLabel, replacement, ...config }: RelabelConfig): string | undefined {
  if (action === 'labelmap' && replacement === '') {
    return 'replacement is empty, which is no label name; write one, such as replacement: $1';
  }
  const names = [...config.sourceLabels, targetLabel, replacement, config.separator];
  if (!names.every((text) => text.isWellFormed())) {
    return 'it holds half of a character (a lone surrogate); write it in UTF-8';
  }
  if (targetLabel.length > MAX_NAME_LENGTH) {
    return `target_label is longer than ${MAX_NAME_LENGTH} characters; write a shorter one`;
  }
  return undefined;
}

function checkRegex(regex: string): string | undefined {
  if (regex.length > MAX_REGEX_LENGTH) {
    return `the regex is longer than ${MAX_REGEX_LENGTH} characters; divide it among several rules`;
  }
  if (sizeOf(regex) === Infinity) {
    return `the repetitions in the regex make more than ${MAX_REPETITION_SIZE} instructions; ${SHORTER}`;
  }
  try {
    compileRegex(regex);
    return undefined;
  } catch (error) {
    const cause = (error as Error).message.replace(/^error parsing regexp: /, '');
    return `the regex does not compile: ${cause}; write it in RE2's syntax, as for Prometheus`;
  }
}
