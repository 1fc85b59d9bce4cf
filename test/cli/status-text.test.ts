/** What a person sees of a status, line by line. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_STATUS_ROWS, STATUS_WIDTH, statusText } from '../../functions/cli/status-text.ts';
import type { JudgedTarget, StatusFinding } from '../../functions/core/status.ts';

const NOW_MS = Date.parse('2026-01-01T12:00:00Z');
const FACTS = { targets: [], shards: [], dispatch: undefined, problems: [] };

const judged = (instance: string, changes: Partial<JudgedTarget> = {}): JudgedTarget => ({
  key: `target/nim/${encodeURIComponent(instance)}/http://${instance}`,
  state: 'up',
  isDown: false,
  item: {
    key: instance,
    job: 'nim',
    instance,
    url: `http://${instance}`,
    up: true,
    samples: 392,
    version: 2,
    writer: 'run',
    lastScrapeAtMs: NOW_MS - 35_000,
    scrapeDurationMs: 1_035,
  },
  ...changes,
});

function linesOf(targets: readonly JudgedTarget[], findings: readonly StatusFinding[] = []) {
  const ok = findings.length === 0 && !targets.some(({ isDown }) => isDown);
  const status = { targets, findings, ok };
  return statusText({ facts: FACTS, status, tableName: 'state', nowMs: NOW_MS }).trimEnd().split('\n');
}

test('a row for each target, what is wrong below it, the verdict at the end', () => {
  const item = { ...judged('b:8000').item!, pendingSinceMs: NOW_MS - 420_000, pendingSeries: 12 };
  const down = judged('b:8000', { item, state: 'down', isDown: true, problem: 'connect: cannot scrape' });
  const fresh: JudgedTarget = { key: 'target/nim/c%3A1/http://c:1', state: 'new', isDown: false };
  assert.deepEqual(linesOf([down, judged('a:8000'), fresh]), [
    'table    state',
    'tick     none',
    'targets  1 down, 1 up, 1 new',
    '',
    'job  instance  state  scraped    took  samples  pending',
    'nim  b:8000    down       35s  1s35ms      392  7m (12)',
    '    connect: cannot scrape',
    'nim  a:8000    up         35s  1s35ms      392        -',
    'nim  c:1       new          -       -        -        -',
    '',
    'not all is well: 1 target',
  ]);
});

test('no line is wider than a terminal, and long names keep both ends', () => {
  const instance = `${'long-'.repeat(20)}end:8000`;
  const message = `cannot ${'read all of it '.repeat(20)}`;
  const long = judged(instance, { isDown: true, state: 'down', problem: message });
  const lines = linesOf([long], [{ code: 'refused', message }]);
  assert.ok(
    lines.every((line) => line.length <= STATUS_WIDTH),
    lines.join('\n'),
  );
  assert.match(lines.join('\n'), /nim {2}long-long-l…[\w-]*end:8000 /);
});

test('a word that is wider is left whole, so that it can be copied', () => {
  const arn = 'a'.repeat(STATUS_WIDTH + 1);
  assert.ok(linesOf([], [{ code: 'refused', message: `cannot read ${arn} here` }]).includes(`  ${arn}`));
});

test('200 rows, of 201 the last one is counted', () => {
  const many = (n: number) => Array.from({ length: n }, (_, i) => judged(`nim-${i}:8000`));
  assert.ok(!linesOf(many(MAX_STATUS_ROWS)).some((line) => line.includes('more')));
  const lines = linesOf(many(MAX_STATUS_ROWS + 1));
  assert.ok(lines.includes('  and 1 more; -o json has them all'));
  assert.equal(lines.filter((line) => line.startsWith('nim ')).length, MAX_STATUS_ROWS);
});
