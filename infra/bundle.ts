/**
 * Bundles the two functions for Lambda: `node infra/bundle.ts` writes dist/dispatch/index.mjs and
 * dist/scrape/index.mjs. One ES module each, AWS SDK included, so that what was tested is what runs.
 */
import * as esbuild from 'esbuild';
import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';

const ROOT = join(import.meta.dirname, '..');

/**
 * Largest bundle, in bytes. Code size is cold start: Lambda fetches and compiles it before the first scrape.
 * The limit lies a good third above today's size, so it trips on a dependency that came in by accident, not
 * on a new feature.
 */
export const MAX_BUNDLE_BYTES = 1_200 * 1024;

/** Entry points by function; each name is the folder under the output directory. */
export const HANDLERS: Readonly<Record<string, string>> = {
  dispatch: 'functions/dispatch/handler.ts',
  scrape: 'functions/scrape/handler.ts',
};

export interface Bundle {
  readonly name: string;
  /** Absolute path of the module. */
  readonly file: string;
  readonly bytes: number;
  /** Absolute paths of the files of which something is in it. */
  readonly inputs: readonly string[];
}

export interface BundleProps {
  /** Entry points by name, absolute or relative to the repository; default: the two handlers. */
  readonly entries?: Readonly<Record<string, string>>;
  /** Default: dist/ of the repository. */
  readonly outDir?: string;
  /** Budget of each bundle; default {@link MAX_BUNDLE_BYTES}. */
  readonly maxBytes?: number;
}

/** A file of infra/bundle/ stands for a module, wherever it is imported or in the files `importer` only. */
export function standIn(module: RegExp, file: string, importer = /./): esbuild.Plugin {
  return {
    name: file,
    // By plugin, not by esbuild's `alias`, which would also catch the deep imports of undici.js.
    setup: (build) =>
      build.onResolve({ filter: module }, (from) =>
        importer.test(from.importer) ? { path: join(import.meta.dirname, 'bundle', file) } : undefined,
      ),
  };
}

/** What is bundled of undici: a small part. */
export const UNDICI = standIn(/^undici$/, 'undici.js');

/** For Node, one ES module with all that it imports. */
export const BUNDLE_OPTIONS = {
  absWorkingDir: ROOT,
  bundle: true,
  platform: 'node',
  format: 'esm',
  // The ES module build of a package where there is one: only that can be tree-shaken.
  mainFields: ['module', 'main'],
  // An ES module has no require(), but the CommonJS packages inside call it for Node's own modules. By another name,
  // for the code inside may import createRequire itself.
  banner: { js: "import{createRequire as $from}from'node:module';const require=$from(import.meta.url);" },
  // undici leaves its experimental second HTTP parser (166 KB) out where this is defined, as Node's own build
  // does.
  define: { esbuildDetection: '1' },
  metafile: true,
  logLevel: 'warning',
} as const satisfies esbuild.BuildOptions;

const LAMBDA_OPTIONS = {
  ...BUNDLE_OPTIONS,
  minify: true,
  target: 'node24',
  outExtension: { '.js': '.mjs' },
  plugins: [UNDICI, standIn(/^@aws-sdk\/credential-provider-node$/, 'env-credentials.ts')],
} satisfies esbuild.BuildOptions;

/**
 * Bundles the functions and measures them.
 * @throws Error when an entry does not build, or when a bundle is over its budget.
 */
export async function bundle(props: BundleProps = {}): Promise<readonly Bundle[]> {
  const { entries = HANDLERS, outDir = join(ROOT, 'dist'), maxBytes = MAX_BUNDLE_BYTES } = props;
  const entryPoints = Object.entries(entries).map(([name, path]) => ({ in: path, out: join(name, 'index') }));
  const { metafile } = await esbuild.build({ ...LAMBDA_OPTIONS, entryPoints, outdir: outDir });
  const bundles = await Promise.all(
    Object.keys(entries).map(async (name) => {
      const file = join(outDir, name, 'index.mjs');
      return { name, file, bytes: (await stat(file)).size, inputs: inputsOf(metafile, file) };
    }),
  );
  for (const { name, bytes } of bundles) {
    if (bytes > maxBytes) {
      throw new Error(
        `cannot bundle ${name}: ${bytes} bytes are over the budget of ${maxBytes}; ` +
          'find the dependency that grew (esbuild --analyze), or raise MAX_BUNDLE_BYTES on purpose',
      );
    }
  }
  return bundles;
}

/** Absolute paths of the files of which something is in the bundle `file`. */
export function inputsOf(metafile: esbuild.Metafile, file: string): readonly string[] {
  const outputs = Object.entries(metafile.outputs).filter(([path]) => resolve(ROOT, path) === file);
  return outputs
    .flatMap(([, { inputs }]) => Object.entries(inputs))
    .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
    .map(([path]) => resolve(ROOT, path));
}

if (import.meta.main) {
  for (const { name, bytes } of await bundle()) {
    console.log(`${name} ${(bytes / 1024).toFixed(0)} KB of ${MAX_BUNDLE_BYTES / 1024} KB`);
  }
}
