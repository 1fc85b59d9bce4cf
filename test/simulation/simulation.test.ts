/** A short form of `npm run simulate`: fixed seeds, and a few of the broken variants. */
import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import { missing, runCampaign } from './campaign.ts';
import { KEPT } from './kept.ts';
import { applyPatch, checkPatches, runVariant, variantNames } from './variants.ts';
import { newTally, play } from './world.ts';

const SEED = 4;
const WORLDS = 160;
const STEPS = 40;
/** These take the least; `npm run simulate -- --variants` has all of them. */
const SHORT = ['commit-before-the-answer', 'no-canary', 'not-written-first', 'window-from-the-clock'];

describe('the simulation', () => {
  test('keeps the promise in worlds of a fixed seed, every fault among them', async () => {
    const campaign = await runCampaign({ runs: WORLDS, seed: SEED, steps: STEPS });
    const { failure } = campaign;
    assert.equal(failure, undefined, `${failure?.message}\n${failure?.plan}\nreplay: ${failure?.replay}`);
    assert.deepEqual(missing(campaign), []);
  });

  for (const [name, plan] of Object.entries(KEPT)) test(name, () => play(plan, newTally()));

  test('catches products that are broken on purpose', async () => {
    for (const variant of SHORT) {
      const { campaign } = await runVariant(variant, SEED, STEPS);
      assert(campaign.failure !== undefined, `${variant} escaped`);
    }
  });

  test('has a patch for each of at least forty, which fits, and says when one no longer does', () => {
    assert(variantNames().length >= 40);
    for (const variant of SHORT) assert(variantNames().includes(variant));
    checkPatches();
    const patch = '--- a/package.json\n+++ b/package.json\n@@ -1 +1 @@\n-no such line\n+another\n';
    assert.throws(() => applyPatch(patch, `${import.meta.dirname}/../..`), /does not fit/);
  });
});
