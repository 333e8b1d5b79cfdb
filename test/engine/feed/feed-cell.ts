// A migrated cell whose single writes are allowed: what the change feed works in. Edits are the product's, by SQL.
import { installChangeFeed } from '../../../src/engine/setup/triggers.js';
import { systemClock } from '../../../src/kernel/clock.js';
import { lockFenceExclusive } from '../../../src/stores/cell/batch/fence.js';
import type { CellTransaction } from '../../../src/stores/cell/cell-database.js';
import { allowSingleWrites, stopSingleWrites } from '../../../src/stores/cell/reconcile/maintenance.js';
import { selectRow } from '../../../src/stores/query.js';
import { applyAll, createTestCell, type TestCell, type TestCellOptions } from '../../support/cell.js';

/** How edits are found. */
export type FeedBy = 'triggers' | 'updates';

/** The exclusive lock is the fencer's; as the scheduler does once a data center is done. */
export async function openFeed({ cell }: Pick<TestCell, 'cell'>): Promise<void> {
  await cell.inTransaction('fencer', async (tx) => {
    await lockFenceExclusive(tx);
    await allowSingleWrites(tx);
  });
}

/** As a pause does. */
export async function closeFeed({ cell }: Pick<TestCell, 'cell'>): Promise<void> {
  await cell.inTransaction('fencer', async (tx) => {
    await lockFenceExclusive(tx);
    await stopSingleWrites(tx);
  });
}

/** Every org has its first decision, and the feed may write. */
export async function createFedCell(by: FeedBy, options: TestCellOptions = {}): Promise<TestCell> {
  const cell = await createTestCell(options);
  if (by === 'triggers')
    await installChangeFeed(cell.cell, { dataCenter: cell.dataCenter, clock: systemClock, feed: 'wanted' });
  await applyAll(cell);
  await openFeed(cell);
  return cell;
}

/** An org's edit as the product makes it. */
export async function edit(cell: Pick<TestCell, 'sql'>, orgId: number | string, set: string): Promise<void> {
  await cell.sql(`update public.orgs set ${set}, updated_at = now() where org_id = $1`, [orgId]);
}

export interface StoredTotal {
  readonly total: string;
  readonly floor: string | null;
  readonly version: number;
  /** Of the newest before-image; undefined: none. */
  readonly cause: unknown;
}

/** What is stored for an org, and why it last changed; undefined: nothing. */
export async function readTotal(cell: Pick<TestCell, 'sql'>, orgId: number | string): Promise<StoredTotal | undefined> {
  const [row] = await cell.sql(
    `select total_credits as total, floor, version, (select c.cause from credit_rollout.allotment_changes c
       where c.org_id = a.org_id order by change_id desc limit 1) as cause
     from credit_rollout.allotments a where org_id = $1`,
    [orgId],
  );
  return row as StoredTotal | undefined;
}

/** How many rows of a table of the product a statement of the feed reads: a busy machine does not change that. */
export function countRead(
  { cell }: Pick<TestCell, 'cell'>,
  table: string,
  read: (tx: CellTransaction) => Promise<unknown>,
): Promise<number> {
  // by this session, of which one transaction need not be the first
  const readCount = async (tx: CellTransaction): Promise<number> =>
    Number(
      (
        await selectRow<{ readonly rows: string }>(
          tx,
          `select coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0) as rows
           from pg_catalog.pg_stat_xact_all_tables where schemaname = 'public' and relname = :table`,
          { table },
        )
      ).rows,
    );
  return cell.inTransaction('worker', async (tx) => {
    const before = await readCount(tx);
    await read(tx);
    return (await readCount(tx)) - before;
  });
}
