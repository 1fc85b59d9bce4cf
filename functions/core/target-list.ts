/** The JSON list of target groups that `http_sd_configs` fetches, as strict as Prometheus reads it (discovery/targetgroup). */
import type { TargetGroup } from './scrape-config.ts';

/** Targets of one list: the size of deployment that this product is made for. */
export const MAX_LISTED_TARGETS = 10_000;

/** The groups, or a clause that says what is wrong. One bad group makes the list none, as in Prometheus. */
export function readTargetList(text: string): readonly TargetGroup[] | string {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    return 'its body is no JSON';
  }
  // Go reads null as an empty list.
  if (list === null) return [];
  if (!Array.isArray(list)) return 'its body is no JSON list of target groups';
  const groups: TargetGroup[] = [];
  let targets = 0;
  for (const [i, item] of list.entries()) {
    const group = readGroup(item);
    if (typeof group === 'string') return `its target group ${i + 1} ${group}`;
    groups.push(group);
    targets += group.targets.length;
  }
  return targets > MAX_LISTED_TARGETS ? `it lists more than ${MAX_LISTED_TARGETS} targets` : groups;
}

function readGroup(item: unknown): TargetGroup | string {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) return 'is no mapping';
  const { targets, labels, ...others } = item as Readonly<Record<string, unknown>>;
  if (Object.keys(others).length > 0) return 'has a key beside targets and labels';
  if (!isTextList(targets ?? [])) return 'has targets that are no list of texts';
  if (!isTextMap(labels ?? {})) return 'has labels that are no mapping of texts';
  return {
    targets: (targets ?? []) as readonly string[],
    labels: (labels ?? {}) as Readonly<Record<string, string>>,
  };
}

function isTextList(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}

function isTextMap(value: unknown): boolean {
  const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isMap && Object.entries(value).every(([name, text]) => name !== '' && typeof text === 'string');
}
