/** Templates that refer to what a regex captured, `$1` and `${name}`, by the rules of Go's Regexp.Expand. */

/** Text, and numbers of groups between it. */
export type Template = readonly (string | number)[];

/** What each group captured, the whole match first; undefined where a group took no part. */
export type Captures = readonly (string | undefined)[];

/** A reference takes all letters, digits and `_` that follow: `$1abc` is the group named `1abc`. */
const REFERENCE = /\$(?:\$|\{([\p{L}\p{Nd}_]+)\}|([\p{L}\p{Nd}_]+))/gu;

/** Reads a template. `$$` is a dollar, so is a `$` without a name; a group that does not exist is empty. */
export function compileTemplate(
  text: string,
  groups: { readonly count: number; readonly byName: Readonly<Record<string, number>> },
): Template {
  const parts: (string | number)[] = [];
  let from = 0;
  for (const reference of text.matchAll(REFERENCE)) {
    if (reference.index > from) parts.push(text.slice(from, reference.index));
    from = reference.index + reference[0].length;
    const name = reference[1] ?? reference[2];
    const group = name === undefined ? '$' : groupOf(name, groups);
    if (group !== undefined) parts.push(group);
  }
  if (from < text.length) parts.push(text.slice(from));
  return parts;
}

/** A number without leading zeros is a number, anything else a name. */
function groupOf(
  name: string,
  { count, byName }: { readonly count: number; readonly byName: Readonly<Record<string, number>> },
): number | undefined {
  if (!/^(?:0|[1-9]\d*)$/.test(name)) return Object.hasOwn(byName, name) ? byName[name] : undefined;
  return Number(name) <= count ? Number(name) : undefined;
}

export function expand(template: Template, captured: Captures): string {
  let text = '';
  for (const part of template) text += typeof part === 'number' ? (captured[part] ?? '') : part;
  return text;
}
