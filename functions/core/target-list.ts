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
  let targets: unknown = [];
  let labels: unknown = {};
  for (const [key, value] of Object.entries(item)) {
    // Go's names of fields have no case, and its null is nothing.
    const name = key.toUpperCase();
    if (name === 'TARGETS') targets = value ?? [];
    else if (name === 'LABELS') labels = value ?? {};
    else return 'has a key beside targets and labels';
  }
  if (!isTextList(targets)) return 'has targets that are no list of texts';
  if (!isTextMap(labels)) return 'has labels that are no mapping of texts';
  return {
    targets: targets.map(textOf),
    labels: Object.fromEntries(Object.entries(labels).map(([name, text]) => [textOf(name), textOf(text)])),
  };
}

type Text = string | null;

function isTextList(value: unknown): value is readonly Text[] {
  return Array.isArray(value) && value.every(isText);
}

function isTextMap(value: unknown): value is Readonly<Record<string, Text>> {
  const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isMap && Object.entries(value).every(([name, text]) => name !== '' && isText(text));
}

function isText(value: unknown): value is Text {
  return typeof value === 'string' || value === null;
}

/** Half a surrogate is U+FFFD to Go. */
function textOf(text: Text): string {
  return (text ?? '').toWellFormed();
}
