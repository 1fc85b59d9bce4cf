/** The CDK app that the README shows, as files that Node runs. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

const README = new URL('../../README.md', import.meta.url);

/** As it stands there: JavaScript and TypeScript at once, an ES module. */
export function readmeApp(): string {
  const section = /### In your own CDK app\n[\s\S]*?```ts\n([\s\S]*?)```/.exec(readFileSync(README, 'utf8'));
  assert(section?.[1] !== undefined, 'the README has no section "In your own CDK app" with a ts block');
  return section[1];
}

/** By file name. A plain Node program has to call synth() where the CDK command line does not ask for it. */
export function runnableApps(): Readonly<Record<string, string>> {
  const module = `${readmeApp()}app.synth();\n`;
  return {
    'app.mjs': module,
    'app.cjs': module.replaceAll(/^import (.*) from (.*);$/gm, 'const $1 = require($2);'),
  };
}
