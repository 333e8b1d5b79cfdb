// Where the socket of an embedded server is when the project's own path is too long for one: in /tmp, where anybody can
// make a folder of any name first.
import { createHash } from 'node:crypto';
import { lstat, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { prepareLocation } from '../../../src/platform/embedded/location.js';

let folder = '';
/** The name that everybody can compute. */
let known = '';
const made = new Set<string>();
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'credit-rollout-location-')), 'a, b'.padEnd(60, 'x'));
  known = `/tmp/credit-rollout-${createHash('sha256').update(folder).digest('hex').slice(0, 12)}`;
  made.add(known);
});
afterEach(async () => {
  for (const path of made) await rm(path, { recursive: true, force: true });
  await rm(join(folder, '..'), { recursive: true });
});

async function prepare(): Promise<string> {
  const { socketFolder } = await prepareLocation(folder, undefined);
  made.add(socketFolder);
  return socketFolder;
}

test('is the same for every command', async () => {
  expect(await prepare()).toBe(known);
  expect(await prepare()).toBe(known);
});

test('is another one where somebody else was there first, and then the same for every command', async () => {
  const elsewhere = join(folder, '..', 'elsewhere');
  await mkdir(elsewhere);
  await symlink(elsewhere, known);
  const [one, two] = [await prepare(), await prepare()];
  expect(one).toMatch(new RegExp(`^${known}-[0-9a-f]{8}$`, 'u'));
  expect(two).toBe(one);
  expect((await lstat(known)).isSymbolicLink()).toBe(true);
  // who sees that name makes it as soon as it is gone, as after a restart of the machine
  await rm(one, { recursive: true });
  await symlink(elsewhere, one);
  const three = await prepare();
  expect([known, one]).not.toContain(three);
  expect(await prepare()).toBe(three);
});
