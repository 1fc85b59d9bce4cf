/** What a process has said already: the world repeats itself each minute, the log need not. */

/** Things remembered; beyond it all are forgotten, and said once more. */
export const MAX_TOLD = 1_000;

/** Whether this is said for the first time. */
export type ToldOnce = (what: string) => boolean;

export function createToldOnce(): ToldOnce {
  const told = new Set<string>();
  return (what) => {
    if (told.has(what)) return false;
    if (told.size >= MAX_TOLD) told.clear();
    told.add(what);
    return true;
  };
}
