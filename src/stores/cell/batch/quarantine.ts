// Orgs that could not be decided, for the person who asks about this cell. The ids go to that person's screen and
// nowhere else.
import { selectRow, selectRows } from '../../query.js';
import { toBigint } from '../allotment-row.js';
import type { CellTransaction } from '../cell-database.js';

export interface QuarantinedOrg {
  readonly orgId: string;
  readonly reason: string;
  readonly recordedAt: Date;
}

/** The newest run of the cell; undefined before the first. */
export async function findNewestRun(tx: CellTransaction): Promise<bigint | undefined> {
  const { runId } = await selectRow<{ runId: string | null }>(
    tx,
    'select max(run_id) as run_id from credit_rollout.runs',
  );
  return toBigint(runId) ?? undefined;
}

/** At most `limit` orgs that a run quarantined, by reason and id. */
export function listQuarantinedOrgs(
  tx: CellTransaction,
  runId: bigint,
  limit: number,
): Promise<readonly QuarantinedOrg[]> {
  return selectRows<QuarantinedOrg>(
    tx,
    `select q.org_id::text, q.reason, q.recorded_at from credit_rollout.quarantine q
     where q.run_id = :run_id::bigint order by q.reason, q.org_id limit :limit`,
    { run_id: runId, limit },
  );
}
