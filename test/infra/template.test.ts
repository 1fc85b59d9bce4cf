/**
 * The templates as they were reviewed. A change that is meant is taken over by
 * `node --test --test-update-snapshots test/infra/template.test.ts`; read its diff as a change of what is deployed.
 */
import { test } from 'node:test';
import { everything, newStack, templateOf } from './construct.ts';

/** Without what changes with the code of the functions only. */
function masked(template: unknown): unknown {
  return JSON.parse(JSON.stringify(template).replace(/"[0-9a-f]{64}\.zip"/g, '"<asset>.zip"'));
}

test('the default', (t) => {
  t.assert.snapshot(masked(templateOf().toJSON()));
});

test('everything on', (t) => {
  const stack = newStack();
  t.assert.snapshot(masked(templateOf(everything(stack), stack).toJSON()));
});
