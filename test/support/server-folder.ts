// Where the servers of tests lie. A server is some 1,000 files and each of its databases some 400: on ext4 finding free
// inodes alone took a third of a whole run.
import { mkdtemp, readdir, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PREFIX = 'credit-rollout-test-';
const MEMORY = '/dev/shm';
const NEEDED_BYTES = 3 * 1024 ** 3;

/** A new folder of this process, to be removed by it. */
export async function makeServerFolder(): Promise<string> {
  return mkdtemp(join(await chooseBase(), `${PREFIX}${process.pid}-`));
}

/** Memory, where there is enough. */
async function chooseBase(): Promise<string> {
  const memory = await statfs(MEMORY).catch(() => undefined);
  return memory !== undefined && memory.bavail * memory.bsize > NEEDED_BYTES ? MEMORY : tmpdir();
}

/** What runs that were killed have left: their servers ended with them. */
export async function removeLeftovers(): Promise<void> {
  const base = await chooseBase();
  for (const name of await readdir(base)) {
    const pid = name.startsWith(PREFIX) ? Number(name.slice(PREFIX.length).split('-')[0]) : Number.NaN;
    // a disk that a killed soak has mounted stays until somebody unmounts it
    if (Number.isInteger(pid) && !isRunning(pid))
      await rm(join(base, name), { recursive: true, force: true }).catch((error: unknown) => {
        if (!(error instanceof Error && 'code' in error && error.code === 'EBUSY')) throw error;
      });
  }
}

export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
