// Waits for an embedded server to end, which nobody who left it can ask it any more.
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../src/kernel/clock.js';

/** Resolves when the server of a data folder has ended and its watcher is done. @throws after 30 seconds. */
export async function waitUntilStopped(dataFolder: string): Promise<void> {
  const remaining = [join(dataFolder, 'postmaster.pid'), join(dataFolder, 'closing')];
  const deadline = Date.now() + 30_000;
  while (await isAnyThere(remaining)) {
    if (Date.now() > deadline) throw new Error(`the server of ${dataFolder} still runs`);
    await systemClock.sleep(20);
  }
}

async function isAnyThere(paths: readonly string[]): Promise<boolean> {
  const found = await Promise.all(
    paths.map((path) =>
      access(path).then(
        () => true,
        () => false,
      ),
    ),
  );
  return found.includes(true);
}
