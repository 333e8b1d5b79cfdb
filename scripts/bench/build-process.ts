// The product of one build on a server of its own, in a process of its own: today's build and another one must not share
// modules, nor the roles of a cluster. Does what its parent asks for; ends with it. Argument: the folder of the build.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { BenchBed } from './bed.js';
import { chooseWay, type FeedBuild, type FeedMeasure, measurePoll, prepareFeed, WAYS } from './feed-edits.js';
import { findMedian } from './numbers.js';
import type { BenchOptions } from './options.js';
import type { BenchServer } from './server.js';

/** What the parent sends first; then any message is one run. */
export interface BuildQuestion {
  readonly server: Pick<BenchServer, 'adminUrl' | 'folder'>;
  readonly options: BenchOptions;
}

/** What one run took, in ms, by the name of what was measured. */
export type BuildMeasure = Readonly<Partial<Record<BuildTime, number>>>;
export type BuildTime =
  | 'plan'
  | 'migrate'
  | 'verification'
  | 'batch'
  | 'bare'
  | 'detection'
  | `${'updates' | 'triggers'} ${'followed' | 'idle' | 'edit'}`;

const [folder = ''] = process.argv.slice(2);
const load = async <T>(path: string): Promise<T> => import(pathToFileURL(join(folder, 'dist', path)).href);

process.once('disconnect', () => process.exit(1));
process.once('message', (question: BuildQuestion) => void serve(question));

async function serve({ server: { adminUrl, folder: files }, options }: BuildQuestion): Promise<void> {
  const { loadOrgs, createTarget, RATE_CARD } = await load<typeof import('./bed.js')>('scripts/bench/bed.js');
  const { initProduct } = await load<typeof import('./product.js')>('scripts/bench/product.js');
  const { withClient } = await load<typeof import('./database.js')>('scripts/bench/database.js');
  const { parseRateCard } = await load<typeof import('../../src/domain/rate-card/parse-rate-card.js')>(
    'src/domain/rate-card/parse-rate-card.js',
  );
  const url = (database: string): string => Object.assign(new URL(adminUrl), { pathname: `/${database}` }).href;
  const bed: BenchBed = {
    server: { url, redisUrl: undefined, folder: files },
    options,
    card: parseRateCard(await readFile(RATE_CARD, 'utf8')),
    orgs: options.orgs,
    worker: 'process',
    cell: 'bench_cell',
  };
  await loadOrgs(bed);
  const { program } = await initProduct(bed);
  await program.close();
  await withClient(url(bed.cell), createTarget);
  process.on('message', () => void measure(bed).then((times) => process.send?.(times)));
  process.send?.('ready');
}

/** What is compared, one after the other, each after a rollout of its own. */
async function measure(bed: BenchBed): Promise<BuildMeasure> {
  const { compared } = bed.options;
  return {
    ...(compared.includes('plan') && (await measureRollout(bed))),
    ...(compared.includes('reconcile') && (await measureNight(bed))),
    ...(compared.includes('feed') && (await measureEdits(bed))),
  };
}

async function measureRollout(bed: BenchBed): Promise<BuildMeasure> {
  const { measureProduct } = await load<typeof import('./product.js')>('scripts/bench/product.js');
  const { planMs, ms, times } = await measureProduct(bed);
  return { plan: planMs, migrate: ms, verification: times.verifyMs, batch: times.batchP50Ms };
}

/** In one round, so that one that was disturbed does not count; the rollout before them takes longer than they. */
const REPEATED = 5;

async function measureNight(bed: BenchBed): Promise<BuildMeasure> {
  const { measureComparison } = await load<typeof import('./full-comparison.js')>('scripts/bench/full-comparison.js');
  const costs = await measureComparison(bed, { options: { runs: REPEATED }, print: () => undefined });
  if (costs.some(({ found }) => found > 0)) throw new Error('a night without changes found orgs');
  return {
    bare: findMedian(costs.map(({ bareMs }) => bareMs)),
    detection: findMedian(costs.map(({ detectMs }) => detectMs)),
  };
}

/** The polls are today's code, and what they call is the build's: an older one measures a touch of all orgs with them. */
async function measureEdits(bed: BenchBed): Promise<BuildMeasure> {
  const { measureProduct } = await load<typeof import('./product.js')>('scripts/bench/product.js');
  const build: FeedBuild = {
    ...(await load<typeof import('../../src/compose.js')>('src/compose.js')),
    ...(await load<typeof import('../../src/engine/feed/feed-changes.js')>('src/engine/feed/feed-changes.js')),
    ...(await load<typeof import('../../src/engine/setup/triggers.js')>('src/engine/setup/triggers.js')),
    ...(await load<typeof import('../../src/stores/cell/batch/fence.js')>('src/stores/cell/batch/fence.js')),
    ...(await load<typeof import('../../src/stores/cell/reconcile/maintenance.js')>(
      'src/stores/cell/reconcile/maintenance.js',
    )),
  };
  await measureProduct(bed);
  const program = await prepareFeed(bed, build);
  const times: { [Time in BuildTime]?: number } = {};
  try {
    for (const way of WAYS) {
      await chooseWay(program, build, way);
      const measures: FeedMeasure[] = [];
      // the first reads what the rollout left in the caches
      for (let run = 0; run <= REPEATED; run += 1)
        measures.push(await measurePoll(bed, program, build, { way, run: run + 1 }));
      const median = (read: (one: FeedMeasure) => number): number => findMedian(measures.slice(1).map(read));
      times[`${way} followed`] = median(({ ms }) => ms);
      times[`${way} idle`] = median(({ idleMs }) => idleMs);
      times[`${way} edit`] = median(({ editMs }) => editMs);
    }
  } finally {
    await program.close();
  }
  return times;
}
