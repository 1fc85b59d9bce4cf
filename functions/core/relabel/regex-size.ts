/** How large a regex becomes when its repetitions are written out, told from its text alone. */

/** A class such as `\pL` has some 650 ranges; each copy of it costs as much as this many characters. */
const UNICODE_CLASS_SIZE = 50;

/** A literal `\Q..\E`, an escape, a bracket class, a counted repetition, or any one character (RE2 syntax). */
const TOKEN =
  /\\Q[\s\S]*?(?:\\E|$)|\\[pP](?:\{[^}]*\}|[\s\S])|\\x\{[^}]*\}|\\[\s\S]|\[\^?\]?(?:\[:\^?\w+:\]|\\[\s\S]|[^\]\\])*\]|\{(\d+)(,\d*)?\}|[\s\S]/g;

/**
 * About the instructions of the compiled program, rather more than fewer; Infinity past `most`. Compiling
 * `((a{1000}){1000}){1000}` to learn that it is too large would cost the memory that the bound is there to save.
 */
export function regexSize(regex: string, most: number): number {
  const outer: number[] = [];
  /** Of the group being read, and of the last thing in it, to which a repetition belongs. */
  let group = 0;
  let atom = 0;
  for (const [token, least, upTo] of regex.matchAll(TOKEN)) {
    if (least !== undefined) {
      // `x{2,}` is x, x and then x*.
      const copies = Math.max(Number(least), upTo === ',' ? Number(least) + 1 : Number(upTo?.slice(1) ?? 0));
      group += atom * (copies - 1);
      atom *= copies;
    } else if (token === '(') {
      outer.push(group);
      group = 1;
      atom = 0;
    } else if (token === ')') {
      atom = group + 1;
      group = (outer.pop() ?? 0) + atom;
    } else {
      atom = /\\[pP]/.test(token) ? UNICODE_CLASS_SIZE : token.startsWith('\\Q') ? token.length : 1;
      group += atom;
    }
    if (group > most) return Infinity;
  }
  const size = outer.reduce((sum, size) => sum + size, group);
  return size > most ? Infinity : size;
}
