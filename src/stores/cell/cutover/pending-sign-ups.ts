// Sign-ups on credits whose allotment could not be written in the product's own transaction.
import { execute, selectRow, selectRowAndUndo } from '../../query.js';
import type { CellTransaction } from '../cell-database.js';

/** Whether any waits; cheap. */
export async function hasPendingSignUps(tx: CellTransaction): Promise<boolean> {
  const { found } = await selectRow<{ readonly found: boolean }>(
    tx,
    'select exists (select from credit_rollout.pending_sign_ups) as found',
  );
  return found;
}

export interface WrittenSignUps {
  /** More than were written: the others cannot be decided, or have to wait. */
  readonly tried: number;
  readonly written: number;
}

/** Writes them for about a second: none unless single writes are allowed, which it asks under the fence's lock. */
export async function writePendingSignUps(tx: CellTransaction): Promise<WrittenSignUps> {
  return selectRow<WrittenSignUps>(tx, 'select tried, written from credit_rollout.write_sign_ups()');
}

/**
 * Measures on the source how long the rule takes for one org, in ms; null: it has none. Raises 57014 where that takes
 * longer than the limit. What the code of a view does meanwhile is undone.
 */
export async function measureOneOrg(tx: CellTransaction, limitMs: number): Promise<number | null> {
  await execute(tx, `set local statement_timeout = ${Math.trunc(limitMs)}`);
  const { took } = await selectRowAndUndo<{ readonly took: number | null }>(
    tx,
    'select credit_rollout.measure_one_org() as took',
  );
  return took;
}

/** Decides whether sign-ups are written in their own transaction; null: they are. */
export async function saveOneOrgMs(tx: CellTransaction, ms: number | null): Promise<void> {
  await execute(tx, 'update credit_rollout.cell set one_org_ms = :ms::real', { ms });
}

/** What init measured last. */
export async function readOneOrgMs(tx: CellTransaction): Promise<{ readonly oneOrgMs: number | null }> {
  return selectRow<{ readonly oneOrgMs: number | null }>(tx, 'select one_org_ms from credit_rollout.cell');
}
