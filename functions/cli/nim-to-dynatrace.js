#!/usr/bin/env node
// Plain JavaScript, so that an old Node can still say what it lacks. In the clone the rest is TypeScript, which Node
// runs as it is; the package has it bundled, for older ones too.
import { existsSync } from 'node:fs';

const inClone = existsSync(new URL('main.ts', import.meta.url));
const [oldestMajor, oldestMinor] = inClone ? [22, 19] : [20, 15];
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < oldestMajor || (major === oldestMajor && minor < oldestMinor)) {
  process.stderr.write(
    `cannot run nim-to-dynatrace: Node ${process.versions.node} is older than ${oldestMajor}.${oldestMinor}; ` +
      `install a newer Node${inClone ? ', or on Linux x64 run `npm ci`, which brings its own' : ''}\n`,
  );
  process.exit(2);
}
const { main } = await import(inClone ? './main.ts' : '../../dist/cli/main.js');
process.exitCode = await main(process.argv.slice(2));
