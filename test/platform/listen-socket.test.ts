// A unix socket that nobody else takes over, and that takes over nobody's.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { listenOnSocket } from '../../src/platform/listen-socket.js';

let folder = '';
let path = '';
const servers: Server[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credit-rollout-listen-'));
  path = join(folder, 'a.sock');
});
afterEach(async () => {
  for (const server of servers.splice(0)) server.close();
  await rm(folder, { recursive: true });
});

function create(): Server {
  const server = createServer((socket) => socket.destroy());
  servers.push(server);
  return server;
}

test('is made for the user and the group, whatever the umask, which stays', async () => {
  const before = process.umask(0);
  try {
    expect(await listenOnSocket(create(), path)).toBe('listening');
    expect(process.umask()).toBe(0);
  } finally {
    process.umask(before);
  }
  expect((await stat(path)).mode & 0o777).toBe(0o660);
});

test('where somebody answers it stays theirs', async () => {
  const first = create();
  await listenOnSocket(first, path);
  expect(await listenOnSocket(create(), path)).toBe('used');
  expect(first.listening).toBe(true);
  await expect(stat(path)).resolves.toBeDefined();
});

test('replaces what a killed process left', async () => {
  const script = "require('net').createServer().listen(process.argv[1], () => console.log('listens'))";
  const child = spawn(process.execPath, ['-e', script, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
  await expect(stat(path)).resolves.toBeDefined();
  expect(await listenOnSocket(create(), path)).toBe('listening');
});

test('what is no socket stays, and listening fails', async () => {
  await expect(listenOnSocket(create(), folder)).rejects.toMatchObject({ code: 'EADDRINUSE' });
});
