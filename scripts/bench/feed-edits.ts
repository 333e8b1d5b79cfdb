// A thousand edits among all orgs of a cell that is done, and the poll that follows them. With the modules of whichever
// build is measured.
import { join } from 'node:path';
import type { compose, findDataCenter, Program } from '../../src/compose.js';
import type { feedChanges } from '../../src/engine/feed/feed-changes.js';
import type { installChangeFeed, removeChangeFeed } from '../../src/engine/setup/triggers.js';
import type { lockFenceExclusive } from '../../src/stores/cell/batch/fence.js';
import type { allowSingleWrites } from '../../src/stores/cell/reconcile/maintenance.js';
import { type BenchBed, DATA_CENTER, orgId } from './bed.js';
import { withClient } from './database.js';

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

/** What is used of a build. */
export interface FeedBuild {
  readonly compose: typeof compose;
  readonly findDataCenter: typeof findDataCenter;
  readonly feedChanges: typeof feedChanges;
  readonly installChangeFeed: typeof installChangeFeed;
  readonly removeChangeFeed: typeof removeChangeFeed;
  readonly lockFenceExclusive: typeof lockFenceExclusive;
  readonly allowSingleWrites: typeof allowSingleWrites;
}

/** On a cell that was rolled out. The caller closes the program. */
export async function prepareFeed(bed: BenchBed, build: FeedBuild): Promise<Program> {
  // the index that doctor asks for
  await withClient(bed.server.url(bed.cell), (client) =>
    client.query('create index if not exists orgs_updated_at_idx on public.orgs (updated_at)'),
  );
  const program = await build.compose({ configPath: join(bed.server.folder, 'rollout.config.yaml') });
  await program.engine.cells.get(DATA_CENTER.id).inTransaction('fencer', async (tx) => {
    await build.lockFenceExclusive(tx);
    await build.allowSingleWrites(tx);
  });
  return program;
}

export async function chooseWay({ config, engine }: Program, build: FeedBuild, way: FeedMeasure['way']): Promise<void> {
  const cell = engine.cells.get(DATA_CENTER.id);
  const dataCenter = build.findDataCenter(config, DATA_CENTER.id);
  if (way === 'triggers') await build.installChangeFeed(cell, { dataCenter, clock: engine.clock, feed: 'wanted' });
  else await build.removeChangeFeed(cell, engine.clock);
}

const EDIT = `
update public.orgs set additional_credits = additional_credits + 1000, updated_at = now()
where org_id in (select $1::bigint + floor(n * $2::float8)::bigint from generate_series(0, ${EDITS - 1}) n)`;

export async function measurePoll(
  bed: BenchBed,
  program: Program,
  build: FeedBuild,
  { way, run }: { readonly way: FeedMeasure['way']; readonly run: number },
): Promise<FeedMeasure> {
  const poll = async (): Promise<{ raised: number; ms: number }> => {
    const started = performance.now();
    const { kind, raised, failure } = await build.feedChanges(program.worker, DATA_CENTER.id, { pace: 'at_once' });
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
