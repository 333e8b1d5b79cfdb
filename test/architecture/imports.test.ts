// The import rules, shown to fail: one bad import per kind of rule is planted in a copy of the sources, and each must
// be reported by its rule's name. What else is reported there is the project's own.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const COPIED = ['src', 'jobs', 'migrations', 'package.json', 'tsconfig.json', '.dependency-cruiser.cjs'];

interface Plant {
  readonly kind: string;
  /** Each planted file with what it imports. */
  readonly files: Readonly<Record<string, string>>;
  /** The line that must be reported. */
  readonly reported: string | RegExp;
}

const PLANTS: readonly Plant[] = [
  {
    kind: 'a layer above',
    files: { 'src/domain/org/planted.ts': '../../stores/query.js' },
    reported: 'domain-layer: src/domain/org/planted.ts → src/stores/query.ts',
  },
  {
    kind: 'a package that its layer may not use',
    files: { 'src/cli/views/planted.ts': 'bullmq' },
    reported: /^cli-packages: src\/cli\/views\/planted\.ts → .*bullmq/u,
  },
  {
    kind: 'an area of the engine above its own',
    files: { 'src/engine/org/planted.ts': '../scheduler/tick.js' },
    reported: 'engine-area-org: src/engine/org/planted.ts → src/engine/scheduler/tick.ts',
  },
  {
    kind: 'an area, from a shared file of the engine',
    files: { 'src/engine/planted.ts': './org/find-org.js' },
    reported: 'engine-shared: src/engine/planted.ts → src/engine/org/find-org.ts',
  },
  {
    kind: 'the stores of control, from what a worker runs, through two files',
    files: {
      'src/engine/worker/planted.ts': '../batch/planted.js',
      'src/engine/batch/planted.ts': '../feed/planted.js',
      'src/engine/feed/planted.ts': '../../stores/control/runs.js',
    },
    reported: 'worker-without-control: src/engine/feed/planted.ts → src/stores/control/runs.ts',
  },
  {
    kind: 'a circle of two folders, without a circle of files',
    files: {
      'src/sample/planted-one/leaf.ts': 'node:path',
      'src/sample/planted-one/start.ts': '../planted-two/end.js',
      'src/sample/planted-two/end.ts': 'node:path',
      'src/sample/planted-two/start.ts': '../planted-one/leaf.js',
    },
    reported: 'no-folder-circles: src/sample/planted-one/start.ts → src/sample/planted-two/end.ts',
  },
  {
    kind: 'a circle of two files',
    files: {
      'src/sample/planted-left.ts': './planted-right.js',
      'src/sample/planted-right.ts': './planted-left.js',
    },
    reported: 'no-circles: src/sample/planted-left.ts → src/sample/planted-right.ts',
  },
  {
    kind: 'a file that does not exist',
    files: { 'src/sample/planted-lost.ts': './planted-nowhere.js' },
    reported: /^resolvable: src\/sample\/planted-lost\.ts → .*planted-nowhere/u,
  },
];

const folder = mkdtempSync(join(tmpdir(), 'planted-imports-'));
let problems: readonly string[] = [];
let summary = '';

beforeAll(() => {
  for (const name of COPIED) cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  for (const { files } of PLANTS)
    for (const [path, imported] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), `import * as planted from '${imported}';\nexport const used = planted;\n`);
    }
  const command = [join(ROOT, 'scripts', 'check-imports.mjs'), folder];
  const { stdout, stderr, status } = spawnSync(process.execPath, command, { encoding: 'utf8' });
  problems = stderr.split('\n').filter((line) => line !== '');
  summary = stdout;
  expect(status, stderr).toBe(1);
}, 300_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each(PLANTS)('reports an import of $kind', ({ reported }) => {
  const matches = (line: string): boolean => (typeof reported === 'string' ? line === reported : reported.test(line));
  expect(problems.filter(matches), problems.join('\n')).toHaveLength(1);
});

test('reports nothing of the project itself', () => {
  // the plant in a shared file of the engine closes a circle with every area; without it the rules of areas exclude one
  const ofPlants = /planted|^no-folder-circles: src\/engine\//u;
  expect(problems.filter((line) => !ofPlants.test(line))).toEqual([]);
});

test('saw every source file', () => {
  const [, seen, expected] = /^(\d+) of (\d+) modules seen/u.exec(summary) ?? [];
  expect(seen).toBe(expected);
  expect(Number(seen)).toBeGreaterThan(300);
});
