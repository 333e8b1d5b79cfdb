// A page of an org on a real file system: whoever put something in its place before, only its owner reads it.
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writePrivateFile } from '../../src/platform/private-file.js';

let base: string;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'credit-rollout-private-'));
});
afterEach(() => rm(base, { recursive: true, force: true }));

test('writes a file that only its owner can read, in the place of one that everybody can', async () => {
  const path = join(base, 'page.html');
  await writeFile(path, 'old');
  await chmod(path, 0o666);
  await writePrivateFile(path, 'new');
  expect([await readFile(path, 'utf8'), (await stat(path)).mode & 0o777]).toEqual(['new', 0o600]);
});

test('writes through no link', async () => {
  await writeFile(join(base, 'victim'), 'precious');
  await symlink(join(base, 'victim'), join(base, 'page.html'));
  await writePrivateFile(join(base, 'page.html'), 'new');
  expect(await readFile(join(base, 'victim'), 'utf8')).toBe('precious');
  expect(await readFile(join(base, 'page.html'), 'utf8')).toBe('new');
});

test('leaves nothing where a folder is in its place', async () => {
  await mkdir(join(base, 'page.html'));
  await expect(writePrivateFile(join(base, 'page.html'), 'new')).rejects.toMatchObject({ code: 'EISDIR' });
  expect(await readdir(base)).toEqual(['page.html']);
});
