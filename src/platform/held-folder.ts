// A folder that stays the one that was opened, whatever is put at its path afterwards: what is written into it goes
// nowhere else.
import { constants, type Stats } from 'node:fs';
import { lstat, open, stat } from 'node:fs/promises';

export interface HeldFolder {
  /** By its full path. */
  readonly named: string;
  /** Leads to the folder that was opened; where a system has no such way, its path. */
  readonly path: string;
  /** Whether that folder, and no link, is still at its path. */
  isInPlace(): Promise<boolean>;
  close(): Promise<void>;
}

/** Opens it; rejects with the error of the disk, also for a link. */
export async function holdFolder(named: string): Promise<HeldFolder> {
  const handle = await open(named, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  const opened = await handle.stat();
  const byNumber = `/proc/self/fd/${handle.fd}`;
  const isSame = (found: Stats | undefined): boolean => found?.ino === opened.ino && found.dev === opened.dev;
  const leads = isSame(await stat(byNumber).catch(() => undefined));
  return {
    named,
    path: leads ? byNumber : named,
    isInPlace: async () => isSame(await lstat(named).catch(() => undefined)),
    close: () => handle.close(),
  };
}
