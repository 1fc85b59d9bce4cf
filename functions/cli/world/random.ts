/** A seeded source of numbers; equal seeds give equal sequences. */
export interface Random {
  /** Uniform in [0, 1). */
  readonly uniform: () => number;
  /** Whole number of events where `mean` are expected (at most a few hundred). */
  readonly poisson: (mean: number) => number;
  /** Around `median`, skewed to the right; `spread` is the standard deviation of its logarithm. */
  readonly lognormal: (median: number, spread: number) => number;
}

/** mulberry32: 32 bits of state are plenty for a demonstration. */
export function createRandom(seed: number): Random {
  let state = seed | 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  // Knuth: how many uniform factors until the product falls below e^-mean.
  const poisson = (mean: number) => {
    const floor = Math.exp(-mean);
    let events = 0;
    for (let product = uniform(); product > floor; product *= uniform()) events++;
    return events;
  };
  // Box and Muller.
  const lognormal = (median: number, spread: number) => {
    const normal = Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
    return median * Math.exp(spread * normal);
  };
  return { uniform, poisson, lognormal };
}
