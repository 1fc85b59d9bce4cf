/** The licenses of packages that are bundled: theirs ask for it to be passed on with every copy. */
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** The file's text: each license once, below the packages that have it. */
export async function licensesOf(files: readonly string[]): Promise<string> {
  const directories = new Set(files.map(packageDirectoryOf).filter((directory) => directory !== undefined));
  const licenses = await Promise.all([...directories].map(licenseOf));
  return [...Map.groupBy(licenses, ({ text }) => text)]
    .map(
      ([text, packages]) =>
        `${[...new Set(packages.map(({ title }) => title))].sort().join('\n')}\n\n${text}\n`,
    )
    .sort()
    .join(`\n${'-'.repeat(80)}\n\n`);
}

/** The innermost package that a file belongs to; absent for the project's own. */
function packageDirectoryOf(file: string): string | undefined {
  return /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(file.replaceAll('\\', '/'))?.[0];
}

async function licenseOf(directory: string): Promise<{ readonly title: string; readonly text: string }> {
  const { name, version, license } = JSON.parse(
    await readFile(join(directory, 'package.json'), 'utf8'),
  ) as Readonly<Record<string, string>>;
  const names = (await readdir(directory))
    .filter((file) => /^(licen[cs]e|copying|notice)\b/i.test(file))
    .sort();
  const texts = await Promise.all(names.map((file) => readFile(join(directory, file), 'utf8')));
  return {
    title: `${name} ${version}`,
    text: [`License: ${license}`, ...texts.map((text) => text.trim())].join('\n\n'),
  };
}
