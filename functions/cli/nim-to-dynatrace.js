#!/usr/bin/env node
// Plain JavaScript, so that an old Node can still say what it lacks: the rest is TypeScript, which Node runs as it is.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 19)) {
  process.stderr.write(
    `cannot run nim-to-dynatrace: Node ${process.versions.node} is older than 22.19; ` +
      'install a newer Node, or on Linux x64 run `npm ci`, which brings its own\n',
  );
  process.exit(2);
}
const { main } = await import('./main.ts');
process.exitCode = await main(process.argv.slice(2));
