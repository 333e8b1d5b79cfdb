// Two cells, one of them full of markers, with the program as real processes: each command, the worker and the
// scheduler are started as their users start them, at log level debug.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readEnvironment } from '../../src/platform/environment.js';
import { bundleProcess } from '../support/bundle-process.js';
import { letOwnerRead, type TestCell } from '../support/cell.js';
import { createFleet, type Fleet, uniqueId } from '../support/fleet.js';
import { adminUrl, runAsAdmin } from '../support/postgres.js';
import {
  dumpDatabase,
  dumpRedis,
  findMarkers,
  type Markers,
  makeMarkers,
  type Place,
  readFolder,
  readTitle,
} from './search.js';
import { spoilSource, spoilWrites } from './spoil.js';

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface RunningCommand {
  readonly pid: number;
  /** What it has written so far. */
  output(): string;
  /** Waits for its end. */
  ended: Promise<Ran>;
  stop(): Promise<void>;
}

export interface ResidencyScene {
  readonly fleet: Fleet;
  readonly markers: Markers;
  /** The cell with the markers. */
  readonly cell: TestCell;
  readonly dc: string;
  /** Path of the configuration. */
  readonly config: string;
  run(...args: readonly string[]): Promise<Ran>;
  start(...args: readonly string[]): RunningCommand;
  /** A worker in which something throws the error of a server where nobody catches it. */
  crash(): Promise<Ran>;
  /** Everything outside the cell: control, queue, the other cell, logs, temporary files, titles of processes. */
  dump(): Promise<readonly Place[]>;
  /** Where a marker is outside the cell. */
  search(): Promise<readonly string[]>;
  drop(): Promise<void>;
}

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const ROLLOUT = `{ batchSize: 100, approval: auto, bakeQuery: "select public.bake()", guardRails: { quarantinedShare: 1 },
  checks: [{ name: odd, query: "select public.look()" }] }`;
const SECTIONS = 'signups: { cutover: 2025-10-30 }\nreconcile: { maxChanged: 1000, maxLapsed: 1000 }';

/** `webhooks`: URLs that are told what happens. */
export async function createScene(
  queue: 'postgres' | { readonly redis: string },
  webhooks: readonly string[] = [],
): Promise<ResidencyScene> {
  const markers = makeMarkers();
  const fleet = await createFleet({
    cells: [
      { dataCenter: uniqueId('r'), idType: 'text', view: true, init: 'left' },
      { dataCenter: uniqueId('o'), orgs: [{}, {}], init: 'left' },
    ],
    queue,
    rollout: ROLLOUT,
    sections: SECTIONS,
  });
  const [cell, other] = [fleet.cell(0), fleet.cell(1)];
  await spoilSource(cell, markers);
  for (const name of ['bake', 'look'])
    await other.sql(`create function public.${name}() returns boolean language sql as $$ select true $$`);
  const login = await createLogin(markers);
  const folder = await mkdtemp(join(tmpdir(), 'credit-rollout-residency-'));
  await mkdir(join(folder, 'tmp'));
  const config = await writeConfig(fleet, folder, { cellUrl: login.urlOf(cell.url), webhooks });
  const logs: Place[] = [];
  const running = new Set<RunningCommand>();
  const start = (args: readonly string[], program: string, env: NodeJS.ProcessEnv = {}): RunningCommand => {
    const started = startCommand([program, ...args, '--config', config], folder, markers, env);
    running.add(started);
    started.ended.then(() => running.delete(started));
    return started;
  };
  const program = await bundleProcess(MAIN);
  const run = (...args: readonly string[]): Promise<Ran> => start(args, program).ended;
  const dump = async (): Promise<readonly Place[]> => [
    ...(await dumpDatabase('control', fleet.controlUrl)),
    ...(queue === 'postgres'
      ? await dumpDatabase('queue', fleet.queueUrl ?? '')
      : await dumpRedis('queue', queue.redis)),
    ...(await dumpDatabase('other cell', other.url)),
    ...logs,
    ...(await readFolder('temporary files', join(folder, 'tmp'))),
    ...(await Promise.all([...running].map(async ({ pid }) => ({ where: 'title', text: await readTitle(pid) })))),
    ...[...running].map((one) => ({ where: 'log', text: one.output() })),
  ];
  for (const { sql, dataCenter } of [cell, other]) await letOwnerRead(sql, dataCenter.id);
  await expectGood(run('init'));
  await spoilWrites(cell);
  return {
    fleet,
    markers,
    cell,
    dc: cell.dataCenter.id,
    config,
    run,
    start: (...args) => {
      const started = start(args, program);
      started.ended.then(({ out, err }) => logs.push({ where: `log of ${args.join(' ')}`, text: out + err }));
      return started;
    },
    crash: () => start(['worker'], program, { NODE_OPTIONS: writeCrash(markers) }).ended,
    dump,
    search: async () => findMarkers(await dump(), markers),
    drop: async () => {
      await Promise.all([...running].map((one) => one.stop()));
      await fleet.drop();
      await login.drop();
      await rm(folder, { recursive: true });
    },
  };
}

async function expectGood(ran: Promise<Ran>): Promise<void> {
  const { code, out, err } = await ran;
  if (code !== 0) throw new Error(`it ended with ${code}: ${out}${err}`);
}

/** A superuser whose password is a marker: what a login may do is tested elsewhere. */
async function createLogin({ word }: Markers) {
  const name = `residency_${randomBytes(4).toString('hex')}`;
  await runAsAdmin(adminUrl(), `create role ${name} superuser login password '${word}-password'`);
  return {
    urlOf: (url: string): string => {
      const own = new URL(url);
      own.username = name;
      own.password = `${word}-password`;
      return own.href;
    },
    drop: () => runAsAdmin(adminUrl(), `drop role if exists ${name}`),
  };
}

async function writeConfig(
  fleet: Fleet,
  folder: string,
  { cellUrl, webhooks }: { readonly cellUrl: string; readonly webhooks: readonly string[] },
): Promise<string> {
  const [cell, other] = [fleet.cell(0).dataCenter, fleet.cell(1).dataCenter];
  const path = join(folder, 'rollout.config.yaml');
  await writeFile(
    path,
    `controlDatabase: "${fleet.controlUrl}"
queue: "${fleet.queueUrl}"
rateCard: ${resolve('src/sample/rate-card.yaml')}
rollout: ${ROLLOUT}
${SECTIONS}
webhooks: ${JSON.stringify(webhooks.map((url, at) => ({ name: `ops-${at}`, url })))}
dataCenters:
  - { id: ${cell.id}, zone: ${cell.zone}, database: "${cellUrl}", source: public.orgs }
  - { id: ${other.id}, zone: ${other.zone}, database: "${fleet.cell(1).url}", source: public.orgs }
`,
  );
  return path;
}

/** Throws once the program listens for what nobody catches. */
function writeCrash({ word }: Markers): string {
  const text = JSON.stringify(`${word}-crash`);
  const code = `const wait = setInterval(() => { if (process.listenerCount('uncaughtException') === 0) return;
    clearInterval(wait); throw Object.assign(new Error(${text}), { severity: 'ERROR', detail: ${text} }); }, 10);`;
  return `--import=data:text/javascript,${encodeURIComponent(code)}`;
}

function startCommand(
  args: readonly string[],
  folder: string,
  { word }: Markers,
  more: NodeJS.ProcessEnv,
): RunningCommand {
  const [PATH, HOME] = [readEnvironment('PATH'), readEnvironment('HOME')];
  const child: ChildProcess = spawn(process.execPath, args, {
    cwd: folder,
    env: {
      PATH,
      HOME,
      TMPDIR: join(folder, 'tmp'),
      CREDIT_ROLLOUT_LOG: 'debug',
      SECRET: `${word}-environment`,
      ...more,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const written = { out: '', err: '' };
  child.stdout?.on('data', (chunk) => {
    written.out += String(chunk);
  });
  child.stderr?.on('data', (chunk) => {
    written.err += String(chunk);
  });
  const ended = once(child, 'close').then(([code]): Ran => ({ code, ...written }));
  return {
    pid: child.pid ?? 0,
    output: () => written.out + written.err,
    ended,
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await ended;
    },
  };
}
