/** Style as a test: the rooms, their doors, and what may not stand in them. Plain text, so that it sees all. */
import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const MAX_LINES = 400;

const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '');
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
const sources = tracked.filter((file) => /^(functions|infra|test)\/.*\.(ts|js)$/.test(file));
const texts = tracked.filter((file) => !/\.(bin|pem|prom)$|package-lock\.json$/.test(file));

/** `file` -> what it imports: paths within the project, or package names. */
function importsOf(file: string): readonly string[] {
  const code = read(file).replace(/^\s*(\/\*[\s\S]*?\*\/|\/\/.*$)/gm, '');
  const found = code.matchAll(
    /^(?:import|export)\s[^'"]*?from\s+'([^']+)'|^import\s+'([^']+)'|import\('([^']+)'\)/gm,
  );
  return [...found].map(([, from, bare, dynamic]) => {
    const name = (from ?? bare ?? dynamic) as string;
    return name.startsWith('.') ? normalize(join(dirname(file), name)) : name;
  });
}

const imports = new Map(sources.map((file) => [file, importsOf(file)]));

/** Which rooms and packages each room may import. The first matching rule counts. */
const ROOMS: readonly { readonly room: RegExp; readonly may: readonly RegExp[] }[] = [
  { room: /^functions\/core\/otlp\.ts$/, may: [/^functions\/core\//, /^@opentelemetry\//] },
  {
    room: /^functions\/core\/relabel\/relabel\.ts$/,
    may: [/^functions\/core\//, /^(re2js|@noble\/hashes\/legacy\.js)$/],
  },
  { room: /^functions\/core\/config\/yaml\.ts$/, may: [/^functions\/core\//, /^yaml$/] },
  { room: /^functions\/core\//, may: [/^functions\/core\//] },
  { room: /^functions\/adapters\//, may: [/^functions\/(core|adapters)\//, /^node:/, /^[@a-z]/] },
  {
    room: /^functions\/(dispatch|scrape)\/handler\.ts$/,
    may: [/^functions\/(core|adapters|dispatch|scrape)\//, /^@aws-sdk\//, /^@middy\/core$/, /^aws-lambda$/],
  },
  { room: /^functions\/(dispatch|scrape)\//, may: [/^functions\/(core|adapters)\//] },
  {
    room: /^functions\/cli\/world\//,
    may: [/^functions\/cli\/world\//, /^node:/, /^(protobufjs|dynalite)$/],
  },
  {
    room: /^functions\/cli\//,
    may: [
      /^functions\/(core|adapters|cli)\//,
      /^node:/,
      /^@aws-sdk\/client-(cloudformation|dynamodb|lambda|ssm)$/,
    ],
  },
  { room: /^infra\//, may: [/^infra\//, /^node:/, /^(?!\.)[@a-z]/] },
  { room: /^test\//, may: [/./] },
];

describe('rooms', () => {
  test('every import goes through an open door', () => {
    for (const [file, names] of imports) {
      const rule = ROOMS.find(({ room }) => room.test(file));
      assert(rule, `${file} stands in no room`);
      for (const name of names) {
        assert(
          rule.may.some((door) => door.test(name)),
          `${file} may not import ${name}`,
        );
        if (name.startsWith('functions/') || name.startsWith('infra/')) {
          assert(!name.endsWith('/handler.ts') || file.startsWith('test/'), `${file} imports a handler`);
          assert(/\.(ts|js)$/.test(name), `${file} imports ${name} without its suffix`);
        }
      }
    }
  });

  test('infra never imports functions', () => {
    for (const [file, names] of imports) {
      if (file.startsWith('infra/')) assert(!names.some((name) => name.startsWith('functions/')), file);
    }
  });

  test('an adapter file owns one outside package at most', () => {
    for (const [file, names] of imports) {
      if (!file.startsWith('functions/adapters/')) continue;
      const packages = new Set(names.filter((name) => !/^(node:|functions\/)/.test(name)));
      assert(packages.size <= 1, `${file} imports ${[...packages].join(' and ')}`);
    }
  });

  test('undici is imported in one place', () => {
    const users = [...imports].filter(
      ([file, names]) => file.startsWith('functions/') && names.includes('undici'),
    );
    assert.deepEqual(
      users.map(([file]) => file),
      ['functions/adapters/http.ts'],
    );
  });

  test('no cycles', () => {
    const done = new Set<string>();
    const visit = (file: string, path: readonly string[]): void => {
      assert(!path.includes(file), `a cycle: ${[...path, file].join(' -> ')}`);
      if (done.has(file)) return;
      for (const next of imports.get(file) ?? []) if (imports.has(next)) visit(next, [...path, file]);
      done.add(file);
    };
    for (const file of imports.keys()) visit(file, []);
  });
});

describe('the pure room', () => {
  const IMPURE =
    /\b(Date\.now|new Date\b|performance\.|Math\.random|crypto\.|process\.|Buffer\b|setTimeout|setInterval|console\.|globalThis|fetch\()/;

  test('has no clock, no chance, no process', () => {
    for (const file of sources.filter((name) => name.startsWith('functions/core/'))) {
      const found = IMPURE.exec(read(file).replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, ''));
      assert.equal(found, null, `${file} uses ${found?.[0]}`);
    }
  });

  test('waits only where ports are asked: pipeline, sending, planning, histories, doctor', () => {
    for (const file of sources.filter((name) => name.startsWith('functions/core/'))) {
      if (!/\/(pipeline|sending|planning|histories|diagnosing|reaching|deployed)\.ts$/.test(file))
        assert(!/\b(async|await)\b/.test(read(file)), `${file} waits`);
    }
  });
});

describe('shape', () => {
  test(`no file is longer than ${MAX_LINES} lines`, () => {
    for (const file of sources) {
      const lines = read(file).split('\n').length - 1;
      assert(lines <= MAX_LINES, `${file} has ${lines} lines: would two rooms be clearer?`);
    }
  });

  test('no barrels, no attic', () => {
    for (const file of sources) {
      assert(!/(^|\/)index\.ts$/.test(file), `${file} is a barrel`);
      assert(
        !/(util|helper|manager|service|common|misc)s?\.ts$/.test(file),
        `${file}: name it after what it does`,
      );
    }
  });

  test('nothing is left open', () => {
    const open = /\b(TODO|FIXME|XXX)\b|\b(it|test|describe)\.(skip|todo|only)\(/;
    for (const file of sources.filter((name) => name !== 'test/tidy.test.ts')) {
      assert(!open.test(read(file)), `${file} leaves something open`);
    }
  });

  test('no enum, namespace or inheritance but of errors and constructs', () => {
    for (const file of sources.filter((name) => name !== 'test/tidy.test.ts')) {
      const code = read(file);
      assert(!/^\s*(export )?(const )?enum /m.test(code), `${file} has an enum`);
      const parents = [...code.matchAll(/class \w+ extends (\w+)/g)].map(([, parent]) => parent);
      assert(
        parents.every((parent) => parent === 'Error' || parent === 'Construct'),
        `${file}: ${parents.join()}`,
      );
    }
  });
});

describe('the repository speaks of the product only', () => {
  test('no machine paths, no registry hosts', () => {
    const foreign = /(^|[\s"'`(=])\/(work|root|home)\/|registry\.npmjs|"resolved":/m;
    for (const file of texts.filter((name) => name !== 'test/tidy.test.ts')) {
      const found = foreign.exec(read(file));
      assert.equal(found, null, `${file}: ${found?.[0]}`);
    }
    // But for the folder that brings the clone's Node.
    const resolved = read('package-lock.json').match(/"resolved": .*/g);
    assert.deepEqual(resolved, ['"resolved": ".ci/node",'], 'package-lock.json records download addresses');
  });

  test('versions are exact', () => {
    for (const file of ['package.json', '.ci/node/package.json']) {
      const manifest = JSON.parse(read(file)) as Record<string, Record<string, string>>;
      for (const kind of ['dependencies', 'devDependencies', 'optionalDependencies']) {
        for (const [name, version] of Object.entries(manifest[kind] ?? {})) {
          assert.match(version, /^(\d+\.\d+\.\d+|file:\.ci\/node)$/, `${name} is not pinned`);
        }
      }
    }
  });
});
