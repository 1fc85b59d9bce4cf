/** The key that was probably meant. */

/** A word that may stand in a message; what looks otherwise, or is longer, may be a secret that slipped. */
export const KEY_WORD = /^[A-Za-z_][\w.-]{0,40}$/;

/** Longer words are no misspelt keys; the comparison is quadratic. */
export const MAX_COMPARED_LENGTH = 48;

/** The nearest of `known` to `word`, if it is near; `scrapeInterval` and `interval` are near `scrape_interval`. */
export function nearestKey(word: string, known: readonly string[]): string | undefined {
  if (word === '' || word.length > MAX_COMPARED_LENGTH) return undefined;
  const snake = word
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/[\s.-]+/g, '_')
    .toLowerCase();
  const near = known
    .map((key) => ({ key, edits: editDistance(snake, key) }))
    .filter(({ edits }) => edits <= Math.min(3, Math.floor(snake.length / 3)))
    .toSorted((a, b) => a.edits - b.edits)[0];
  return near?.key ?? known.find((key) => key.endsWith(`_${snake}`) || key.startsWith(`${snake}_`));
}

/** Letters to insert, remove, replace, or exchange with their neighbour. */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let edits = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + same);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) edits = Math.min(edits, (before[j - 2] ?? 0) + 1);
      row.push(edits);
    }
    before = last;
    last = row;
  }
  return last[b.length] ?? 0;
}
