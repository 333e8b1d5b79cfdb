// Overrides of floors: one person proposes, another approves, and only then is it applied, once. Each has the org's
// rows before and after. The cell itself makes these images, so that no number goes through the driver.
import { execute, findRow, selectRow, selectRows } from '../../query.js';
import type { Seal } from '../../seal.js';
import { toBigint } from '../allotment-row.js';
import type { CellTransaction } from '../cell-database.js';

export interface OverrideRow {
  readonly overrideId: bigint;
  readonly orgId: string;
  /** Null: the org is to have none. */
  readonly floor: bigint | null;
  readonly reason: string;
  readonly author: string;
  readonly proposedAt: Date;
  readonly approver: string | null;
  readonly decidedAt: Date | null;
  readonly state: 'proposed' | 'applied' | 'withdrawn';
}

type Stored = Omit<OverrideRow, 'overrideId' | 'floor'> & {
  readonly overrideId: string;
  readonly floor: string | null;
};

const OVERRIDE = `
select override_id, org_id::text, floor, reason, author, proposed_at, approver, decided_at, state
from credit_rollout.overrides`;

const toRow = (row: Stored): OverrideRow => ({
  ...row,
  overrideId: BigInt(row.overrideId),
  floor: toBigint(row.floor),
});

/** Returns its number. An org that has an open one raises 23505. */
export async function insertOverride(
  tx: CellTransaction,
  { orgId, floor, reason, author }: Pick<OverrideRow, 'orgId' | 'floor' | 'reason' | 'author'>,
): Promise<bigint> {
  const { overrideId } = await selectRow<{ readonly overrideId: string }>(
    tx,
    `insert into credit_rollout.overrides (org_id, floor, reason, author)
     values (:org_id::credit_rollout.org_id, :floor::bigint, :reason, :author) returning override_id`,
    { org_id: orgId, floor, reason, author },
  );
  return BigInt(overrideId);
}

/** The one that waits for approval; an org has at most one. */
export async function findOpenOverride(tx: CellTransaction, orgId: string): Promise<OverrideRow | undefined> {
  const row = await findRow<Stored>(
    tx,
    `${OVERRIDE} where org_id = :org_id::credit_rollout.org_id and state = 'proposed'`,
    { org_id: orgId },
  );
  return row && toRow(row);
}

export async function findOverride(tx: CellTransaction, overrideId: bigint): Promise<OverrideRow | undefined> {
  const row = await findRow<Stored>(tx, `${OVERRIDE} where override_id = :override_id::bigint`, {
    override_id: overrideId,
  });
  return row && toRow(row);
}

/** Two approvers take turns. Read it in later statements. */
export async function lockOverride(tx: CellTransaction, overrideId: bigint): Promise<void> {
  await execute(tx, 'select from credit_rollout.overrides where override_id = :override_id::bigint for update', {
    override_id: overrideId,
  });
}

/** How many wait for a second person. */
export async function countProposedOverrides(tx: CellTransaction): Promise<number> {
  const { waiting } = await selectRow<{ readonly waiting: number }>(
    tx,
    `select count(*)::int as waiting from credit_rollout.overrides where state = 'proposed'`,
  );
  return waiting;
}

/** The overrides that wait since before control knew of any, with what it is to know of each. As the owner. */
export async function listOpenOverrides(
  tx: CellTransaction,
): Promise<readonly (Pick<OverrideRow, 'overrideId' | 'author'> & { readonly digest: string })[]> {
  const rows = await selectRows<{ readonly overrideId: string; readonly author: string; readonly digest: string }>(
    tx,
    `select override_id, author, credit_rollout.digest_override(override_id) as digest
     from credit_rollout.overrides where state = 'proposed' and before_seals order by override_id`,
  );
  return rows.map((row) => ({ ...row, overrideId: BigInt(row.overrideId) }));
}

/** What control gets to know of it: 64 hex digits that nobody can guess. The override must be there. */
export async function digestOverride(tx: CellTransaction, overrideId: bigint): Promise<string> {
  const { digest } = await selectRow<{ readonly digest: string }>(
    tx,
    'select credit_rollout.digest_override(:override_id::bigint) as digest',
    { override_id: overrideId },
  );
  return digest;
}

/**
 * Locks the org's row and saves it as it is before the override that control sealed, and who approved it: it may be
 * written from here on. Raises what `readSealFailure` reads.
 */
export async function beginOverride(tx: CellTransaction, seal: Seal): Promise<void> {
  await execute(tx, 'select credit_rollout.begin_override(:seal::jsonb)', { seal });
}

/** Marks a begun override as applied, with the org's row as it is now; false when it was decided already. */
export async function completeOverride(tx: CellTransaction, overrideId: bigint): Promise<boolean> {
  const { completed } = await selectRow<{ readonly completed: boolean }>(
    tx,
    'select credit_rollout.complete_override(:override_id::bigint) as completed',
    { override_id: overrideId },
  );
  return completed;
}

/** Withdraws a proposal; false when it was decided already. */
export async function withdrawOpenOverride(tx: CellTransaction, overrideId: bigint): Promise<boolean> {
  const updated = await execute(
    tx,
    `update credit_rollout.overrides set state = 'withdrawn', decided_at = clock_timestamp()
     where override_id = :override_id::bigint and state = 'proposed'`,
    { override_id: overrideId },
  );
  return updated === 1;
}
