import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { MAX_TOLD, createToldOnce } from '../../functions/core/told-once.ts';

test(`each thing is new once, until more than ${MAX_TOLD} were told`, () => {
  const toldOnce = createToldOnce();
  for (let i = 0; i < MAX_TOLD; i++) assert.equal(toldOnce(`thing ${i}`), true);
  assert.equal(toldOnce('thing 0'), false);
  assert.equal(toldOnce('one more'), true);
  assert.equal(toldOnce('thing 0'), true);
});
