// pgbench as the product's own traffic: found beside the server's programs, or where Debian installs it. Reports what
// it logged of each transaction; measures nothing of ours.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { readEnvironment } from '../../src/platform/environment.js';

/** One transaction, by the machine's clock in ms; its time counts from when it was due. */
export interface LoggedTransaction {
  readonly endedAt: number;
  readonly ms: number;
}

export interface Traffic {
  /** Ends it; returns every transaction that was logged. */
  stop(): Promise<readonly LoggedTransaction[]>;
}

export interface TrafficOptions {
  readonly pgbench: string;
  readonly url: string;
  readonly clients: number;
  /** Transactions a second; undefined: as many as it can. */
  readonly rate?: number | undefined;
  /** Statements of a transaction, beside how often it runs; `tpcb-like` is pgbench's own. */
  readonly scripts: readonly { readonly sql: string; readonly weight: number }[];
  /** A folder that we may write. */
  readonly folder: string;
}

/** Undefined where pgbench is not installed. */
export async function findPgbench(): Promise<string | undefined> {
  const own = readEnvironment('CREDIT_ROLLOUT_PG_BIN');
  const versions = await readdir('/usr/lib/postgresql').catch(() => []);
  const folders = versions.toSorted().map((one) => join('/usr/lib/postgresql', one, 'bin'));
  const candidates = [...(own === undefined ? [] : [join(own, 'pgbench')]), 'pgbench'];
  for (const candidate of [...candidates, ...folders.map((folder) => join(folder, 'pgbench'))]) {
    const found = await promisify(execFile)(candidate, ['--version']).catch(() => undefined);
    if (found !== undefined) return candidate;
  }
  return undefined;
}

/** Its own tables: 100,000 accounts for each of `scale`. */
export async function initPgbench(pgbench: string, url: string, scale: number): Promise<void> {
  await promisify(execFile)(pgbench, ['--initialize', '--quiet', `--scale=${scale}`, url]);
}

/** Transactions a second of its own traffic, as many as it can. */
export async function runPgbench(
  pgbench: string,
  url: string,
  { clients, seconds }: { readonly clients: number; readonly seconds: number },
): Promise<number> {
  const { stdout } = await promisify(execFile)(pgbench, [
    '--no-vacuum',
    `--client=${clients}`,
    `--time=${seconds}`,
    url,
  ]);
  return Number(/^tps = ([\d.]+)/mu.exec(stdout)?.[1]);
}

/** No benchmark is longer. */
const MOST_SECONDS = 6 * 3_600;

export async function startTraffic({ pgbench, url, clients, rate, scripts, folder }: TrafficOptions): Promise<Traffic> {
  const logs = await mkdtemp(join(folder, 'traffic-'));
  const choices: string[] = [];
  for (const [index, { sql, weight }] of scripts.entries()) {
    const file = join(logs, `script-${index}.sql`);
    if (sql !== 'tpcb-like') await writeFile(file, `${sql}\n`);
    choices.push(sql === 'tpcb-like' ? `--builtin=${sql}@${weight}` : `--file=${file}@${weight}`);
  }
  const child = spawn(
    pgbench,
    [
      ...['--no-vacuum', `--client=${clients}`, '--jobs=1', `--time=${MOST_SECONDS}`, ...choices],
      ...['--log', `--log-prefix=${join(logs, 'log')}`, ...(rate === undefined ? [] : [`--rate=${rate}`]), url],
    ],
    { stdio: 'ignore' },
  );
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  await once(child, 'spawn');
  return {
    stop: async () => {
      const stopped = await endChild(child);
      process.off('exit', kill);
      if (stopped === 'died') throw new Error('pgbench ended by itself: a transaction of it failed');
      const [log] = (await readdir(logs)).filter((name) => name.startsWith('log'));
      const text = log === undefined ? '' : await readFile(join(logs, log), 'utf8');
      await rm(logs, { recursive: true });
      return parseLog(text);
    },
  };
}

async function endChild(child: ChildProcess): Promise<'ended' | 'died'> {
  if (child.exitCode !== null || child.signalCode !== null) return 'died';
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
  return 'ended';
}

/** The last line may be cut, and is left out. */
function parseLog(text: string): readonly LoggedTransaction[] {
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const [, , timeUs, , second, microsecond] = line.split(' ').map(Number);
      return { endedAt: (second ?? 0) * 1_000 + (microsecond ?? 0) / 1_000, ms: (timeUs ?? 0) / 1_000 };
    });
}
