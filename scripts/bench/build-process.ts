// The product of one build on a server of its own, in a process of its own: today's build and another one must not share
// modules, nor the roles of a cluster. Does what its parent asks for; ends with it. Argument: the folder of the build.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { BenchBed } from './bed.js';
import type { BenchOptions } from './options.js';
import type { BenchServer } from './server.js';

/** What the parent sends first; then any message is one run. */
export interface BuildQuestion {
  readonly server: Pick<BenchServer, 'adminUrl' | 'folder'>;
  readonly options: BenchOptions;
}

/** What one run took, in ms. */
export interface BuildMeasure {
  readonly plan: number;
  readonly migrate: number;
  readonly verification: number;
  readonly batch: number;
}

const [folder = ''] = process.argv.slice(2);
const load = async <T>(path: string): Promise<T> => import(pathToFileURL(join(folder, 'dist', path)).href);

process.once('disconnect', () => process.exit(1));
process.once('message', (question: BuildQuestion) => void serve(question));

async function serve({ server: { adminUrl, folder: files }, options }: BuildQuestion): Promise<void> {
  const { loadOrgs, createTarget, RATE_CARD } = await load<typeof import('./bed.js')>('scripts/bench/bed.js');
  const { initProduct, measureProduct } = await load<typeof import('./product.js')>('scripts/bench/product.js');
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
  process.on(
    'message',
    () =>
      void measureProduct(bed).then(({ planMs, ms, times }) => {
        const measure: BuildMeasure = {
          plan: planMs,
          migrate: ms,
          verification: times.verifyMs,
          batch: times.batchP50Ms,
        };
        process.send?.(measure);
      }),
  );
  process.send?.('ready');
}
