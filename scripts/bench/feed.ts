// How fast the change feed follows: a thousand edits among all orgs of a cell that is done, found by triggers or by
// updated_at. Measures what a worker does at one poll; how often it checks is not its subject.
import { join } from 'node:path';
import { compose, findDataCenter, type Program } from '../../src/compose.js';
import { feedChanges } from '../../src/engine/feed/feed-changes.js';
import { installChangeFeed, removeChangeFeed } from '../../src/engine/setup/triggers.js';
import { lockFenceExclusive } from '../../src/stores/cell/batch/fence.js';
import { allowSingleWrites } from '../../src/stores/cell/reconcile/maintenance.js';
import { type BenchBed, DATA_CENTER, orgId } from './bed.js';
import { type BulkMeasure, measureBulkTouch } from './bulk-touch.js';
import type { Print } from './compare.js';
import { withClient } from './database.js';
import { formatCount, formatMs } from './numbers.js';
import { measureProduct } from './product.js';

/** Orgs that are edited at once. */
export const EDITS = 1_000;
export const WAYS = ['updates', 'triggers'] as const;

export interface FeedMeasure {
  readonly way: (typeof WAYS)[number];
  readonly orgs: number;
  readonly raised: number;
  /** From the edits' commit to the commit of the raises. */
  readonly ms: number;
  /** A poll that finds nothing. */
  readonly idleMs: number;
  /** The product's own statement, triggers included. */
  readonly editMs: number;
}

export interface FeedMeasures {
  readonly edits: readonly FeedMeasure[];
  readonly bulk: readonly BulkMeasure[];
}

/**
 * Rolls the cell out, then lets the feed follow edits: by updated_at with its index, then by triggers; then one
 * transaction that touches every org.
 */
export async function measureFeed(bed: BenchBed, print: Print): Promise<FeedMeasures> {
  const { ms } = await measureProduct(bed);
  print(`rolled out in ${formatMs(ms)}`);
  const program = await compose({ configPath: join(bed.server.folder, 'rollout.config.yaml') });
  try {
    await prepare(bed, program);
    const measures: FeedMeasure[] = [];
    for (const way of WAYS) {
      await chooseWay(program, way);
      for (let run = 1; run <= bed.options.runs; run += 1) {
        const measure = await measurePoll(bed, program, way, run);
        measures.push(measure);
        print(
          `run ${run} of ${bed.options.runs}: ${way}, ${formatCount(measure.raised)} raised, ${formatMs(measure.ms)}`,
        );
      }
    }
    return { edits: measures, bulk: await measureBulkTouch(bed, program, print) };
  } finally {
    await program.close();
  }
}

async function prepare(bed: BenchBed, program: Program): Promise<void> {
  // the index that doctor asks for
  await withClient(bed.server.url(bed.cell), (client) =>
    client.query('create index if not exists orgs_updated_at_idx on public.orgs (updated_at)'),
  );
  await program.engine.cells.get(DATA_CENTER.id).inTransaction('fencer', async (tx) => {
    await lockFenceExclusive(tx);
    await allowSingleWrites(tx);
  });
}

async function chooseWay({ config, engine }: Program, way: FeedMeasure['way']): Promise<void> {
  const cell = engine.cells.get(DATA_CENTER.id);
  const dataCenter = findDataCenter(config, DATA_CENTER.id);
  if (way === 'triggers') await installChangeFeed(cell, { dataCenter, clock: engine.clock, feed: 'wanted' });
  else await removeChangeFeed(cell, engine.clock);
}

const EDIT = `
update public.orgs set additional_credits = additional_credits + 1000, updated_at = now()
where org_id in (select $1::bigint + floor(n * $2::float8)::bigint from generate_series(0, ${EDITS - 1}) n)`;

async function measurePoll(
  bed: BenchBed,
  program: Program,
  way: FeedMeasure['way'],
  run: number,
): Promise<FeedMeasure> {
  const poll = async (): Promise<{ raised: number; ms: number }> => {
    const started = performance.now();
    const { kind, raised, failure } = await feedChanges(program.worker, DATA_CENTER.id, { pace: 'at_once' });
    if (kind !== 'read') throw new Error(`the feed was ${kind} (${failure ?? 'no failure'})`);
    return { raised, ms: performance.now() - started };
  };
  const idle = await poll();
  const editMs = await withClient(bed.server.url(bed.cell), async (client) => {
    const started = performance.now();
    await client.query(EDIT, [orgId(run), bed.orgs / EDITS]);
    return performance.now() - started;
  });
  const { raised, ms } = await poll();
  return { way, orgs: bed.orgs, raised, ms, idleMs: idle.ms, editMs };
}
