// How long reading the source takes for one org and for a list of them: measured by the database, and kept in the cell.
import { MEASURED_LIST, type ReadTimes } from '../../../domain/source/read-times.js';
import { execute, selectRow, selectRowAndUndo } from '../../query.js';
import type { CellTransaction } from '../cell-database.js';

/**
 * Measures on the source how long the rule takes for one org, in ms; null: it has none. Raises 57014 where that takes
 * longer than the limit. What the code of a view does meanwhile is undone.
 */
export async function measureOneOrg(tx: CellTransaction, limitMs: number): Promise<number | null> {
  await execute(tx, `set local statement_timeout = ${Math.trunc(limitMs)}`);
  const { took } = await selectRowAndUndo<Took>(tx, 'select credit_rollout.measure_one_org() as took');
  return took;
}

/** Likewise of a list of so many; null: it has fewer. */
export async function measureOrgList(
  tx: CellTransaction,
  limitMs: number,
  orgs = MEASURED_LIST,
): Promise<number | null> {
  await execute(tx, `set local statement_timeout = ${Math.trunc(limitMs)}`);
  const { took } = await selectRowAndUndo<Took>(tx, 'select credit_rollout.measure_one_org(:orgs::int) as took', {
    orgs,
  });
  return took;
}

interface Took {
  readonly took: number | null;
}

/** Decides for how many orgs at once workers read the source; null: for one. */
export async function saveReadTimes(tx: CellTransaction, { oneOrgMs, orgListMs }: ReadTimes): Promise<void> {
  await execute(tx, 'update credit_rollout.cell set one_org_ms = :one::real, org_list_ms = :list::real', {
    one: oneOrgMs,
    list: orgListMs,
  });
}

/** What init measured last. */
export function readReadTimes(tx: CellTransaction): Promise<ReadTimes> {
  return selectRow<ReadTimes>(tx, 'select one_org_ms, org_list_ms from credit_rollout.cell');
}
