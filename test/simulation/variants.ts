/**
 * The proof of the proof: products broken on purpose, each a patch on a copy of functions/, driven by the very same
 * world. A patch that no longer fits fails, so that it is renewed.
 */
import { strict as assert } from 'node:assert';
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Campaign, runCampaign } from './campaign.ts';

const ROOT = join(import.meta.dirname, '../..');
const PATCHES = join(import.meta.dirname, 'variants');
/** Worlds within which each variant is to be caught. */
export const MAX_VARIANT_RUNS = 400;

export interface Caught {
  readonly variant: string;
  readonly campaign: Campaign;
}

export function variantNames(): readonly string[] {
  return readdirSync(PATCHES)
    .filter((file) => file.endsWith('.patch'))
    .map((file) => basename(file, '.patch'))
    .toSorted();
}

/** Plays worlds with a broken product until one fails. */
export async function runVariant(variant: string, seed: number, steps: number): Promise<Caught> {
  const copy = mkdtempSync(join(tmpdir(), `variant-${variant}-`));
  try {
    for (const part of ['functions', 'test/fakes', 'test/simulation', 'package.json'])
      cpSync(join(ROOT, part), join(copy, part), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
    applyPatch(patchOf(variant), copy);
    const module = pathToFileURL(join(copy, 'test/simulation/campaign.ts')).href;
    const broken = (await import(module)) as { readonly runCampaign: typeof runCampaign };
    return {
      variant,
      campaign: await broken.runCampaign({ runs: MAX_VARIANT_RUNS, seed, steps, quick: true }),
    };
  } finally {
    rmSync(copy, { recursive: true });
  }
}

/** A unified diff, by its text alone: what it replaces must stand there exactly once, wherever that is. */
export function applyPatch(patch: string, root: string): void {
  for (const { file, before, after } of hunksOf(patch)) {
    const parts = partsAround(before, join(root, file));
    writeFileSync(join(root, file), parts.join(after));
  }
}

/** Whether each of them could be applied; throws what does not fit. */
export function checkPatches(): void {
  for (const variant of variantNames())
    for (const { file, before } of hunksOf(patchOf(variant))) partsAround(before, join(ROOT, file));
}

interface Hunk {
  readonly file: string;
  readonly before: string;
  readonly after: string;
}

function hunksOf(patch: string): readonly Hunk[] {
  let file = '';
  return patch.split(/^(?=--- |@@ )/m).flatMap((part) => {
    if (part.startsWith('--- ')) file = /^\+\+\+ b\/(.*)$/m.exec(part)?.[1] ?? '';
    if (!part.startsWith('@@ ')) return [];
    const lines = part
      .split('\n')
      .slice(1)
      .filter((line) => /^[ +-]/.test(line));
    const text = (marks: string): string =>
      lines
        .filter((line) => marks.includes(line.charAt(0)))
        .map((line) => `${line.slice(1)}\n`)
        .join('');
    return [{ file, before: text(' -'), after: text(' +') }];
  });
}

function partsAround(before: string, path: string): readonly string[] {
  const parts = readFileSync(path, 'utf8').split(before);
  assert.equal(parts.length, 2, `a hunk for ${path} does not fit: renew the patch\n${before}`);
  return parts;
}

function patchOf(variant: string): string {
  return readFileSync(join(PATCHES, `${variant}.patch`), 'utf8');
}
