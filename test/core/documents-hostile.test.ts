/**
 * Documents made to hurt: random YAML of the right keys and the wrong values, real documents that were cut and stirred,
 * and plain noise. None may throw, take long or show a secret, and a document with problems is never used.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { MAX_NAMED_FINDINGS } from '../../functions/core/config/config-bounds.ts';
import { CONFIG_KEYS } from '../../functions/core/config/config-keys.ts';
import { readDocuments } from '../../functions/core/config/documents.ts';
import { WRITTEN } from './written-documents.ts';

const RUNS = 400;
/** Stands wherever a document may hold a secret by mistake. */
const PLANTED = 'pl4nted';

const anyKey = fc.constantFrom(
  ...new Set(Object.values(CONFIG_KEYS).flatMap((table) => Object.keys(table))),
  'constructor',
  '__proto__',
  'scrape_intervall',
  '<<',
  '',
);
const anyText = fc.oneof(
  fc.constantFrom(
    'a:1',
    '10.0.0.1:8000',
    '30s',
    '0',
    '',
    'true',
    'null',
    '~',
    '1e999',
    '-1',
    '0x',
    '9'.repeat(400),
  ),
  fc.constantFrom(
    'replace',
    'hashmod',
    '$1',
    '(',
    '(a+)+$',
    '[',
    'http://a/b',
    '*a',
    '&a',
    '!!binary x',
    '|',
    '>',
    '%',
    '@',
  ),
  fc.string({ unit: 'binary', maxLength: 12 }),
);
/** Mappings of our keys, lists and texts, as JSON, which is YAML. */
const { value: anyValue } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 6, withCrossShrink: true },
    anyText,
    fc.array(tie('value'), { maxLength: 4 }),
    fc
      .array(fc.tuple(anyKey, tie('value')), { maxLength: 5 })
      .map((entries) => Object.fromEntries(entries) as unknown),
  ),
}));
const secretPlaces = fc.constantFrom(
  { authorization: { credentials: PLANTED } },
  { authorization: { type: `Bearer ${PLANTED}`, credentials: 'ssm:/a' } },
  { basic_auth: { username: 'a', password: PLANTED } },
  { bearer_token: PLANTED },
  { tls_config: { key: PLANTED } },
  { http_headers: { 'X-Api-Key': { values: [PLANTED], secrets: [PLANTED] } } },
  { oauth2: { client_secret: PLANTED } },
  { proxy_url: `http://a:${PLANTED}@b` },
  { static_configs: [{ targets: [`a:${PLANTED}@b:80`, `https://${PLANTED}@c/d`] }] },
);
const json = fc
  .tuple(anyValue, secretPlaces, fc.boolean())
  .map(([value, secret, whole]) =>
    JSON.stringify(
      whole
        ? { scrape_configs: [value, secret] }
        : { ...(typeof value === 'object' && !Array.isArray(value) ? value : {}), ...secret },
    ),
  );
/** A real document with pieces cut out, doubled or replaced. */
const stirred = fc
  .tuple(
    fc.constantFrom(...Object.values(WRITTEN)),
    fc.array(
      fc.tuple(
        fc.nat(),
        fc.nat({ max: 40 }),
        fc.constantFrom(
          '',
          ' ',
          '\n',
          '\t',
          ':',
          '- ',
          '*',
          '&a ',
          '"',
          "'",
          '{',
          '[',
          '<<: *a',
          '\n---\n',
          '#',
          '\u0000',
          '\ud800',
        ),
      ),
      { maxLength: 6 },
    ),
  )
  .map(([text, cuts]) =>
    cuts.reduce((now, [at, length, put]) => {
      const start = at % (now.length + 1);
      return now.slice(0, start) + put + now.slice(start + length);
    }, text),
  );
const noise = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.string({
    unit: fc.constantFrom(
      'a',
      ':',
      ' ',
      '\n',
      '-',
      '[',
      ']',
      '{',
      '}',
      ',',
      '"',
      "'",
      '&',
      '*',
      '#',
      '|',
      '?',
      '!',
    ),
    maxLength: 120,
  }),
);

function check(...values: readonly string[]): void {
  const documents = values.map((value, index) => ({ name: `/p/targets/${index}`, value }));
  const { configs, problems, notes, refused } = readDocuments(documents);
  assert(problems.length + notes.length <= 2 * values.length * (MAX_NAMED_FINDINGS + 1));
  const printed = JSON.stringify([problems, notes]);
  assert(!printed.includes(PLANTED), printed);
  for (const { message } of problems) {
    assert.match(message, /^(?:cannot .+: .+; .+|and \d+ more problems)$/s);
    assert(message.length < 1000, message);
  }
  // Nothing of a refused document is used, and only of a refused one nothing is.
  if (refused.length === values.length) assert.deepEqual(configs, []);
  for (const config of configs) {
    assert(config.jobName !== '');
    assert(config.scrapeTimeoutMs > 0 && config.scrapeTimeoutMs <= config.scrapeIntervalMs);
    assert(config.settings.sampleLimit > 0 && config.settings.bodySizeLimitBytes > 0);
  }
}

describe('a hostile document', () => {
  test('of our own keys and any values, with a secret in it', () => {
    fc.assert(
      fc.property(json, json, (a, b) => check(a, b)),
      { numRuns: RUNS },
    );
  });

  test('that was a good one', () => {
    fc.assert(
      fc.property(stirred, stirred, (a, b) => check(a, b)),
      { numRuns: RUNS },
    );
  });

  test('of noise', () => {
    fc.assert(
      fc.property(noise, (a) => check(a)),
      { numRuns: RUNS },
    );
  });

  test('as large as a Prometheus file may be', () => {
    const size = 256 * 1024;
    const fill = (text: string): string => text.repeat(Math.floor(size / text.length));
    for (const text of [
      'k: [',
      'a: b\n',
      '"',
      'a: ',
      'a, ',
      '- a: b\n',
      '? ',
      '# a: b\n',
      'a:1 ',
      '*a ',
      '!a ',
      '\t',
      '\u0000',
    ]) {
      check(fill(text));
      check(`a: ${fill(text).slice(3)}`);
    }
    check(Array.from({ length: 50_000 }, (_, index) => `k${index}:`).join('\n'));
    check(
      `static_configs: [{targets: [${Array.from({ length: 60_000 }, (_, index) => `a:${index}`).join()}]}]`,
    );
    check(`static_configs: [{targets: [${'"x y",'.repeat(30_000)}]}]`);
  });

  test('whose aliases repeat lists of rules', () => {
    const rules = `- relabel_configs: &r [${'{regex: (.*), target_label: a},'.repeat(100)}]\n`;
    check(
      rules +
        Array.from({ length: 600 }, (_, index) => `- {job_name: j${index}, relabel_configs: *r}\n`).join(''),
    );
  });
});
