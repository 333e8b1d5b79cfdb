// Whether somebody else could change where a file of ours goes, or what is in it: a folder on the way that others may
// write into, or a symbolic link. Reads only.
import type { Stats } from 'node:fs';
import { lstat, realpath, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const GROUP_WRITES = 0o020;
const OTHERS_WRITE = 0o002;
/** In a folder such as /tmp nobody renames or removes what belongs to another. */
const STICKY = 0o1000;

/**
 * Of a folder that may not exist yet, by its full path, and the files that may lie there. Undefined: nobody could.
 * Rejects with the error of the disk.
 */
export async function explainSharing(target: string, files: readonly string[]): Promise<string | undefined> {
  for (const path of [target, ...files.map((name) => join(target, name))])
    if ((await find(path))?.isSymbolicLink()) return `${path} is a symbolic link`;
  for (const path of listAbove(target)) {
    const found = await find(path);
    if (found?.isSymbolicLink() && !isOurs(found)) return `${path} is a symbolic link of another user`;
  }
  const existing = await findExisting(target);
  for (const [place, path] of listAbove(await realpath(existing)).entries()) {
    const reason = describeWriters(await stat(path), place === 0 && existing === target ? 'written' : 'passed');
    if (reason !== undefined) return `${path} ${reason}`;
  }
  return undefined;
}

/** The path, and every folder above it. */
function listAbove(path: string): readonly string[] {
  const above = dirname(path);
  return above === path ? [path] : [path, ...listAbove(above)];
}

/** Undefined: nothing is there. */
const find = (path: string): Promise<Stats | undefined> =>
  lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });

const findExisting = async (path: string): Promise<string> =>
  (await find(path)) === undefined && dirname(path) !== path ? findExisting(dirname(path)) : path;

/** Of this user, or of root, who may do everything anyway. */
const isOurs = ({ uid }: Stats): boolean => uid === 0 || process.geteuid === undefined || uid === process.geteuid();

/** `written`: files go into it; `passed`: a folder of ours is or will be in it, which its sticky bit protects. */
function describeWriters(found: Stats, use: 'written' | 'passed'): string | undefined {
  if (process.geteuid === undefined) return undefined;
  if (!isOurs(found)) return 'belongs to another user';
  if (use === 'passed' && found.mode & STICKY) return undefined;
  if (found.mode & OTHERS_WRITE) return 'can be written by every user';
  return isSharedByGroup(found) ? 'can be written by its group' : undefined;
}

/**
 * Others may write it through its group: that of root, and one that is made for this user alone and has the same
 * number, are nobody else's.
 */
export const isSharedByGroup = ({ mode, gid }: Pick<Stats, 'mode' | 'gid'>): boolean =>
  (mode & GROUP_WRITES) !== 0 && gid !== 0 && !(gid === process.getegid?.() && gid === process.geteuid?.());
