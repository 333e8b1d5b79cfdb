// --out on a real file system: no report goes where somebody else could put it, read it or change it.
import { chmod, chown, lstat, mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { openReportFolder } from '../../../src/cli/report/report-folder.js';
import { holdFolder } from '../../../src/platform/held-folder.js';
import { explainSharing } from '../../../src/platform/shared-folder.js';
import { samplePlan } from './sample-plan.js';

let base: string;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'credit-rollout-shared-'));
});
afterEach(() => rm(base, { recursive: true, force: true }));

const write = async (dir: string): Promise<readonly string[]> => {
  const folder = await openReportFolder(dir);
  return folder.publish([samplePlan()]).finally(folder.discard);
};

async function makeFolder(mode: number, ...names: readonly string[]): Promise<string> {
  const path = join(base, ...names);
  await mkdir(path, { recursive: true });
  await chmod(path, mode);
  return path;
}

async function expectUnsafe(dir: string, why: string): Promise<void> {
  await expect(write(dir)).rejects.toMatchObject({
    code: 'out_unsafe',
    message: `The report is not written to "${dir}": ${why}.`,
    next: expect.stringContaining('--out'),
  });
}

describe('--out', () => {
  test('rejects a folder that every user can write into, sticky or not, and leaves it as it was', async () => {
    for (const mode of [0o777, 0o1777]) {
      const path = await makeFolder(mode, 'shared');
      await expectUnsafe(path, `${path} can be written by every user`);
      expect(await readdir(path)).toEqual([]);
    }
  });

  test('rejects a new folder below one that every user can write into, however far above', async () => {
    const path = await makeFolder(0o777, 'shared');
    await expectUnsafe(join(path, 'new'), `${path} can be written by every user`);
    await makeFolder(0o700, 'shared', 'mine');
    await expectUnsafe(join(path, 'mine', 'a', 'b'), `${path} can be written by every user`);
    expect(await readdir(path)).toEqual(['mine']);
  });

  test('takes a new folder below one that is sticky, as /tmp is, and one that others only read', async () => {
    expect(await write(join(await makeFolder(0o1777, 'tmp'), 'report'))).toHaveLength(2);
    expect(await write(await makeFolder(0o755, 'public'))).toHaveLength(2);
  });

  test('lets nobody write into what it makes, whatever the umask is', async () => {
    const before = process.umask(0);
    try {
      await write(join(base, 'a', 'b', 'report'));
    } finally {
      process.umask(before);
    }
    const modes = ['a', 'a/b', 'a/b/report', 'a/b/report/report.json'].map((name) => lstat(join(base, name)));
    expect((await Promise.all(modes)).map(({ mode }) => mode & 0o777)).toEqual([0o755, 0o755, 0o700, 0o600]);
  });

  test('rejects a folder that is a symbolic link', async () => {
    const path = await makeFolder(0o700, 'real');
    await symlink(path, join(base, 'link'));
    await expectUnsafe(join(base, 'link'), `${join(base, 'link')} is a symbolic link`);
    expect(await readdir(path)).toEqual([]);
    // one of ours above it is no harm
    expect(await write(join(base, 'link', 'report'))).toHaveLength(2);
  });

  test('rejects a folder that does not exist yet and is a link to nowhere', async () => {
    await symlink(join(base, 'gone'), join(base, 'link'));
    await expectUnsafe(join(base, 'link'), `${join(base, 'link')} is a symbolic link`);
  });

  test.each(['report.json', 'report.html', 'orgs.csv'])(
    'rejects a report whose %s is a symbolic link',
    async (name) => {
      const path = await makeFolder(0o700, 'out');
      await write(path);
      await writeFile(join(base, 'victim'), 'precious');
      await rm(join(path, name), { force: true });
      await symlink(join(base, 'victim'), join(path, name));
      await expectUnsafe(path, `${join(path, name)} is a symbolic link`);
      expect((await lstat(join(path, name))).isSymbolicLink()).toBe(true);
    },
  );
});

describe('--out, whose folder is exchanged while the report is written', () => {
  /** Puts a link to the folder of a victim where `path` was. */
  async function exchange(path: string): Promise<string> {
    const victim = await makeFolder(0o700, 'victim');
    await rename(path, join(base, 'moved'));
    await symlink(victim, path);
    return victim;
  }

  test.each([
    ['the folder itself', 'out', 'out'],
    ['the one above a new folder', 'out', 'out/new'],
  ])('writes nothing elsewhere: %s', async (_, exchanged, dir) => {
    await makeFolder(0o700, 'out');
    const folder = await openReportFolder(join(base, dir));
    const victim = await exchange(join(base, exchanged));
    await folder.saveOrgs(Readable.from([Buffer.from('org_id\n1\n')]), 'plain');
    await expect(folder.publish([samplePlan()])).rejects.toMatchObject({
      code: 'out_unsafe',
      message: `The report is not at "${join(base, dir)}": somebody moved or replaced that folder while it was written.`,
    });
    await folder.discard();
    expect(await readdir(victim)).toEqual([]);
    expect(await readdir(join(base, 'moved'))).toEqual([]);
  });

  test('opens no link for a folder, and knows when it is another one', async () => {
    const path = await makeFolder(0o700, 'out');
    const held = await holdFolder(path);
    try {
      expect(await held.isInPlace()).toBe(true);
      await exchange(path);
      expect(await held.isInPlace()).toBe(false);
      await writeFile(join(held.path, 'x'), '');
      expect(await readdir(join(base, process.platform === 'linux' ? 'moved' : 'victim'))).toEqual(['x']);
      await expect(holdFolder(path)).rejects.toMatchObject({ code: 'ENOTDIR' });
    } finally {
      await held.close();
    }
  });
});

// only root can make what belongs to somebody else
if (process.geteuid?.() === 0)
  describe('--out of root', () => {
    test('rejects what belongs to another user', async () => {
      const path = await makeFolder(0o755, 'theirs');
      await chown(path, 65_534, 65_534);
      await expectUnsafe(path, `${path} belongs to another user`);
      await expectUnsafe(join(path, 'new'), `${path} belongs to another user`);
    });

    test('rejects what another group can write into', async () => {
      const path = await makeFolder(0o775, 'theirs');
      await chown(path, 0, 65_534);
      await expectUnsafe(path, `${path} can be written by its group`);
    });

    test.each([
      [1000, 100, 'can be written by its group'],
      [1000, 1000, undefined],
    ])('takes the group of user %d for its own only with the same number, not %d', async (uid, gid, reason) => {
      const path = await makeFolder(0o775, 'mine');
      await chown(base, uid, gid);
      await chown(path, uid, gid);
      vi.spyOn(process, 'geteuid').mockReturnValue(uid);
      vi.spyOn(process, 'getegid').mockReturnValue(gid);
      try {
        expect(await explainSharing(path, [])).toBe(reason && `${path} ${reason}`);
      } finally {
        vi.restoreAllMocks();
      }
    });
  });
