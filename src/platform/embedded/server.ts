// Joins the server that runs, waits for one that stops, or starts one where there is none. Never signals PostgreSQL:
// only the watcher does.
import type { ChildProcess } from 'node:child_process';
import { closeSync, existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { systemClock } from '../../kernel/clock.js';
import type { Log } from '../../kernel/log.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import type { PostgresBinaries } from './binaries.js';
import { prepareDataFolder } from './data-folder.js';
import { openEarlyHold, openHold, type ServerHold } from './hold.js';
import type { ServerLocation } from './location.js';
import { readOwnFile } from './own-files.js';
import { ALREADY_WATCHED, openLock, openLog, spawnWatcher } from './watcher.js';

export interface ServerSpec {
  readonly location: ServerLocation;
  readonly binaries: PostgresBinaries;
  readonly settings: Readonly<Record<string, string>>;
  /** Read again for each attempt: the password comes with the data that are taken over from an earlier version. */
  readonly adminUrl: () => string;
  readonly log: Log;
}

export interface AcquiredServer {
  readonly hold: ServerHold;
  readonly startedByUs: boolean;
}

const TIMEOUT_MS = 60_000; // crash recovery of a large data folder included
const LATE = `did not become ready within ${TIMEOUT_MS / 1000} seconds`;
const POLL_MS = 15;
const POLLS_PER_PING = 12;
// left behind by a killed postmaster: its last sessions end within seconds
const PASSING_FAILURE = /pre-existing shared memory block|lock file ".*" already exists/;

/** Holds a server that accepts connections. @throws embedded_start_failed */
export async function acquireServer(spec: ServerSpec): Promise<AcquiredServer> {
  const deadline = systemClock.now().getTime() + TIMEOUT_MS;
  for (;;) {
    const acquired = await tryAcquire(spec, deadline);
    if (acquired !== undefined) return acquired;
    if (systemClock.now().getTime() > deadline) throw await createStartError(spec, LATE, 0);
    await systemClock.sleep(POLL_MS);
  }
}

async function tryAcquire(spec: ServerSpec, deadline: number): Promise<AcquiredServer | undefined> {
  const { usersFifo } = spec.location;
  const joined = openHold(usersFifo);
  if (joined !== undefined) {
    return (await waitUntilReady(spec, joined, deadline)) ? { hold: joined, startedByUs: false } : undefined;
  }
  const early = openEarlyHold(usersFifo);
  const logOffset = await readSize(spec.location.logFile);
  try {
    const watcher = await startWatcher(spec);
    const isReady = await waitUntilReady(spec, early, deadline, watcher);
    if (watcher.exitCode() !== undefined) await assertPassing(spec, watcher.exitCode(), logOffset);
    const hold = isReady ? openHold(usersFifo) : undefined;
    if (hold === undefined) return undefined;
    spec.log.info('embedded_postgres_started', { major: spec.binaries.major });
    return { hold, startedByUs: true };
  } finally {
    early.release();
  }
}

interface WatcherExit {
  /** Undefined while the watcher runs. */
  exitCode(): number | undefined;
}

/** The data folder is made first, under the lock that the watcher then keeps. */
async function startWatcher({ location, binaries, settings }: ServerSpec): Promise<WatcherExit> {
  const lock = openLock(location.lockFile);
  if (lock === undefined) return { exitCode: () => ALREADY_WATCHED };
  const descriptors = { lock, log: openLog(location.logFile) };
  try {
    const code = await prepareDataFolder(location, binaries, descriptors);
    return code === 0 ? watchExit(spawnWatcher(location, binaries, settings, descriptors)) : { exitCode: () => code };
  } finally {
    closeSync(lock);
    closeSync(descriptors.log);
  }
}

function watchExit(child: ChildProcess): WatcherExit {
  let failure: number | undefined;
  child.once('error', () => {
    failure = 1;
  });
  return { exitCode: () => failure ?? child.exitCode ?? (child.signalCode === null ? undefined : 1) };
}

/** False when the watcher of the hold is gone; the hold is released then. */
async function waitUntilReady(
  spec: ServerSpec,
  hold: ServerHold,
  deadline: number,
  watcher?: WatcherExit,
): Promise<boolean> {
  for (let polls = 1; ; polls += 1) {
    if (await acceptsUsers(spec)) return true;
    // a ping makes the watcher see that its server is gone, or that it need not stop
    const isWatched = watcher?.exitCode() === undefined && (polls % POLLS_PER_PING !== 1 || hold.ping());
    if (!isWatched) break;
    if (systemClock.now().getTime() > deadline) {
      hold.release();
      throw await createStartError(spec, LATE, 0);
    }
    await systemClock.sleep(POLL_MS);
  }
  hold.release();
  return false;
}

// the mark is checked last: a server that stops after this saw our hold first and stays
async function acceptsUsers({ location, adminUrl }: ServerSpec): Promise<boolean> {
  if (!readStatus(location).startsWith('ready')) return false;
  return (await canConnect(adminUrl(), location)) && !existsSync(location.closingMark);
}

/** The server's user may put anything there, or may have got it with the data of an earlier version. */
function readStatus({ dataFolder, user }: ServerLocation): string {
  try {
    const text = readOwnFile(join(dataFolder, 'postmaster.pid'), user && [user.uid]);
    return text.split('\n')[7] ?? '';
  } catch {
    return '';
  }
}

async function canConnect(adminUrl: string, location: ServerLocation): Promise<boolean> {
  const client = new pg.Client({ connectionString: adminUrl, connectionTimeoutMillis: 5_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.end();
    return true;
  } catch (cause) {
    if (!(cause instanceof pg.DatabaseError && cause.code === '28P01')) return false;
    const message = `The embedded PostgreSQL does not accept the password in ${location.passwordFile}.`;
    throw new RolloutError('embedded_start_failed', { message, cause });
  }
}

async function assertPassing(spec: ServerSpec, exitCode: number | undefined, logOffset: number): Promise<void> {
  if (exitCode === ALREADY_WATCHED || exitCode === 0) return;
  const tail = await readLog(spec.location.logFile, logOffset);
  if (!PASSING_FAILURE.test(tail)) throw await createStartError(spec, 'did not start', logOffset);
  await systemClock.sleep(10 * POLL_MS);
}

async function createStartError(spec: ServerSpec, what: string, logOffset: number): Promise<RolloutError> {
  const { logFile } = spec.location;
  const lines = listOwnLines(await readLog(logFile, logOffset)).slice(-6);
  return new RolloutError('embedded_start_failed', {
    message: `The embedded PostgreSQL ${what}.`,
    next: [`See ${logFile}. What it says last of the server itself:`, ...lines].join('\n'),
  });
}

const ABOUT_A_STATEMENT = /^\S+ \S+ \S+ \[\d+\] (?:ERROR|STATEMENT|QUERY):/u;
const GOES_ON = /^\t|^\S+ \S+ \S+ \[\d+\] (?:DETAIL|HINT|CONTEXT|LOCATION):/u;

/** Without what the server wrote of statements, which may hold data of orgs. */
export function listOwnLines(log: string): readonly string[] {
  const state = { own: true };
  return log
    .trim()
    .split('\n')
    .filter((line) => {
      if (!GOES_ON.test(line)) state.own = !ABOUT_A_STATEMENT.test(line);
      return state.own;
    });
}

async function readLog(path: string, offset: number): Promise<string> {
  const content = await readFile(path).catch(() => Buffer.alloc(0));
  return content.subarray(Math.min(offset, content.length)).toString('utf8');
}

async function readSize(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}
