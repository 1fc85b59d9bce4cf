/** Cases that a real Prometheus decided: rules as its YAML has them. */
import { readFileSync } from 'node:fs';
import type { RelabelConfig } from '../../functions/core/scrape-config.ts';
import {
  compileRelabel,
  DEFAULT_RELABEL_CONFIG,
  type RelabelRule,
} from '../../functions/core/relabel/relabel.ts';

export interface VectorRule {
  readonly action?: RelabelConfig['action'];
  readonly source_labels?: readonly string[];
  readonly separator?: string;
  readonly regex?: string;
  readonly modulus?: number;
  readonly target_label?: string;
  readonly replacement?: string;
}

export function readVectors<T>(file: string): T {
  return JSON.parse(readFileSync(new URL(`vectors/${file}`, import.meta.url), 'utf8')) as T;
}

/** With Prometheus' defaults. */
export function configOf(rule: VectorRule): RelabelConfig {
  const preset = DEFAULT_RELABEL_CONFIG;
  return {
    action: rule.action ?? preset.action,
    sourceLabels: rule.source_labels ?? preset.sourceLabels,
    separator: rule.separator ?? preset.separator,
    regex: rule.regex ?? preset.regex,
    modulus: rule.modulus ?? preset.modulus,
    targetLabel: rule.target_label ?? preset.targetLabel,
    replacement: rule.replacement ?? preset.replacement,
  };
}

/** Compiled; a rule that does not load fails the test with its message. */
export function rulesOf(...rules: readonly VectorRule[]): readonly RelabelRule[] {
  const compiled = compileRelabel(rules.map(configOf));
  if (compiled.code === 'wrong') throw new Error(compiled.message);
  return compiled.rules;
}
