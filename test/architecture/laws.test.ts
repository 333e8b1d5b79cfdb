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

const files: readonly SourceFile[] = ['src', 'jobs', 'migrations'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(root, folder, name))
    .map((path) => ({ path: relative(root, path), text: readFileSync(path, 'utf8') })),
);

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

  test('only the clock asks the machine what time it is', () => {
    const clock = /new Date\(\)|Date\.now\(\)|\bsetTimeout\(|\bsetInterval\(/u;
    expect(offenders(clock, ['src/kernel/clock.ts', 'src/platform/', 'src/cli/main.ts'])).toEqual([]);
  });
});

describe('the shape of a file', () => {
  test('opens with what it is for', () => {
    expect(
      files.filter(({ text }) => !text.startsWith('//') && !text.startsWith('#!')).map(({ path }) => path),
    ).toEqual([]);
  });

  test('holds at most 300 lines', () => {
    expect(files.filter(({ text }) => text.split('\n').length > 300).map(({ path }) => path)).toEqual([]);
  });
});
