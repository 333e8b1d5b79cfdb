// How SQL is written: every statement goes through the typed functions of query.ts, and lines are short enough to read.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const MAX_COLUMNS = 120;

interface SourceFile {
  readonly path: string;
  readonly text: string;
}

const files: readonly SourceFile[] = ['src', 'jobs', 'migrations']
  .flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => join(root, folder, name)),
  )
  .map((path) => ({ path: relative(root, path), text: readFileSync(path, 'utf8') }))
  .toSorted((one, other) => (one.path < other.path ? -1 : 1));

const pathsWhere = (holds: (file: SourceFile) => boolean): readonly string[] =>
  files.filter(holds).map(({ path }) => path);

const sendsRaw = ({ text }: SourceFile): boolean => /\.raw\(/u.test(text);
const hasLongLine = ({ text }: SourceFile): boolean => text.split('\n').some((line) => line.length > MAX_COLUMNS);

test('there is something to check', () => expect(files.length).toBeGreaterThan(100));

describe('a statement', () => {
  // query.ts is the way to the driver; knex runs migrations on a transaction of its own
  const MAY_SEND_RAW: readonly string[] = ['src/stores/query.ts', 'migrations/migration.ts'];

  test('goes through query.ts, which types its rows and names its parameters', () => {
    const outside = pathsWhere((file) => sendsRaw(file) && !MAY_SEND_RAW.includes(file.path));
    expect(outside).toEqual([]);
  });
});

describe('a line', () => {
  // Cells and control databases were made with these texts, and the rule is in one of them: they stay as they are.
  const STAY_AS_THEY_ARE: readonly string[] = [
    'migrations/cell/allotments.ts',
    'migrations/cell/attached/change-triggers.ts',
    'migrations/cell/attached/decided.ts',
    'migrations/cell/attached/sign-up-trigger.ts',
    'migrations/cell/attached/source-orgs.ts',
    'migrations/cell/drift.ts',
    'migrations/cell/feed.ts',
    'migrations/cell/freeze.ts',
    'migrations/cell/gate.ts',
    'migrations/cell/identity.ts',
    'migrations/cell/index.ts',
    'migrations/cell/plans.ts',
    'migrations/cell/ranges.ts',
    'migrations/cell/retention.ts',
    'migrations/cell/reversal.ts',
    'migrations/cell/work.ts',
    'migrations/control/calendar.ts',
    'migrations/control/maintenance.ts',
    'migrations/control/pin.ts',
    'migrations/control/plans.ts',
    'migrations/control/postponements.ts',
    'migrations/control/reversals.ts',
    'migrations/control/rollout.ts',
  ];

  // The formatter leaves a text for people whole, and markup as it is: a text between quotes cannot be wrapped.
  const isText = (path: string, line: string): boolean =>
    !/^(src\/stores|jobs)\//u.test(path) &&
    !/^\s*(\/\/|\*|\/\*)/u.test(line) &&
    (/['"`]/u.test(line) || path.startsWith('src/cli/report/'));

  test(`has at most ${MAX_COLUMNS} columns; only a text for people may be longer`, () => {
    const long = files
      .filter(({ path }) => !STAY_AS_THEY_ARE.includes(path))
      .flatMap(({ path, text }) => text.split('\n').map((line, index) => ({ path, line, at: `${path}:${index + 1}` })))
      .filter(({ path, line }) => line.length > MAX_COLUMNS && !isText(path, line));
    expect(long.map(({ at }) => at)).toEqual([]);
  });

  test('is wrapped in every file that no longer has to stay as it is', () => {
    expect(pathsWhere((file) => hasLongLine(file) && STAY_AS_THEY_ARE.includes(file.path))).toEqual(STAY_AS_THEY_ARE);
  });
});
