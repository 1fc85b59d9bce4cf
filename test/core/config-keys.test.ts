/** The table of keys: nothing of Prometheus is forgotten, and docs/targets.md prints what the code goes by. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { PLACES } from '../../functions/core/config/config-key.ts';
import type { ConfigKey, KeyTable, Place } from '../../functions/core/config/config-key.ts';
import { CONFIG_KEYS } from '../../functions/core/config/config-keys.ts';
import { DYNATRACE_KEYS } from '../../functions/core/config/config-keys-dynatrace.ts';
import { LIST_TIMEOUT_MS, MAX_LIST_BYTES } from '../../functions/adapters/http-sd.ts';
import { MAX_OBJECTS } from '../../functions/adapters/kubernetes-lists.ts';
import { MAX_FILTER_NAMES } from '../../functions/core/kubernetes/annotations.ts';
import { MAX_LISTED_TARGETS } from '../../functions/core/target-list.ts';
import {
  MAX_DISCOVERIES,
  MAX_DNS_NAMES,
  MAX_DOCUMENTS,
  MAX_JOBS,
  MAX_NAMESPACES,
  MAX_RELABEL_RULES,
  MAX_STATIC_TARGETS,
} from '../../functions/core/config/config-bounds.ts';
import { readDocuments } from '../../functions/core/config/documents.ts';
import { formatMaximum } from '../../functions/core/config/config-reading.ts';

// The yaml tags of the structs of Prometheus v0.316.0 and prometheus/common v0.72.1, and all its discoveries.
const THEIRS = JSON.parse(
  readFileSync(new URL('fixtures/prometheus-keys.json', import.meta.url), 'utf8'),
) as Record<string, readonly string[]>;

const placesOfTable = Object.keys(PLACES) as readonly Place[];
const tableOf = (place: Place): KeyTable => CONFIG_KEYS[place];

describe('the table of keys', () => {
  for (const [place, keys] of Object.entries(THEIRS)) {
    test(`has every key of Prometheus for ${place}`, () => {
      const ours = Object.keys(tableOf(place as Place));
      assert.deepEqual(
        keys.filter((key) => !ours.includes(key)),
        [],
      );
    });
  }

  test('has none that Prometheus has not, but for older keys, those of remote_write, and our own', () => {
    const more = placesOfTable.flatMap((place) =>
      Object.keys(tableOf(place)).filter((key) => !(THEIRS[place] ?? []).includes(key)),
    );
    const ofRemoteWrite = ['sigv4', 'azuread', 'google_iam'];
    assert.deepEqual(more, [
      'dynatrace',
      'scrape_classic_histograms',
      ...ofRemoteWrite,
      // Of http_sd_configs, then of kubernetes_sd_configs.
      ...ofRemoteWrite,
      'dynatrace',
      ...ofRemoteWrite,
      'annotations',
      ...Object.keys(DYNATRACE_KEYS),
    ]);
  });

  test('says of each refused key what to use instead, and of each key one sentence', () => {
    for (const place of placesOfTable) {
      for (const [name, key] of Object.entries(tableOf(place))) {
        assert(key.about.length > 5, name);
        if (key.use === 'refused') assert(key.instead.length > 5, name);
        if (key.use === 'honoured') assert.match(key.about, /^[A-Z].*\.$/, name);
      }
    }
  });
});

describe('docs/targets.md', () => {
  const docs = readFileSync(new URL('../../docs/targets.md', import.meta.url), 'utf8');
  const keys = docs.slice(docs.indexOf('## Every key'));

  test('prints the table, a section for each place', () => {
    const printed = keys.split('\n').filter((line) => /^(?:### |\| `)/.test(line));
    const table = placesOfTable.flatMap((place) => [
      `### Keys of ${PLACES[place]}`,
      ...Object.entries(tableOf(place)).map(([name, key]) => rowOf(name, key)),
    ]);
    assert.deepEqual(printed, table);
  });

  test('its examples are read without a problem, and its mistakes with one', () => {
    const examples = [...docs.matchAll(/```(yaml|text)\n([\s\S]*?)```/g)];
    assert(examples.length >= 8);
    for (const [, kind, value = ''] of examples) {
      const { configs, problems } = readDocuments([{ name: '/nim-to-dynatrace/targets/nim', value }]);
      assert.deepEqual(problems, [], `${kind}: ${value}`);
      assert(configs.length > 0, value);
    }
  });

  test('its bounds are those of the code', () => {
    for (const bound of [MAX_DOCUMENTS, MAX_JOBS, MAX_STATIC_TARGETS, MAX_RELABEL_RULES, MAX_DNS_NAMES]) {
      assert(docs.includes(bound.toLocaleString('en')), String(bound));
    }
    for (const bound of [
      `${MAX_DISCOVERIES} entries of a discovery`,
      `or ${MAX_NAMESPACES} namespaces`,
      `at most ${MAX_FILTER_NAMES} names`,
      `and ${MAX_LISTED_TARGETS.toLocaleString('en')} targets, within`,
      `${MAX_LIST_BYTES / 1024 / 1024} MiB and`,
      `within ${LIST_TIMEOUT_MS / 1000} s`,
      `${MAX_OBJECTS.toLocaleString('en')} objects in a list of Kubernetes`,
    ])
      assert(docs.includes(bound), bound);
  });
});

function rowOf(name: string, key: ConfigKey): string {
  const cells =
    key.use === 'honoured'
      ? [
          key.use,
          key.default === undefined ? (key.absent ?? '') : `\`${key.default}\``,
          boundOf(key),
          key.about,
        ]
      : [key.use, '', '', key.use === 'refused' ? `${key.about}; ${key.instead}` : key.about];
  return `| \`${name}\` | ${cells.join(' | ')} |`.replaceAll('  ', ' ').replaceAll('<', '&lt;');
}

function boundOf({ kind, max, choices }: Extract<ConfigKey, { use: 'honoured' }>): string {
  if (choices !== undefined) return choices.join(', ');
  if (max === undefined) return '';
  const unit: Partial<Record<typeof kind, string>> = {
    text: ' characters',
    certificate: ' characters',
    count: '',
    bytes: '',
  };
  return `${formatMaximum(kind, max)}${unit[kind] ?? ' entries'}`;
}
