/**
 * Bundles the two functions for Lambda: `node infra/bundle.ts` writes dist/dispatch/index.mjs and
 * dist/scrape/index.mjs. One ES module each, AWS SDK included, so that what was tested is what runs.
 */
import * as esbuild from 'esbuild';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';

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
}

export interface BundleProps {
  /** Entry points by name, absolute or relative to the repository; default: the two handlers. */
  readonly entries?: Readonly<Record<string, string>>;
  /** Default: dist/ of the repository. */
  readonly outDir?: string;
  /** Budget of each bundle; default {@link MAX_BUNDLE_BYTES}. */
  readonly maxBytes?: number;
}

/** Packages of which a function needs a small part only, and the file that stands for each. */
const STAND_INS: esbuild.Plugin = {
  name: 'stand-ins',
  setup: (build) => {
    // By plugin, not by esbuild's `alias`, which would also catch the deep imports of undici.js.
    build.onResolve({ filter: /^undici$/ }, () => ({ path: join(import.meta.dirname, 'bundle/undici.js') }));
    build.onResolve({ filter: /^@aws-sdk\/credential-provider-node$/ }, () => ({
      path: join(import.meta.dirname, 'bundle/env-credentials.ts'),
    }));
  },
};

const OPTIONS: esbuild.BuildOptions = {
  absWorkingDir: ROOT,
  bundle: true,
  minify: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  outExtension: { '.js': '.mjs' },
  // The ES module build of a package where there is one: only that can be tree-shaken.
  mainFields: ['module', 'main'],
  // An ES module has no require(), but the CommonJS packages inside call it for Node's own modules.
  banner: { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);" },
  // undici leaves its experimental second HTTP parser (166 KB) out where this is defined, as Node's own build
  // does.
  define: { esbuildDetection: '1' },
  plugins: [STAND_INS],
  logLevel: 'warning',
};

/**
 * Bundles the functions and measures them.
 * @throws Error when an entry does not build, or when a bundle is over its budget.
 */
export async function bundle(props: BundleProps = {}): Promise<readonly Bundle[]> {
  const { entries = HANDLERS, outDir = join(ROOT, 'dist'), maxBytes = MAX_BUNDLE_BYTES } = props;
  const entryPoints = Object.entries(entries).map(([name, path]) => ({ in: path, out: join(name, 'index') }));
  await esbuild.build({ ...OPTIONS, entryPoints, outdir: outDir });
  const bundles = await Promise.all(
    Object.keys(entries).map(async (name) => {
      const file = join(outDir, name, 'index.mjs');
      return { name, file, bytes: (await stat(file)).size };
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

if (import.meta.main) {
  for (const { name, bytes } of await bundle()) {
    console.log(`${name} ${(bytes / 1024).toFixed(0)} KB of ${MAX_BUNDLE_BYTES / 1024} KB`);
  }
}
