// The transaction in which a plan is made, and what a plan reads of the cell beside its orgs.
import { execute, selectRow, selectRows } from '../../query.js';
import type { CellTransaction } from '../cell-database.js';
import { HAS_MEASURED } from './plan-functions.js';

/** `read_only`: the database itself rejects a write. */
export type PlanAccess = 'read_only' | 'may_insert';

// The rows of a range are grouped in the order in which they come, in memory: Postgres expects so many groups that it
// would sort the rows first. Never for a view, whose own joins it would change: one took fifteen times as long.
const LIMITS = `set local work_mem = '32MB';
  select set_config('enable_sort', 'off', true) from credit_rollout.cell where source_unique`;

const isolate = (access: PlanAccess): string =>
  `set transaction isolation level repeatable read${access === 'read_only' ? ', read only' : ''}`;

/** One snapshot for the whole plan. Before any query. Returns its instant. */
export async function startPlanning(tx: CellTransaction, access: PlanAccess): Promise<Date> {
  await execute(tx, `${isolate(access)}; ${LIMITS}`);
  const { now } = await selectRow<{ readonly now: Date }>(tx, 'select clock_timestamp() as now');
  return now;
}

/** A lane waits for the one that cuts ranges, and in the end for the others, as long as a statement may take. */
const WAITS = 'set local idle_in_transaction_session_timeout = 60000';

/** The name under which other transactions can join this one's snapshot, as long as it is open. */
export async function shareSnapshot(tx: CellTransaction): Promise<string> {
  await execute(tx, WAITS);
  const { name } = await selectRow<{ readonly name: string }>(tx, 'select pg_export_snapshot() as name');
  return name;
}

/** Reads from the snapshot of the transaction that shared it. Before any query. */
export async function joinSnapshot(tx: CellTransaction, snapshot: string, access: PlanAccess): Promise<void> {
  await execute(tx, `${isolate(access)}; set transaction snapshot '${snapshot}'; ${LIMITS}; ${WAITS}`);
}

/** Whether busiest days are known: the source has peak_credits, or a meter counted. Without, the view has a null. */
export async function hasUsage(tx: CellTransaction): Promise<boolean> {
  const { found } = await selectRow<{ readonly found: boolean }>(
    tx,
    `select pg_get_viewdef('credit_rollout.source_orgs'::regclass) !~* 'null::bigint as peak_credits'
       or ${HAS_MEASURED} as found`,
  );
  return found;
}

export interface RecentBatch {
  readonly durationMs: number;
  readonly orgs: number;
}

/** The newest batches of any run, for the estimate. */
export async function readRecentBatches(tx: CellTransaction): Promise<readonly RecentBatch[]> {
  return selectRows<RecentBatch>(
    tx,
    `select duration_ms, orgs from credit_rollout.batches
     where state = 'done' and kind = 'range' and orgs > 0 and inserted + raised > orgs / 2
     order by done_at desc limit 40`,
  );
}
