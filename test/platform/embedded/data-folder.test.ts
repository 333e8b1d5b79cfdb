// What makes the data folder cannot be kept waiting for ever.
import { closeSync, openSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { prepareDataFolder } from '../../../src/platform/embedded/data-folder.js';

async function runInitdb(script: string, major: number): Promise<{ code: number; logged: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'credit-rollout-initdb-'));
  const at = (name: string): string => join(folder, name);
  await writeFile(at('initdb'), `#!/bin/sh\n${script}\n`);
  await chmod(at('initdb'), 0o700);
  await writeFile(at('password'), 'secret\n', { mode: 0o600 });
  const [lock, log] = [openSync(at('lock'), 'w'), openSync(at('log'), 'w')];
  const location = {
    folder,
    dataFolder: at('data'),
    socketFolder: folder,
    usersFifo: at('users'),
    closingMark: at('data/closing'),
    lockFile: at('lock'),
    passwordFile: at('password'),
    logFile: at('log'),
    user: undefined,
    earlierFolder: undefined,
  };
  const binaries = { major, initdb: at('initdb'), postgres: '' };
  const code = await prepareDataFolder(location, binaries, { lock, log, initdbMs: 2_000 });
  const logged = await readFile(at('log'), 'utf8');
  closeSync(lock);
  closeSync(log);
  await rm(folder, { recursive: true });
  return { code, logged };
}

test('an initdb that somebody stopped is ended, and the log says so', async () => {
  expect(await runInitdb('kill -STOP $$', 18)).toEqual({
    code: 1,
    logged: 'initdb did not end within 2 seconds, and was ended\n',
  });
});

test.each([
  [15, false],
  [16, true],
  [18, true],
])('initdb of PostgreSQL %i shares no memory in /dev/shm, where its version can', async (major, isOwn) => {
  const { logged } = await runInitdb('echo "$@"; exit 1', major);
  expect(logged.includes(' -c dynamic_shared_memory_type=mmap ')).toBe(isOwn);
});
