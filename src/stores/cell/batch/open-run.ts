// The fence, its run and what a batch must know of the source, in one statement: a batch pays for every round trip.
import { findRow } from '../../query.js';
import { toBigint } from '../allotment-row.js';
import type { CellTransaction } from '../cell-database.js';
import { READS_SOURCE } from '../identity.js';
import { OPENED_HERE } from './fence.js';
import { FROZEN } from './freezes.js';
import { type CellRun, RUN_COLUMNS, type RunRow } from './runs.js';

export interface OpenRun extends CellRun {
  /** The cell's timeline, which is also the one at which the fence was opened. */
  readonly timeline: string;
  /** The source proves that an id occurs once. */
  readonly sourceUnique: boolean;
}

/**
 * The run that may be written under `epoch` now; undefined: none, the cell is frozen, it is another server than the one
 * that control opened the fence on, or our views do not read the source (any more). Needs the fence's lock, taken in an
 * earlier statement.
 */
export async function findOpenRun(tx: CellTransaction, epoch: bigint): Promise<OpenRun | undefined> {
  const row = await findRow<RunRow & Pick<OpenRun, 'timeline' | 'sourceUnique'>>(
    tx,
    `select ${RUN_COLUMNS}, f.timeline, coalesce(c.source_unique, false) as source_unique
     from credit_rollout.fence f
     join credit_rollout.runs r on r.run_id = f.run_id
     cross join credit_rollout.cell c
     where f.state = 'open' and f.epoch = :epoch::bigint and r.state = 'open' and not ${FROZEN}
       and f.timeline = left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) and ${OPENED_HERE}
       and ${READS_SOURCE}`,
    { epoch },
  );
  return row && { ...row, runId: BigInt(row.runId), planId: toBigint(row.planId) };
}
