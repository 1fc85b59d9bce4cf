/** `npm run bench -- <name>`: measures one thing against its plain alternative; 1 if it falls short of its contract. */
import { benchParse } from './parse.ts';

/** A bench prints what it measured and says whether that meets its contract. */
const BENCHES: Readonly<Record<string, () => boolean>> = { parse: benchParse };

const name = process.argv[2] ?? '';
const bench = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
if (bench === undefined) {
  process.stderr.write(
    `cannot run bench "${name}": no such bench; one of ${Object.keys(BENCHES).join(', ')}\n`,
  );
  process.exitCode = 2;
} else if (!bench()) process.exitCode = 1;
