// The laws of the project, checked against the source: which folder may do what.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

interface SourceFile {
  readonly path: string;
  readonly text: string;
}

const readFolders = (folders: readonly string[]): readonly SourceFile[] =>
  folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => join(root, folder, name))
      .map((path) => ({ path: relative(root, path), text: readFileSync(path, 'utf8') })),
  );

const files = readFolders(['src', 'jobs', 'migrations']);
const scripts = readFolders(['scripts']);
const tests = readFolders(['test']);

/** Paths outside `allowed` whose text matches. */
const offenders = (pattern: RegExp, allowed: readonly string[]): readonly string[] =>
  files
    .filter(({ path }) => !allowed.some((place) => path.startsWith(place)))
    .filter(({ text }) => pattern.test(text.replace(/^\s*(\/\/|\*|\/\*\*).*$/gmu, '')))
    .map(({ path }) => path);

describe('the five laws', () => {
  test('there is something to check', () => expect(files.length).toBeGreaterThan(100));

  test('only stores and migrations write SQL', () => {
    const sql = /\.raw\(|\b(select|insert into|update|delete from)\b[^;'"`]*\b(from|set|values)\b[^'"]*credit_rollout/u;
    // the queue's own set-up and the embedded server's administration are no rollout SQL
    expect(offenders(sql, ['src/stores/', 'migrations/'])).toEqual([]);
  });

  test('only the engine opens transactions', () => {
    expect(offenders(/\.(inTransaction|asOwner)\(/u, ['src/engine/', 'src/stores/', 'src/compose.ts'])).toEqual([]);
  });

  test('only jobs know BullMQ', () => {
    expect(offenders(/from 'bullmq'/u, ['jobs/'])).toEqual([]);
  });

  test('only platform reads the environment', () => {
    expect(offenders(/process\.env/u, ['src/platform/environment.ts'])).toEqual([]);
  });

  test('only the command line writes how a command of ours is run; elsewhere it is data in a text', () => {
    expect(offenders(/: credit-rollout [a-z-]/u, [])).toEqual([]);
  });

  test('only `command` makes a command, which quotes each value in it', () => {
    const made =
      /(?:\bcommand|\.show)\(\s*`[^`]*\$\{|\{ command:|as CommandText|`[^`$]*\bcredit-rollout [a-z-]+ [^`]*\$\{/u;
    expect(made.test(`x.show(\`why \${org}\`)`)).toBe(true);
    expect(offenders(made, ['src/kernel/advice.ts'])).toEqual([]);
  });

  test('no id stands in a sentence without showName or quoteValue', () => {
    const bare = /\borg \$\{(?!showName\(|quoteValue\()[^}]*\borgId\b/iu;
    expect(bare.test(`\`org \${one.orgId} in\``)).toBe(true);
    expect(offenders(bare, [])).toEqual([]);
  });

  test('only the clock asks the machine what time it is', () => {
    const clock = /new Date\(\)|Date\.now\(\)|\bsetTimeout\(|\bsetInterval\(/u;
    expect(offenders(clock, ['src/kernel/clock.ts', 'src/platform/', 'src/cli/main.ts'])).toEqual([]);
  });
});

const MAX_LINES = 300;

const listLong = (sources: readonly SourceFile[]): readonly string[] =>
  sources.filter(({ text }) => text.split('\n').length > MAX_LINES).map(({ path }) => path);

const DECLARED =
  /^(export )?(?:declare )?(?:async )?(?:abstract )?(?:function\*?|const|let|class|interface|type|enum|namespace) (\w+)/gmu;
const LISTED = /^export (?:type )?\{([^}]*)\}/gmu;

/** The names that a file gives to what it exports. What it passes on from elsewhere under the same name is none. */
function listExports(text: string): readonly string[] {
  const declared = [...text.matchAll(DECLARED)];
  const names = new Set(declared.map(([, , name = '']) => name));
  const listed = [...text.matchAll(LISTED)].flatMap(([, list = '']) =>
    list.split(',').flatMap((one) => {
      const [inside = '', outside] = one
        .trim()
        .replace(/^type /u, '')
        .split(' as ');
      return outside !== undefined ? [outside] : names.has(inside) ? [inside] : [];
    }),
  );
  return [...declared.flatMap(([, exported, name = '']) => (exported ? [name] : [])), ...listed];
}

/** `name: path, path` of each name that two files export. An overload of one file counts once. */
function listTwice(sources: readonly SourceFile[]): readonly string[] {
  const paths = new Map<string, string[]>();
  for (const { path, text } of sources)
    for (const name of new Set(listExports(text))) paths.set(name, [...(paths.get(name) ?? []), path]);
  return [...paths].filter(([, where]) => where.length > 1).map(([name, where]) => `${name}: ${where.join(', ')}`);
}

describe('the shape of a file', () => {
  test('opens with what it is for', () => {
    expect(
      files.filter(({ text }) => !text.startsWith('//') && !text.startsWith('#!')).map(({ path }) => path),
    ).toEqual([]);
  });

  test('holds at most 300 lines', () => {
    expect(listLong(files)).toEqual([]);
  });

  test('holds at most 300 lines in test/ too', () => {
    expect(listLong(tests)).toEqual([]);
  });
});

describe('an exported name', () => {
  test('is found in every form of export that gives it', () => {
    const text = `export const a = 1;
export async function b() {}
export abstract class C {}
export type { D, E as F } from './x.js';
const g = 1;
const hidden = 2;
export { g };`;
    expect(listExports(text)).toEqual(['a', 'b', 'C', 'F', 'g']);
  });

  test('is in one file of src, jobs, migrations, scripts and test/support', () => {
    const shared = [...files, ...scripts, ...tests.filter(({ path }) => path.startsWith(join('test', 'support')))];
    expect(listTwice(shared)).toEqual([]);
  });

  test('of a test is not that of a source file, so that a search finds what it is about', () => {
    const owners = new Set([...files, ...scripts].flatMap(({ text }) => listExports(text)));
    const borrowed = tests.flatMap(({ path, text }) =>
      listExports(text)
        .filter((name) => owners.has(name))
        .map((name) => `${name}: ${path}`),
    );
    expect(borrowed).toEqual([]);
  });
});
