// Users of an embedded server come, go and are killed; the server is there exactly as long as one of them is.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { type EmbeddedPostgres, joinEmbeddedPostgres } from '../../../src/platform/embedded/postgres.js';
import { listOwnLines } from '../../../src/platform/embedded/server.js';
import { bundleProcess } from '../../support/bundle-process.js';
import { makeServerFolder } from '../../support/server-folder.js';
import { silentLog } from '../../support/silent.js';
import { waitUntilStopped } from '../../support/stopped-server.js';

const PROJECT = fileURLToPath(new URL('../../..', import.meta.url));
const FIXTURE = fileURLToPath(new URL('fixtures/join-server.ts', import.meta.url));

interface UserProcess {
  readonly child: ChildProcess;
  readonly adminUrl: string;
  readonly startedByUs: boolean;
}

let folder: string;
let dataFolder: string;
let children: ChildProcess[];
/** The folder of a server that has stopped. */
let made: string;

beforeAll(async () => {
  made = await makeServerFolder();
  const server = await joinEmbeddedPostgres({ root: PROJECT, folder: made, log: silentLog });
  await server.leave();
  await waitUntilStopped(join(made, 'data'));
});
afterAll(() => rm(made, { recursive: true, force: true }));

beforeEach(async () => {
  folder = await makeServerFolder();
  dataFolder = join(folder, 'data');
  children = [];
  // a tenth of what initdb costs
  await promisify(execFile)('cp', ['-a', join(made, 'data'), join(made, 'password'), folder]);
});

/** For what is about making it. */
const removeData = (): Promise<void> => rm(dataFolder, { recursive: true });

afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  await waitUntilStopped(dataFolder);
  await rm(folder, { recursive: true, force: true });
});

function joinServer(): Promise<EmbeddedPostgres> {
  return joinEmbeddedPostgres({ root: PROJECT, folder, log: silentLog, settings: { fsync: 'off' } });
}

async function joinFromProcess(): Promise<UserProcess> {
  const child = spawn(process.execPath, [await bundleProcess(FIXTURE), PROJECT, folder], {
    cwd: PROJECT,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  return { child, ...JSON.parse(String(line)) };
}

async function query(url: string, sql: string): Promise<readonly unknown[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query({ text: sql, rowMode: 'array' })).rows.flat();
  } finally {
    await client.end();
  }
}

async function readServerPid(): Promise<number> {
  return Number((await readFile(join(dataFolder, 'postmaster.pid'), 'utf8')).split('\n')[0]);
}

async function readWatcherPid(): Promise<number> {
  const status = await readFile(`/proc/${await readServerPid()}/status`, 'utf8');
  return Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]);
}

describe('joinEmbeddedPostgres', () => {
  test('makes a UTF-8 server with the needed settings, whatever LANG is', async () => {
    await removeData();
    const server = await joinServer();
    const sql = `select current_setting('server_encoding'), current_setting('max_connections'),
      current_setting('synchronous_commit'), current_setting('jit'), current_setting('listen_addresses')`;
    expect(await query(server.adminUrl, sql)).toEqual(['UTF8', '300', 'on', 'off', '']);
    await server.leave();
  });

  test('rejects a wrong password', async () => {
    const server = await joinServer();
    await expect(query(server.adminUrl.replace(/:[0-9a-f]+@/, ':wrong@'), 'select 1')).rejects.toThrow('password');
    await server.leave();
  });

  test('keeps the server for the user that stays and stops it with the last', async () => {
    const first = await joinServer();
    const second = await joinServer();
    expect([first.startedByUs, second.startedByUs]).toEqual([true, false]);
    await first.leave();
    expect(await query(second.adminUrl, 'select 1')).toEqual([1]);
    await second.leave();
    await waitUntilStopped(dataFolder);
    await expect(query(second.adminUrl, 'select 1')).rejects.toThrow();
  });

  test('starts one server for processes that come at the same time', async () => {
    await removeData();
    const users = await Promise.all([joinFromProcess(), joinFromProcess(), joinServer()]);
    const starts = await Promise.all(
      users.map(({ adminUrl }) => query(adminUrl, 'select pg_postmaster_start_time()::text')),
    );
    expect(new Set(starts.flat()).size).toBe(1);
    expect(users.filter((user) => user.startedByUs)).toHaveLength(1);
    await users[2].leave();
  });

  test('stops the server when its only user is killed with -9', async () => {
    const user = await joinFromProcess();
    user.child.kill('SIGKILL');
    await waitUntilStopped(dataFolder);
    await expect(query(user.adminUrl, 'select 1')).rejects.toThrow();
  });

  test('keeps the data for the next user', async () => {
    const before = await joinServer();
    await before.ensureDatabases('kept');
    await query(before.url('kept'), 'create table seen as select 42 as answer');
    await before.leave();
    const after = await joinServer();
    expect(await query(after.url('kept'), 'select answer from seen')).toEqual([42]);
    await after.leave();
  });

  test('gives every newcomer a server while others leave', async () => {
    const visit = async (): Promise<unknown> => {
      const server = await joinServer();
      const [answer] = await query(server.adminUrl, 'select 1');
      await server.leave();
      return answer;
    };
    const visitor = async (): Promise<readonly unknown[]> => [
      await visit(),
      await visit(),
      await visit(),
      await visit(),
    ];
    const answers = await Promise.all([visitor(), visitor(), visitor()]);
    expect(answers.flat()).toEqual(Array.from({ length: 12 }, () => 1));
  });

  test('starts over a number in postmaster.pid that is another process by now', async () => {
    const before = await joinServer();
    const lines = (await readFile(join(dataFolder, 'postmaster.pid'), 'utf8')).split('\n');
    await before.leave();
    await waitUntilStopped(dataFolder);
    await writeFile(join(dataFolder, 'postmaster.pid'), [process.pid, ...lines.slice(1)].join('\n'));
    const after = await joinServer();
    expect(await query(after.adminUrl, 'select 1')).toEqual([1]);
    await after.leave();
  });

  test('starts again after the server itself was killed', async () => {
    const before = await joinServer();
    process.kill(await readServerPid(), 'SIGKILL');
    const after = await joinServer();
    expect(await query(after.adminUrl, 'select 1')).toEqual([1]);
    await Promise.all([before.leave(), after.leave()]);
  });

  test('begins again where a killed initdb left half a data folder', async () => {
    await removeData();
    await mkdir(join(folder, 'data.new.1'));
    await writeFile(join(folder, 'data.new.1', 'PG_VERSION'), '18\n');
    const server = await joinServer();
    expect(await query(server.adminUrl, 'select 1')).toEqual([1]);
    await server.leave();
  });

  test('shows the end of the log when the server cannot start', async () => {
    const failing = joinEmbeddedPostgres({
      root: PROJECT,
      folder,
      log: silentLog,
      settings: { max_connections: 'many' },
    });
    await expect(failing).rejects.toMatchObject({
      code: 'embedded_start_failed',
      message: 'The embedded PostgreSQL did not start.',
      next: expect.stringMatching(/^See .*server\.log\. What it says last of the server itself:\n.*max_connections/su),
    });
  });

  test('shows nothing of the log that a statement caused', () => {
    const at = (text: string): string => `2026-11-29 21:15:38.967 UTC [55] ${text}`;
    const own = [at('LOG:  starting'), at('FATAL:  files are incompatible'), at('DETAIL:  By version 15.'), '\tmore'];
    const theirs = [
      at('ERROR:  org MARKER'),
      '\tMARKER',
      at('DETAIL:  MARKER'),
      at('CONTEXT:  MARKER'),
      at('STATEMENT:  select MARKER'),
      '\tMARKER',
    ];
    expect(listOwnLines([...theirs, ...own, ...theirs, 'sh: not found'].join('\n'))).toEqual([...own, 'sh: not found']);
  });

  test('names the programs that do not run', async () => {
    const failing = joinEmbeddedPostgres({ root: PROJECT, folder, log: silentLog, binFolder: '/nowhere/bin' });
    await expect(failing).rejects.toMatchObject({
      code: 'embedded_start_failed',
      message: expect.stringContaining('/nowhere/bin/postgres'),
    });
  });
});

// /proc tells who the watcher is
describe.runIf(process.platform === 'linux')('the watcher', () => {
  test('is replaced by the next user when it was killed, without a restart of the server', async () => {
    const user = await joinFromProcess();
    const pid = await readServerPid();
    process.kill(await readWatcherPid(), 'SIGKILL');
    const next = await joinServer();
    expect(await readServerPid()).toBe(pid);
    user.child.kill('SIGKILL');
    await next.leave();
    await waitUntilStopped(dataFolder);
  });

  test('is replaced by the last user that leaves, so that the server does not outlive it', async () => {
    const server = await joinServer();
    const watcher = await readWatcherPid();
    process.kill(watcher, 'SIGKILL');
    await vi.waitFor(async () => expect(await readWatcherPid()).not.toBe(watcher));
    await server.leave();
    await waitUntilStopped(dataFolder);
  });
});

describe('ensureDatabase', () => {
  test('creates a database once, however many ask for it', async () => {
    const server = await joinServer();
    await Promise.all(Array.from({ length: 4 }, () => server.ensureDatabases('Cell "in"')));
    await server.ensureDatabases('Cell "in"');
    expect(await query(server.url('Cell "in"'), 'select current_database()')).toEqual(['Cell "in"']);
    await server.leave();
  });
});
