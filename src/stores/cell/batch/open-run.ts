// The fence, its run and what a batch must know of the source, in one read: a batch pays for every round trip.
import type { CellTransaction } from '../cell-database.js';
import { FROZEN } from './freezes.js';
import type { CellRun } from './runs.js';

export interface OpenRun extends CellRun {
  /** The cell's timeline, which is also the one that the fence was opened under. */
  readonly timeline: string;
  /** The source proves that an id occurs once. */
  readonly sourceUnique: boolean;
}

/** The run that may be written under `epoch` now; undefined: none, or the cell is frozen. Needs the fence's lock, taken in an earlier statement. */
export async function findOpenRun(tx: CellTransaction, epoch: bigint): Promise<OpenRun | undefined> {
  const { rows } = await tx.raw(
    `select r.run_id, r.kind, r.card_hash, r.batch_size, r.lanes, r.cut_at is not null as cut, r.plan_id,
       (r.plan_id is null or r.canary_passed_at is not null) as canary_passed, f.timeline,
       coalesce(c.source_unique, false) as source_unique
     from credit_rollout.fence f join credit_rollout.runs r on r.run_id = f.run_id cross join credit_rollout.cell c
     where f.state = 'open' and f.epoch = ?::bigint and r.state = 'open' and not ${FROZEN}
       and f.timeline = left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)`,
    [String(epoch)],
  );
  const row = rows[0];
  return (
    row && {
      runId: BigInt(row.run_id),
      kind: row.kind,
      state: 'open',
      cardHash: row.card_hash,
      batchSize: row.batch_size,
      lanes: row.lanes,
      cut: row.cut,
      planId: row.plan_id === null ? null : BigInt(row.plan_id),
      canaryPassed: row.canary_passed,
      timeline: row.timeline,
      sourceUnique: row.source_unique,
    }
  );
}
