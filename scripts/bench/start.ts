// How long the built command line takes to start, beside `node -e 0` and beside the build of another commit. Measured
// from outside and in turn, since a machine's speed changes by the minute.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { compose, projectFolder } from '../../src/compose.js';
import { initAll } from '../../src/engine/setup/init-all.js';
import { letOwnerReadSql } from '../../src/stores/cell/setup/roles.js';
import { recreateDatabase, withClient } from './database.js';
import { findMedian, formatMs, formatTable } from './numbers.js';
import type { BenchOptions } from './options.js';
import { findBuild, runProgram } from './other-build.js';
import { formatGoal } from './report.js';
import type { BenchSite } from './server.js';

/** What is started; `limit`: the goal as a multiple of `node -e 0`. */
export const STARTS = [
  { name: '--version', limit: 3 },
  { name: '--help', limit: 3 },
  { name: 'status', limit: 7 },
] as const;
export type StartName = (typeof STARTS)[number]['name'];

/** Medians in ms. */
export interface StartMeasure {
  /** `node -e 0`. */
  readonly node: number;
  readonly now: ReadonlyMap<StartName, number>;
  /** Of the other commit, by its name; undefined when none was asked for. */
  readonly before: { readonly commit: string; readonly times: ReadonlyMap<StartName, number> } | undefined;
}

export interface StartQuestion {
  readonly server: BenchSite;
  readonly options: Pick<BenchOptions, 'runs' | 'before'>;
  /** Progress, a line at a time. */
  readonly print: (line: string) => void;
  /** The script that is started; left out: the built command line. */
  readonly main?: string;
  /** The configuration that `status` reads; left out: one of databases made for it. */
  readonly statusConfig?: string;
}

const MAIN = join('dist', 'src', 'cli', 'main.js');

export async function measureStarts({
  server,
  options,
  print,
  main,
  statusConfig,
}: StartQuestion): Promise<StartMeasure> {
  const config = statusConfig ?? (await prepareStatus(server));
  if (options.before !== 'none') print(`building ${options.before}`);
  const before = options.before === 'none' ? undefined : join(await findBuild(server.folder, options.before), MAIN);
  const now = main ?? join(projectFolder, MAIN);
  const commands = [
    { key: 'node', args: ['-e', '0'] },
    ...STARTS.flatMap(({ name }) => {
      const args = name === 'status' ? [name, '--config', config] : [name];
      return [
        { key: `now ${name}`, args: [now, ...args] },
        ...(before === undefined ? [] : [{ key: `before ${name}`, args: [before, ...args] }]),
      ];
    }),
  ];
  const times = new Map<string, number[]>(commands.map(({ key }) => [key, []]));
  // the first round fills the caches of the file system
  for (let round = 0; round <= options.runs; round += 1) {
    for (const { key, args } of commands) {
      const ms = await measureRun(args);
      if (round > 0) times.get(key)?.push(ms);
    }
    if (round > 0) print(`round ${round} of ${options.runs}`);
  }
  const median = (key: string): number => findMedian(times.get(key) ?? []);
  const mediansOf = (build: 'now' | 'before') => new Map(STARTS.map(({ name }) => [name, median(`${build} ${name}`)]));
  return {
    node: median('node'),
    now: mediansOf('now'),
    before: before === undefined ? undefined : { commit: options.before, times: mediansOf('before') },
  };
}

/** A control database and three cells, with our schemas and no orgs; returns the path of a configuration of them. */
async function prepareStatus(server: BenchSite): Promise<string> {
  const zones = ['Asia/Kolkata', 'Europe/Berlin', 'America/New_York'];
  const cells = zones.map((zone, index) => ({ id: `dc${index + 1}`, zone, database: `bench_start_${index + 1}` }));
  for (const { id, database } of cells) {
    await recreateDatabase(server.url('postgres'), database);
    await withClient(server.url(database), (client) =>
      client.query(`create table public.orgs (org_id bigint primary key, edition text, paid boolean, agents int,
        light_agents int, created_at timestamptz); ${letOwnerReadSql(id, 'public.orgs')}`),
    );
  }
  await recreateDatabase(server.url('postgres'), 'bench_start');
  const path = join(server.folder, 'start.config.yaml');
  const text = [
    `controlDatabase: ${JSON.stringify(server.url('bench_start'))}`,
    `rateCard: ${JSON.stringify(join(projectFolder, 'src', 'sample', 'rate-card.yaml'))}`,
    'dataCenters:',
    ...cells.map(
      ({ id, zone, database }) =>
        `  - { id: ${id}, zone: ${zone}, database: ${JSON.stringify(server.url(database))}, source: public.orgs }`,
    ),
  ];
  await writeFile(path, `${text.join('\n')}\n`, { mode: 0o600 });
  const program = await compose({ configPath: path });
  try {
    const { config, engine, initQueue } = program;
    const card = await program.loadRateCard();
    await initAll(engine, { config, card, dataCenters: config.dataCenters, initQueue });
  } finally {
    await program.close();
  }
  return path;
}

/** Wall time of one run, in ms. */
async function measureRun(args: readonly string[]): Promise<number> {
  const began = performance.now();
  await runProgram(process.execPath, args, projectFolder);
  return performance.now() - began;
}

/** A table of the medians and their multiples of `node -e 0`, then a line for each goal. */
export function reportStarts({ node, now, before }: StartMeasure): readonly string[] {
  const times = (ms: number): string => `${(ms / node).toFixed(2)} ×`;
  const rows = STARTS.map(({ name }) => {
    const ms = now.get(name) ?? Number.NaN;
    const old = before?.times.get(name) ?? Number.NaN;
    return [name, ...(before === undefined ? [] : [formatMs(old), times(old)]), formatMs(ms), times(ms)];
  });
  const titles = ['started', ...(before === undefined ? [] : [`before (${before.commit})`, '']), 'now', ''];
  const blank = before === undefined ? [] : ['', ''];
  return [
    ...formatTable([titles, ['node -e 0', ...blank, formatMs(node), times(node)], ...rows]),
    '',
    ...STARTS.map(({ name, limit }) =>
      formatGoal({
        what: `${name} / node -e 0`,
        value: (now.get(name) ?? Number.NaN) / node,
        limit,
        side: 'at most',
        unit: '',
      }),
    ),
  ];
}
