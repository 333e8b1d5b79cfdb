// What other users of the machine, and other processes of `nobody`, can do to an embedded server that root started:
// nothing. Each attack is tried by each of them, and by somebody who may, so that it is known to work.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, lstat, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { prepareBinaries } from '../../../src/platform/embedded/binaries.js';
import { prepareHome } from '../../../src/platform/embedded/location.js';
import { type EmbeddedPostgres, joinEmbeddedPostgres } from '../../../src/platform/embedded/postgres.js';
import { findNobody, findServerUser, type ServerUser } from '../../../src/platform/embedded/server-user.js';
import { readEnvironment } from '../../../src/platform/environment.js';
import { makeServerFolder } from '../../support/server-folder.js';
import { silentLog } from '../../support/silent.js';
import { rootAvailable } from '../../support/skipped-suites.js';
import { waitUntilStopped } from '../../support/stopped-server.js';
import { waitFor } from '../../support/wait.js';

const PROJECT = fileURLToPath(new URL('../../..', import.meta.url));
const run = promisify(execFile);

/** Whether a shell command of this user succeeds. */
function tries(user: ServerUser, command: string, ...args: readonly string[]): Promise<boolean> {
  return run('sh', ['-c', command, 'sh', ...args], { ...user, cwd: '/' }).then(
    () => true,
    () => false,
  );
}

async function query(url: string, sql: string): Promise<readonly unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query({ text: sql, rowMode: 'array' })).rows.flat();
  } finally {
    await client.end();
  }
}

const ROOT: ServerUser = { uid: 0, gid: 0 };

/** `$1` is the server's folder, `$2` the postmaster, `$3` the watcher. */
const ATTACKS: readonly (readonly [name: string, command: string, whoMay: 'root' | 'server'])[] = [
  ['lists the folder', 'ls "$1"', 'root'],
  ['reads the password', 'cat "$1/password"', 'root'],
  ['reads the log', 'cat "$1/server.log"', 'root'],
  ['appends to the log', ': >>"$1/server.log"', 'root'],
  ['opens the lock', ': <>"$1/lock"', 'root'],
  ['opens the FIFO', ': <>"$1/users"', 'server'],
  ['lists the data', 'ls "$1/data"', 'server'],
  ['reads a setting', 'cat "$1/data/postgresql.conf"', 'server'],
  ['sees the socket', 'test -S "$1/socket/.s.PGSQL.5432"', 'server'],
  ['enters the data folder by the process', 'ls "/proc/$2/cwd/"', 'server'],
  ['lists the descriptors of the process', 'ls "/proc/$2/fd"', 'server'],
  ['reads the environment of the process', 'cat "/proc/$2/environ"', 'server'],
  ['reads the memory map of the process', 'cat "/proc/$2/maps"', 'server'],
  ['signals the server', 'kill -0 "$2"', 'server'],
  ['signals the watcher', 'kill -0 "$3"', 'server'],
];
const CHANGES: readonly (readonly [name: string, command: string])[] = [
  ['puts a link in the place of the lock', 'ln -sf /etc/passwd "$1/lock"'],
  ['puts a link in the place of the log', 'ln -sf /etc/passwd "$1/server.log"'],
  ['puts a link in the place of the socket', 'rm "$1/socket/.s.PGSQL.5432"; ln -s /dev/null "$1/socket/.s.PGSQL.5432"'],
  ['puts another FIFO there', 'rm -f "$1/users" && mkfifo "$1/users"'],
  ['moves the data away', 'mv "$1/data" "$1/away"'],
  ['moves the folder away', 'mv "$1" "$1.away"'],
];

describe.skipIf(!rootAvailable())('an embedded server that root started', () => {
  let folder: string;
  let nobody: ServerUser;
  let user: ServerUser;
  beforeEach(async () => {
    folder = await makeServerFolder();
    nobody = await findNobody();
    user = (await findServerUser()) ?? expect.unreachable('root');
  });
  afterEach(async () => {
    await waitUntilStopped(join(folder, 'data'));
    await rm(folder, { recursive: true, force: true });
  });
  const joinServer = (
    options: { binFolder?: string; root?: string; folder?: string } = {},
  ): Promise<EmbeddedPostgres> =>
    joinEmbeddedPostgres({ root: PROJECT, folder, log: silentLog, settings: { fsync: 'off' }, ...options });

  const attackers = (): readonly ServerUser[] => [
    nobody,
    { uid: 12_345, gid: 12_345 },
    { uid: 1, gid: 1 },
    { uid: nobody.uid, gid: 12_345 },
  ];

  test('gives nothing to another user, and a user of its own what it needs', async () => {
    const server = await joinServer();
    const pid = (await readFile(join(folder, 'data', 'postmaster.pid'), 'utf8')).split('\n')[0] ?? '';
    const watcher = /^PPid:\s+(\d+)/mu.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '';
    expect([user.uid, user.gid]).not.toContain(nobody.uid);
    expect(await readFile(`/proc/${pid}/status`, 'utf8')).toMatch(
      new RegExp(`^Uid:\\s+${user.uid}\\s+${user.uid}\\s+${user.uid}\\s.*\\nGid:\\s+${user.gid}\\s`, 'mu'),
    );
    const worked: string[] = [];
    for (const [name, command, whoMay] of ATTACKS) {
      expect([name, await tries(whoMay === 'root' ? ROOT : user, command, folder, pid, watcher)]).toEqual([name, true]);
      for (const attacker of attackers())
        if (await tries(attacker, command, folder, pid, watcher)) worked.push(`${attacker.uid} ${name}`);
    }
    const before = await describeTree(folder);
    for (const [name, command] of CHANGES)
      for (const attacker of attackers())
        if (await tries(attacker, command, folder, pid, watcher)) worked.push(`${attacker.uid} ${name}`);
    expect(worked).toEqual([]);
    expect(await describeTree(folder)).toEqual(before);
    expect(await query(server.adminUrl, 'select 1')).toEqual([1]);
    await server.leave();
  });

  test('leaves root what root writes: the server itself cannot put a link there', async () => {
    const server = await joinServer();
    for (const [name, command] of CHANGES.filter(([, text]) => !text.includes('socket')))
      expect([name, await tries(user, command, folder)]).toEqual([name, false]);
    await server.leave();
  });

  test('lets no other process of `nobody` near while initdb runs as `nobody`', async () => {
    const bin = await makeServerFolder();
    await chmod(bin, 0o755);
    const home = await prepareHome(PROJECT, user);
    const real = await prepareBinaries({ binFolder: readEnvironment('CREDIT_ROLLOUT_PG_BIN'), home, user });
    const [began, go] = [join(bin, 'began'), join(bin, 'go')];
    for (const fifo of [began, go]) await run('mkfifo', ['-m', '666', fifo]);
    await writeProgram(join(bin, 'postgres'), `exec '${real.postgres}' "$@"`);
    await writeProgram(join(bin, 'initdb'), `echo $$ >'${began}'; read -r _ <'${go}'; exec '${real.initdb}' "$@"`);
    const joined = joinServer({ binFolder: bin });
    const pid = (await readFile(began, 'utf8')).trim();
    expect((await lstat(`/proc/${pid}`)).uid).toBe(nobody.uid);
    const draft = join(folder, (await readdir(folder)).find((name) => name.startsWith('new.')) ?? 'none');
    const runner = { uid: nobody.uid, gid: user.gid };
    for (const command of [
      'cat "$1/password"',
      'ls "$1"',
      'ls "/proc/$2/cwd/"',
      'cat "/proc/$2/environ"',
      'readlink /proc/$2/fd/1',
    ]) {
      expect([command, await tries(runner, command, draft, pid)]).toEqual([command, true]);
      for (const attacker of attackers())
        expect([command, await tries(attacker, command, draft, pid)]).toEqual([command, false]);
    }
    await writeFile(go, 'go\n');
    const server = await joined;
    expect((await lstat(server.dataFolder)).uid).toBe(user.uid);
    const others = await run('find', [server.dataFolder, '!', '-uid', String(user.uid)]);
    expect(others.stdout).toBe('');
    expect((await readdir(folder)).filter((name) => name.startsWith('new.'))).toEqual([]);
    await server.leave();
    await rm(bin, { recursive: true });
  });

  test.each(['lock', 'server.log', 'password', 'users'])('follows no link in the place of %s', async (name) => {
    const server = await joinServer();
    await server.leave();
    await waitUntilStopped(server.dataFolder);
    const target = join(folder, 'target');
    await writeFile(target, 'kept\n');
    await rm(join(folder, name));
    await symlink(target, join(folder, name));
    await expect(joinServer()).rejects.toMatchObject({
      code: 'embedded_start_failed',
      message: expect.stringMatching(/it is a link|cannot be made/u),
    });
    expect(await readFile(target, 'utf8')).toBe('kept\n');
  });

  test('uses no folder that somebody else owns, and none behind a link', async () => {
    const [theirs, link] = [join(folder, 'theirs'), join(folder, 'link')];
    await mkdir(theirs);
    await symlink(theirs, link);
    for (const path of [theirs, link]) {
      await chown(theirs, nobody.uid, nobody.gid);
      await expect(joinServer({ folder: path })).rejects.toMatchObject({ code: 'embedded_start_failed' });
    }
    expect(await readdir(theirs)).toEqual([]);
  });

  test('makes the data folder its own again when its number has changed', async () => {
    const before = await joinServer();
    await query(before.adminUrl, 'create table seen as select 42 as answer');
    await before.leave();
    await waitUntilStopped(before.dataFolder);
    await run('chown', ['-R', '12345:12345', before.dataFolder]);
    const after = await joinServer();
    expect(await query(after.adminUrl, 'select answer from seen')).toEqual([42]);
    await after.leave();
  });
});

describe.skipIf(!rootAvailable())('the data of an earlier version, which `nobody` owns', () => {
  let root: string;
  let home: string;
  let earlier: string;
  let nobody: ServerUser;
  let major: number;
  beforeEach(async () => {
    root = await makeServerFolder();
    nobody = await findNobody();
    const user = await findServerUser();
    home = await prepareHome(root, user);
    const binFolder = readEnvironment('CREDIT_ROLLOUT_PG_BIN');
    const binaries = await prepareBinaries({ binFolder, home, user });
    major = binaries.major;
    earlier = join(home.replace('/credit-rollout/', '/credit-rollout-'), `postgres-${major}`);
    await mkdir(earlier, { recursive: true });
    await writeFile(join(earlier, 'password'), `${'ab'.repeat(24)}\n`);
    await run('chown', ['-R', `${nobody.uid}:${nobody.gid}`, join(earlier, '..')]);
    const data = join(earlier, 'data');
    const own = ['-D', data, '-U', 'postgres', `--pwfile=${join(earlier, 'password')}`, '--auth=scram-sha-256'];
    await run(binaries.initdb, [...own, '-E', 'UTF8', '--locale=C.UTF-8'], { ...nobody, cwd: '/' });
    const single = spawn(binaries.postgres, ['--single', '-D', data, 'postgres'], { ...nobody, cwd: '/' });
    single.stdin.end('create table seen as select 42 as answer;\n');
    await once(single, 'exit');
  });
  afterEach(async () => {
    await waitUntilStopped(join(home, `postgres-${major}`, 'data'));
    for (const path of [root, home, join(earlier, '..')]) await rm(path, { recursive: true, force: true });
  });

  test('is taken over, and nothing of it stays with `nobody`', async () => {
    const server = await joinEmbeddedPostgres({ root, log: silentLog });
    expect(await query(server.adminUrl, 'select answer from seen')).toEqual([42]);
    expect(await tries(nobody, 'ls "$1"', server.dataFolder)).toBe(false);
    await expect(lstat(join(earlier, '..'))).rejects.toMatchObject({ code: 'ENOENT' });
    await server.leave();
  });

  test('makes root change nothing that its links lead to', async () => {
    const target = join(root, 'target');
    await writeFile(target, 'kept\n', { mode: 0o600 });
    await rm(join(earlier, 'data', 'PG_VERSION'));
    await symlink(target, join(earlier, 'data', 'PG_VERSION'));
    await symlink(target, join(earlier, 'server.log'));
    await symlink(target, join(earlier, 'lock'));
    await rm(join(earlier, 'password'));
    await symlink(target, join(earlier, 'password'));
    await expect(joinEmbeddedPostgres({ root, log: silentLog })).rejects.toMatchObject({
      code: 'embedded_start_failed',
    });
    const { uid, mode } = await lstat(target);
    expect([uid, mode & 0o777, await readFile(target, 'utf8')]).toEqual([0, 0o600, 'kept\n']);
    expect(await readdir(join(earlier, 'data'))).toContain('base');
  });

  test('makes root wait for no FIFO in the place of the number of its server', async () => {
    await run('mkfifo', [join(earlier, 'data', 'postmaster.pid')], { ...nobody, cwd: '/' });
    const server = await joinEmbeddedPostgres({ root, log: silentLog });
    expect(await query(server.adminUrl, 'select answer from seen')).toEqual([42]);
    await server.leave();
  });

  test('is left alone while its server runs', async () => {
    const sleeper = spawn('sleep', ['60'], { ...nobody });
    await writeFile(join(earlier, 'data', 'postmaster.pid'), `${sleeper.pid}\n`);
    await chown(join(earlier, 'data', 'postmaster.pid'), nobody.uid, nobody.gid);
    await expect(joinEmbeddedPostgres({ root, log: silentLog })).rejects.toMatchObject({
      code: 'embedded_start_failed',
      message: expect.stringContaining('still runs'),
    });
    sleeper.kill();
    await waitFor('its end', () => sleeper.exitCode !== null || sleeper.signalCode !== null);
    const server = await joinEmbeddedPostgres({ root, log: silentLog });
    expect(await query(server.adminUrl, 'select answer from seen')).toEqual([42]);
    await server.leave();
  });
});

async function writeProgram(path: string, text: string): Promise<void> {
  await writeFile(path, `#!/bin/sh\n${text}\n`);
  await chmod(path, 0o755);
}

/** Kind, owner and mode of what lies in a folder. */
async function describeTree(folder: string): Promise<readonly string[]> {
  const names = (await readdir(folder)).toSorted();
  return Promise.all(
    names.map(async (name) => {
      const { uid, gid, mode } = await lstat(join(folder, name));
      return `${name} ${uid} ${gid} ${mode.toString(8)}`;
    }),
  );
}
