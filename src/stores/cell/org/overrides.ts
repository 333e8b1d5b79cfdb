// Overrides of floors: one person proposes, another approves, and only then is it applied, once. Each has the org's
// rows before and after. The cell itself makes these images, so that no number goes through the driver.
import { execute, findRow, selectRow } from '../../query.js';
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

/** Locks it, then its org's allotment: two approvers take turns. Read both in later statements. */
export async function lockOverride(tx: CellTransaction, overrideId: bigint): Promise<void> {
  await execute(tx, 'select from credit_rollout.overrides where override_id = :override_id::bigint for update', {
    override_id: overrideId,
  });
  await execute(
    tx,
    `select from credit_rollout.allotments where org_id = (
       select org_id from credit_rollout.overrides where override_id = :override_id::bigint) for update`,
    { override_id: overrideId },
  );
}

const IMAGE = 'select to_jsonb(a) from credit_rollout.allotments a where a.org_id = o.org_id';

/** Saves the org's row as it is before the override. */
export async function saveImageBefore(tx: CellTransaction, overrideId: bigint): Promise<void> {
  await execute(
    tx,
    `update credit_rollout.overrides o set before = (${IMAGE}) where override_id = :override_id::bigint`,
    { override_id: overrideId },
  );
}

/** Marks it as applied, with the org's row as it is now; false when it was decided already. */
export async function completeOverride(tx: CellTransaction, overrideId: bigint, approver: string): Promise<boolean> {
  const updated = await execute(
    tx,
    `update credit_rollout.overrides o set state = 'applied', approver = :approver, decided_at = clock_timestamp(),
       after = (${IMAGE})
     where override_id = :override_id::bigint and state = 'proposed'`,
    { approver, override_id: overrideId },
  );
  return updated === 1;
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
