/**
 * `npm run peers -- [build | PAGE...]`: replays a sequence of pages to this product and to its peers, and prints what
 * of the truth each of them reported. `build` makes the peers first; without pages the sequence beside this file.
 */
import { existsSync, readFileSync } from 'node:fs';
import { COLLECTOR_VERSIONS, buildPeers, collectorPath, vmagentPath } from './build.ts';
import { OURS, type Peer, VMAGENT, collector } from './peers.ts';
import { replay } from './replay.ts';
import { type Counts, countTruth } from './sequence.ts';
import { SEQUENCE } from './pages/sequence.ts';

const args = process.argv.slice(2);
if (args[0] === 'build') buildPeers();
else {
  const pages = (args.length > 0 ? args : SEQUENCE).map((file) => readFileSync(file, 'utf8'));
  const peers = builtPeers();
  for (const restarted of [false, true]) {
    process.stdout.write(restarted ? '\nthe reporter itself restarted after the second page\n' : '');
    await compare(peers, pages, restarted);
  }
}

function builtPeers(): readonly Peer[] {
  if (![...COLLECTOR_VERSIONS.map(collectorPath), vmagentPath()].every((file) => existsSync(file))) {
    process.stderr.write('without the peers, which are not built: npm run peers -- build\n');
    return [OURS];
  }
  const collectors = [false, true].flatMap((startTime) =>
    COLLECTOR_VERSIONS.map((version) => collector(version, startTime)),
  );
  return [...collectors, VMAGENT, OURS];
}

/** Metrics across, reporters downwards, as a Markdown table. */
async function compare(peers: readonly Peer[], pages: readonly string[], restarted: boolean): Promise<void> {
  const truth = countTruth(pages);
  const names = [...truth].filter(([, count]) => count !== 0).map(([name]) => name);
  const row = (name: string, counts: Counts): string =>
    line([name, ...names.map((metric) => String(Math.round((counts.get(metric) ?? 0) * 1000) / 1000))]);
  process.stdout.write(line(['', ...names.map((name) => `\`${name}\``)]));
  process.stdout.write(line(['---', ...names.map(() => '--:')]));
  process.stdout.write(row('*counted, as the pages show*', truth));
  for (const peer of peers) process.stdout.write(row(peer.name, await replay(peer, pages, restarted)));
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |\n`;
}
