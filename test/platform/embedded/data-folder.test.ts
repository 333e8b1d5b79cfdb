// What makes the data folder cannot be kept waiting for ever.
import { closeSync, openSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { prepareDataFolder } from '../../../src/platform/embedded/data-folder.js';

test('an initdb that somebody stopped is ended, and the log says so', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'credit-rollout-initdb-'));
  const at = (name: string): string => join(folder, name);
  await writeFile(at('initdb'), '#!/bin/sh\nkill -STOP $$\n');
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
  const binaries = { major: 18, initdb: at('initdb'), postgres: '' };
  expect(await prepareDataFolder(location, binaries, { lock, log, initdbMs: 200 })).toBe(1);
  expect(await readFile(at('log'), 'utf8')).toBe('initdb did not end within 0.2 seconds, and was ended\n');
  closeSync(lock);
  closeSync(log);
  await rm(folder, { recursive: true });
});
