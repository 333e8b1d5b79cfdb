// A file that only its owner can read, whoever else may write into its folder: it is made new, and put in place whole.
import { randomBytes } from 'node:crypto';
import { realpath, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { holdFolder } from './held-folder.js';

/** Replaces what is at `path`, a link or a file of another mode too. Rejects with the error of the disk. */
export async function writePrivateFile(path: string, text: string): Promise<void> {
  const full = resolve(path);
  const folder = await holdFolder(await realpath(dirname(full)));
  const made = join(folder.path, `.credit-rollout-${randomBytes(8).toString('hex')}`);
  try {
    await writeFile(made, text, { flag: 'wx', mode: 0o600, flush: true });
    await rename(made, join(folder.path, basename(full)));
  } catch (error) {
    await rm(made, { force: true });
    throw error;
  } finally {
    await folder.close();
  }
}
