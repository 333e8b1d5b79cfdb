// The transaction that a plan is made in, and what it asks of the cell beside the orgs.
import type { CellTransaction } from '../cell-database.js';

/** `read_only`: by the database's own word. */
export type PlanAccess = 'read_only' | 'may_insert';

// The rows of a range are grouped as they come, in memory: Postgres expects so many groups that it would sort them first.
const LIMITS = `set local work_mem = '32MB'; set local enable_sort = off`;

const isolate = (access: PlanAccess): string =>
  `set transaction isolation level repeatable read${access === 'read_only' ? ', read only' : ''}`;

/** One snapshot for the whole plan. Before any query. Returns its instant. */
export async function startPlanning(tx: CellTransaction, access: PlanAccess): Promise<Date> {
  await tx.raw(`${isolate(access)}; ${LIMITS}`);
  return (await tx.raw('select clock_timestamp() as now')).rows[0].now;
}

/** The name under which other transactions can join this one's snapshot, as long as it is open. */
export async function shareSnapshot(tx: CellTransaction): Promise<string> {
  return (await tx.raw('select pg_export_snapshot() as name')).rows[0].name;
}

/** Sees what the transaction sees that shared this snapshot. Before any query. */
export async function joinSnapshot(tx: CellTransaction, snapshot: string, access: PlanAccess): Promise<void> {
  await tx.raw(`${isolate(access)}; set transaction snapshot '${snapshot}'; ${LIMITS}`);
}

/** For a lane that is through: it waits for the others as long as one of their statements may take. */
export async function waitForOthers(tx: CellTransaction): Promise<void> {
  await tx.raw('set local idle_in_transaction_session_timeout = 60000');
}

/** Whether the source has peak_credits; the adapter view says null where it has not. */
export async function hasUsage(tx: CellTransaction): Promise<boolean> {
  const { rows } = await tx.raw(
    `select pg_get_viewdef('credit_rollout.source_orgs'::regclass) !~* 'null::bigint as peak_credits' as found`,
  );
  return rows[0].found;
}

/** Whether some org of the cell is protected. */
export async function hasProtected(tx: CellTransaction): Promise<boolean> {
  return (await tx.raw('select exists (select from credit_rollout.protected_orgs) as found')).rows[0].found;
}

/** The newest batches of any run, for the estimate. */
export async function readRecentBatches(
  tx: CellTransaction,
): Promise<readonly { readonly durationMs: number; readonly orgs: number }[]> {
  const { rows } = await tx.raw(
    `select duration_ms as "durationMs", orgs from credit_rollout.batches where state = 'done' and kind = 'range' and orgs > 0
       and inserted + raised > orgs / 2 order by done_at desc limit 40`,
  );
  return rows;
}
