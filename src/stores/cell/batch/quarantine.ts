// Orgs that could not be decided, for the person who asks in this cell. The ids go to that person's screen and nowhere else.
import type { CellTransaction } from '../cell-database.js';

export interface QuarantinedOrg {
  readonly orgId: string;
  readonly reason: string;
  readonly recordedAt: Date;
}

/** The newest run of the cell; undefined before the first. */
export async function findNewestRun(tx: CellTransaction): Promise<bigint | undefined> {
  const { rows } = await tx.raw('select max(run_id) as run_id from credit_rollout.runs');
  return rows[0].run_id === null ? undefined : BigInt(rows[0].run_id);
}

/** At most `most` orgs that a run set aside, by reason and id. */
export async function listQuarantinedOrgs(
  tx: CellTransaction,
  runId: bigint,
  most: number,
): Promise<readonly QuarantinedOrg[]> {
  const { rows } = await tx.raw(
    `select org_id::text as "orgId", reason, recorded_at as "recordedAt" from credit_rollout.quarantine
     where run_id = ?::bigint order by reason, quarantine.org_id limit ?`,
    [String(runId), most],
  );
  return rows;
}
