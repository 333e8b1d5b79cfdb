// `apply --wait | head -1`: the pipe closes, and the command goes on.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { bundleProcess } from '../../support/bundle-process.js';

test('a closed pipe ends no command, and does not change its exit code', async () => {
  const bundle = await bundleProcess(fileURLToPath(new URL('closed-pipe-process.ts', import.meta.url)));
  const child = spawn(process.execPath, [bundle], { stdio: ['ignore', 'pipe', 'pipe'] });
  await once(child.stdout, 'data');
  child.stdout.destroy();
  const [code] = await once(child, 'exit');
  expect(code).toBe(4);
});
