/** A set of labels while it changes. */
import type { Labels } from '../model.ts';

/**
 * Names and values in turn. Those before `set` are as they came, sorted; behind them stand those that were set since,
 * in the order of their setting. The order decides which of two labels wins that `labelmap` gives one name, and is
 * Prometheus' own (model/labels, Builder).
 */
export interface LabelBuilder {
  readonly entries: string[];
  set: number;
}

/** Starts from `labels`; an empty value is no label. */
export function createLabelBuilder(labels: Labels): LabelBuilder {
  const entries: string[] = [];
  for (let i = 0; i < labels.length; i += 2) {
    if (labels[i + 1] !== '') entries.push(labels[i] as string, labels[i + 1] as string);
  }
  return { entries, set: entries.length };
}

/** The label's value, empty if there is none. */
export function getLabel({ entries }: LabelBuilder, name: string): string {
  const at = indexOf(entries, name);
  return at < 0 ? '' : (entries[at + 1] as string);
}

/** Whether the label was set, to whatever value, since the start. */
export function wasSet({ entries, set }: LabelBuilder, name: string): boolean {
  return indexOf(entries, name) >= set;
}

/** Sets a label; an empty value removes it. */
export function setLabel(builder: LabelBuilder, name: string, value: string): void {
  const { entries } = builder;
  const at = indexOf(entries, name);
  if (value !== '' && at >= builder.set) {
    entries[at + 1] = value;
    return;
  }
  if (at >= 0) {
    entries.splice(at, 2);
    if (at < builder.set) builder.set -= 2;
  }
  if (value !== '') entries.push(name, value);
}

/** The labels as they are now, sorted by name. */
export function labelsOf({ entries }: LabelBuilder): Labels {
  if (entries.every((text, i) => i % 2 === 1 || i === 0 || (entries[i - 2] as string) < text)) {
    return entries.slice();
  }
  const pairs: [string, string][] = [];
  for (let i = 0; i < entries.length; i += 2) pairs.push([entries[i] as string, entries[i + 1] as string]);
  return pairs.sort((a, b) => (a[0] < b[0] ? -1 : 1)).flat();
}

function indexOf(entries: readonly string[], name: string): number {
  for (let i = 0; i < entries.length; i += 2) if (entries[i] === name) return i;
  return -1;
}
