// Standard output that ends early. `apply --wait | head -1`: the pipe closes, and the command goes on. A disk that is full:
// the command says that something is missing.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { bundleProcess } from '../../support/bundle-process.js';

test('a closed pipe ends no command, and does not change its exit code', async () => {
  const bundle = await bundleProcess(fileURLToPath(new URL('closed-pipe-process.ts', import.meta.url)));
  const child = spawn(process.execPath, [bundle], { stdio: ['ignore', 'pipe', 'pipe'] });
  await once(child.stdout, 'data');
  child.stdout.destroy();
  const [code] = await once(child, 'exit');
  expect(code).toBe(4);
});

const MAIN = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url));
const SENTENCE = /^error \[output_lost\] Standard output could not be written \((\w+)\): [^\n]+\n {2}next: [^\n]+\n$/u;

const WIDE = { ...process.env, COLUMNS: '999' };

async function end(child: ChildProcess): Promise<{ readonly code: unknown; readonly err: string }> {
  const [err, [code]] = await Promise.all([child.stderr ? text(child.stderr) : '', once(child, 'exit')]);
  return { code, err };
}

describe('a disk that is full', () => {
  test.each([
    [['--version']],
    [['plan', '--help']],
    [['rate-card', 'check', 'src/sample/rate-card.yaml']],
    [['rate-card', 'check', 'src/sample/rate-card.yaml', '--json']],
    [['status', '--json', '--config', 'there-is-none.yaml']],
  ])('is told of %j', async (args) => {
    const full = await open('/dev/full', 'w');
    const bundle = await bundleProcess(MAIN);
    const child = spawn(process.execPath, [bundle, ...args], { stdio: ['ignore', full.fd, 'pipe'], env: WIDE });
    const { code, err } = await end(child);
    await full.close();
    expect({ code, why: SENTENCE.exec(err)?.[1], err }).toMatchObject({ code: 1, why: 'ENOSPC' });
  });

  test('is told where the beginning of a text fits', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'credit-rollout-full-'));
    const path = join(folder, 'out');
    const script = 'ulimit -f 1; exec "$0" "$1" --help > "$2"';
    const child = spawn('sh', ['-c', script, process.execPath, await bundleProcess(MAIN), path], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: WIDE,
    });
    const { code, err } = await end(child);
    const { size } = await stat(path);
    await rm(folder, { recursive: true });
    expect({ code, why: SENTENCE.exec(err)?.[1], cut: size > 0 }).toEqual({ code: 1, why: 'EFBIG', cut: true });
  });
});
