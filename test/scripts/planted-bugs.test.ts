// The list of planted bugs: each still applies to the text of its file, and one that does not is named.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { projectPath } from '../docs/read-document.js';

const NOWHERE = 'nowhere.ts';
const folder = mkdtempSync(join(tmpdir(), 'credit-rollout-plants-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

function runPlants(...args: readonly string[]): { readonly status: number | null; readonly text: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [projectPath('scripts/planted-bugs.mjs'), ...args], {
    encoding: 'utf8',
  });
  return { status, text: stdout + stderr };
}

describe('npm run plants -- --check', () => {
  test('finds the text of every bug once in its file, and the tests that are to notice it', () => {
    const { status, text } = runPlants('--check');
    expect({ status, text }).toEqual({ status: 0, text: expect.stringMatching(/^\d+ bugs, 0 problems\n$/u) });
    expect(Number.parseInt(text, 10)).toBeGreaterThanOrEqual(60);
  });

  test('names a bug whose text is gone or there twice, and one that nothing could notice', () => {
    const good = { file: 'scripts/planted-bugs.mjs', find: 'async function main', put: '', tests: ['test/scripts'] };
    const plants = [
      { ...good, name: 'good' },
      { ...good, name: 'gone', find: ['no', 'such', 'text'].join('') },
      { ...good, name: 'often', find: 'function' },
      { ...good, name: 'untested', tests: [NOWHERE] },
      { ...good, name: 'moved', file: NOWHERE },
      { ...good, name: 'nothing', put: good.find },
      { ...good, name: 'nothing' },
    ];
    const path = join(folder, 'plants.mjs');
    writeFileSync(path, `export const PLANTS = ${JSON.stringify(plants)};`);
    const { status, text } = runPlants('--check', '--plants', path);
    expect(status).toBe(1);
    expect(text.split('\n')).toEqual([
      'no longer applies  gone: its text is in scripts/planted-bugs.mjs 0 times',
      expect.stringMatching(/^no longer applies {2}often: its text is in scripts\/planted-bugs.mjs \d+ times$/u),
      `no longer applies  untested: there is no ${NOWHERE}`,
      `no longer applies  moved: there is no ${NOWHERE}`,
      'no longer applies  nothing: nothing would be noticed',
      'no longer applies  nothing: another bug has its name',
      '7 bugs, 6 problems',
      '',
    ]);
  });

  test('lists the bugs whose names begin as asked', () => {
    const { status, text } = runPlants('--list', '--only', 'org: the grace');
    expect(status).toBe(0);
    expect(text).toMatch(
      /^org: the grace ends a day early {2}src\/domain\/org\/decide-floor\.ts {2}test\/domain\/org\//u,
    );
    expect(runPlants('--list', '--only', 'nowhere')).toMatchObject({ status: 1 });
  });
});
