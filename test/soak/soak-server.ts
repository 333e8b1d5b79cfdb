// A PostgreSQL server of a soak, which is killed, filled and replaced by its standby. Whoever asks by `url` always
// reaches the one that is primary now.
import { execFile } from 'node:child_process';
import { appendFile, chmod, chown, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { type EmbeddedPostgres, joinEmbeddedPostgres } from '../../src/platform/embedded/postgres.js';
import { findServerUser } from '../../src/platform/embedded/server-user.js';
import { FAST } from '../support/global-setup.js';
import { silentLog } from '../support/silent.js';
import { waitUntilStopped } from '../support/stopped-server.js';
import { waitFor } from '../support/wait.js';
import { type FaultyProxy, type ProxyTarget, startFaultyProxy } from './faulty-proxy.js';

const run = promisify(execFile);
const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
/** A commit is on the disk of a crashed server: only the operating system may lose it, which lives on here. */
const SETTINGS = {
  ...FAST,
  synchronous_commit: 'on',
  full_page_writes: 'on',
  wal_level: 'replica',
  max_wal_senders: '4',
  wal_keep_size: '64MB',
  max_wal_size: '128MB',
  checkpoint_timeout: '2min',
  autovacuum_naptime: '20s',
  wal_writer_delay: '200ms',
  bgwriter_delay: '200ms',
  // a sender of a standby behind a proxy that holds everything back
  wal_sender_timeout: '10s',
  max_connections: '200',
};

export interface SoakServer {
  /** Of the database `postgres`, as its superuser, of whoever is primary. */
  readonly url: string;
  readonly socketFolder: () => string;
  readonly target: () => ProxyTarget;
  /** Runs SQL in the database `postgres` over a connection of its own. */
  ask(sql: string, params?: readonly unknown[]): Promise<readonly Record<string, unknown>[]>;
  /** In a database of it, by its URL through this server. */
  askIn(url: string, sql: string): Promise<readonly Record<string, unknown>[]>;
  /** Ends the postmaster so, and starts it again. */
  crash(signal: 'SIGKILL' | 'SIGQUIT' | 'SIGINT'): Promise<void>;
  /** Starts it where it does not run. */
  ensureRunning(): Promise<void>;
  addStandby(): Promise<void>;
  /**
   * Lets the standby fall behind for so long, or until something has happened, kills the primary, and promotes the
   * standby: the tail is lost.
   */
  failOver(lag: number | (() => Promise<unknown>)): Promise<void>;
  /** Folders of every server that there was, with their logs. */
  readonly logs: () => readonly string[];
  stop(): Promise<void>;
}

export async function startSoakServer(folder: string, name: string): Promise<SoakServer> {
  const folders = [join(folder, `${name}-0`)];
  const join1 = (at: string): Promise<EmbeddedPostgres> =>
    joinEmbeddedPostgres({ root: PROJECT, folder: at, log: silentLog, settings: SETTINGS });
  let primary = await join1(folders[0] ?? folder);
  let current = folders[0] ?? folder;
  let standby: { readonly server: EmbeddedPostgres; readonly folder: string; readonly link: FaultyProxy } | undefined;
  const socketFolder = (): string => new URL(primary.adminUrl).searchParams.get('host') ?? '';
  const target = (): ProxyTarget => ({ path: `${socketFolder()}/.s.PGSQL.5432` });
  const admin = await startFaultyProxy(target);
  const url = admin.through(primary.adminUrl);
  const ask: SoakServer['ask'] = (sql, params = []) => askOnce(url, sql, params);
  const ensureRunning = async (): Promise<void> => {
    if (await answers(primary.adminUrl)) return;
    const before = primary;
    primary = await waitFor(`${name} to start`, () => join1(current), { forMs: 90_000, everyMs: 500 });
    await before.leave();
  };
  return {
    url,
    socketFolder,
    target,
    ask,
    askIn: (at, sql) => askOnce(at, sql, []),
    crash: async (signal) => {
      await signalPostmaster(primary.dataFolder, signal);
      await ensureRunning();
    },
    ensureRunning,
    addStandby: async () => {
      const link = await startFaultyProxy(target);
      const at = join(folder, `${name}-${folders.length}`);
      folders.push(at);
      await copyServer(ask, current, at, link.through(primary.adminUrl));
      standby = { server: await join1(at), folder: at, link };
    },
    failOver: async (lag) => {
      if (standby === undefined) throw new Error(`${name} has no standby`);
      const { server, folder: at, link } = standby;
      link.hold();
      if (typeof lag === 'function') await lag();
      else await waitFor('the tail that is lost', () => undefined, { forMs: lag }).catch(() => undefined);
      // its watcher ends with it; what is left of it is never asked again
      await signalPostmaster(primary.dataFolder, 'SIGKILL');
      await askOnce(server.adminUrl, 'select pg_promote(true, 60)', []);
      primary = server;
      current = at;
      standby = undefined;
      await link.stop();
      admin.cut();
    },
    logs: () => folders,
    stop: async () => {
      for (const one of standby === undefined ? [primary] : [standby.server, primary]) {
        await one.leave();
        await waitUntilStopped(one.dataFolder).catch(() => undefined);
      }
      await standby?.link.stop();
      await admin.stop();
    },
  };
}

async function signalPostmaster(dataFolder: string, signal: NodeJS.Signals): Promise<void> {
  const [pid = ''] = (await readFile(join(dataFolder, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n');
  if (Number(pid) > 1) process.kill(Number(pid), signal);
}

/** A base backup of a server that runs, made by copying, that follows it over `source`. */
async function copyServer(ask: SoakServer['ask'], from: string, to: string, source: string): Promise<void> {
  await mkdir(to);
  await chmod(to, 0o711);
  const client = new pg.Client({ connectionString: source });
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query(`select pg_backup_start('soak', true)`);
    // files come and go meanwhile; what the log has of them is played again
    await run('cp', ['-a', join(from, 'data'), join(from, 'password'), to]).catch(() => undefined);
    const { rows } = await client.query('select labelfile from pg_backup_stop(false)');
    const data = join(to, 'data');
    for (const left of ['postmaster.pid', 'postmaster.opts', 'closing']) await rm(join(data, left), { force: true });
    await writeFile(join(data, 'backup_label'), rows[0].labelfile, { mode: 0o644 });
    const { port, password } = new URL(source);
    const info = `host=127.0.0.1 port=${port} user=postgres password=${password}`;
    await appendFile(join(data, 'postgresql.auto.conf'), `primary_conninfo = '${info}'\n`);
    await writeFile(join(data, 'standby.signal'), '');
    const user = await findServerUser();
    if (user !== undefined)
      for (const name of ['backup_label', 'standby.signal']) await chown(join(data, name), user.uid, user.gid);
    await ask('select 1');
  } finally {
    await client.end();
  }
}

async function askOnce(
  url: string,
  sql: string,
  params: readonly unknown[],
): Promise<readonly Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000, query_timeout: 60_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.query(sql, [...params])).rows;
  } finally {
    await client.end().catch(() => undefined);
  }
}

const answers = (url: string): Promise<boolean> =>
  askOnce(url, 'select 1', []).then(
    () => true,
    () => false,
  );
