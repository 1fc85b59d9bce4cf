/** Fewer buckets, for a Dynatrace that keeps no more: Managed stores 12 of a point. */

/** Fewer would be no distribution. */
export const MIN_BUCKETS = 2;

export interface Buckets {
  /** Upper bounds; the last bucket has none. */
  readonly bounds: readonly number[];
  readonly buckets: readonly number[];
}

/**
 * Merges neighbours until `maxBuckets` are left: what they count is added up, so count and sum stay as they were. Which
 * bounds stay hangs on the bounds alone, so that a series keeps them from point to point: the first, the last, and
 * evenly many in between.
 */
export function mergeBuckets({ bounds, buckets }: Buckets, maxBuckets: number): Buckets {
  if (buckets.length <= maxBuckets) return { bounds, buckets };
  const left = maxBuckets - 1;
  const kept = Array.from({ length: left }, (_, i) =>
    left === 1 ? Math.floor((bounds.length - 1) / 2) : Math.round((i * (bounds.length - 1)) / (left - 1)),
  );
  const merged: number[] = [];
  let at = 0;
  for (const end of [...kept, buckets.length - 1]) {
    let sum = 0;
    for (; at <= end; at++) sum += buckets[at] as number;
    merged.push(sum);
  }
  return { bounds: kept.map((i) => bounds[i] as number), buckets: merged };
}
