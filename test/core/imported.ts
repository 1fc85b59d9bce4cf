/** Importing as the tests look at it. */
import assert from 'node:assert/strict';
import { readDocuments } from '../../functions/core/config/documents.ts';
import type { Finding } from '../../functions/core/config/findings.ts';
import { importConfiguration } from '../../functions/core/import/importing.ts';
import type { Imported } from '../../functions/core/import/importing.ts';
import { checkRelabel } from '../../functions/core/relabel/relabel.ts';

export const PREFIX = '/nim-to-dynatrace';

/** `given`: as by --set. */
export function imported(text: string, given: Readonly<Record<string, string>> = {}): Imported {
  return importConfiguration(text, { prefix: PREFIX, job: 'nim', given: new Map(Object.entries(given)) });
}

/** What the reader makes of the documents, all of which it takes. */
export function configsOf({ documents }: Pick<Imported, 'documents'>) {
  const read = readDocuments(documents, { checkRelabel });
  assert.deepEqual([read.problems, read.refused], [[], []]);
  return read.configs;
}

/** Line and message of each. */
export function lines(found: readonly Finding[]): readonly string[] {
  return found.map(({ at, message }) => `${at?.line ?? '-'} ${message}`);
}

/** The one job in a Collector with these processors and what they need. */
export function collectorWith(processors: string, names: string, job = ''): string {
  return `
receivers:
  prometheus:
    config:
      scrape_configs:
        - job_name: nim
          static_configs: [{targets: ['10.0.0.1:8000'], labels: {model: llama}}]
${job}
processors:
${processors}
service:
  pipelines:
    metrics: {receivers: [prometheus], processors: [${names}], exporters: []}
`;
}
