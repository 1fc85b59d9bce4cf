/** What the tests of `explain` explain. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { temporaryDirectory } from './harness.ts';

export const PROMETHEUS = `global: {scrape_interval: 15s, evaluation_interval: 15s}
scrape_configs:
  - job_name: nim
    metrics_path: /metrics
    static_configs:
      - targets: ['10.0.1.17:8000', '10.0.1.18:8000']
        labels: {model: llama}
    relabel_configs:
      - {source_labels: [__address__], regex: '.*\\.18:.*', action: drop}
      - {source_labels: [__address__], regex: '([^:]+):(\\d+)', target_label: port, replacement: '\${2}'}
    metric_relabel_configs:
      - {source_labels: [__name__], regex: 'python_.*', action: drop}
      - {source_labels: [__name__], regex: 'vllm:(.*)', target_label: __name__}
      - {regex: pod, action: labeldrop}
`;

export async function fileOf(context: TestContext, name: string, text: string): Promise<string> {
  const file = join(await temporaryDirectory(context), name);
  await writeFile(file, text);
  return file;
}

export function jsonOf(stdout: string): readonly Readonly<Record<string, unknown>>[] {
  const lines = stdout.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}
