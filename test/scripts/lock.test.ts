// The check of the lock file: this one passes, and one package without its hash, or with an address, does not.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { projectPath } from '../docs/read-document.js';

const folder = mkdtempSync(join(tmpdir(), 'credit-rollout-lock-'));
afterAll(() => rmSync(folder, { recursive: true }));

const lock: { readonly packages: Readonly<Record<string, Readonly<Record<string, unknown>>>> } = JSON.parse(
  readFileSync(projectPath('package-lock.json'), 'utf8'),
);
const PLACE = 'node_modules/yaml';

function check(packages: Readonly<Record<string, unknown>>): { readonly status: number | null; readonly text: string } {
  const path = join(folder, 'package-lock.json');
  writeFileSync(path, JSON.stringify({ packages }));
  const { status, stdout, stderr } = spawnSync(process.execPath, [projectPath('scripts/check-lock.mjs'), path], {
    encoding: 'utf8',
  });
  return { status, text: stdout + stderr };
}

const withEntry = (change: Readonly<Record<string, unknown>>) =>
  check({ ...lock.packages, [PLACE]: { ...lock.packages[PLACE], ...change } });

describe('npm run lock', () => {
  test('passes for the lock file of the project', () => {
    expect(check(lock.packages)).toMatchObject({
      status: 0,
      text: expect.stringMatching(/^\d+ packages, 0 problems/u),
    });
    expect(readFileSync(projectPath('package-lock.json'), 'utf8')).not.toMatch(/registry\./u);
  });

  test('names a package without integrity, and how to get it', () => {
    const { status, text } = withEntry({ integrity: undefined });
    expect(status).toBe(1);
    expect(text).toContain(`${PLACE} has no integrity; add what this prints: npm view yaml@`);
    expect(text).toContain('1 problems');
  });

  test.each([
    [{ integrity: 'sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=' }, 'has an integrity that is no SHA-512'],
    [{ resolved: 'https://registry.example/yaml.tgz' }, 'has a "resolved": remove it'],
    [{ link: true }, 'is no package of a registry'],
  ])('rejects %j', (change, problem) => {
    const { status, text } = withEntry(change);
    expect(status).toBe(1);
    expect(text).toContain(`${PLACE} ${problem}`);
  });

  test('does not pass for a file without packages', () => expect(check({ '': {} }).status).toBe(1));
});
