// Overrides of floors: proposed by one person, applied once when another approves, with the rows before and after. The
// images are made by the cell, so that no number goes through the driver.

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

const SELECT = `select override_id as "overrideId", org_id::text as "orgId", floor, reason, author, proposed_at as "proposedAt",
  approver, decided_at as "decidedAt", state from credit_rollout.overrides`;

const toRow = (row: Stored): OverrideRow => ({
  ...row,
  overrideId: BigInt(row.overrideId),
  floor: toBigint(row.floor),
});

/** Returns its number. An org that has an open one raises 23505. */
export async function insertOverride(
  tx: CellTransaction,
  override: Pick<OverrideRow, 'orgId' | 'floor' | 'reason' | 'author'>,
): Promise<bigint> {
  const { orgId, floor, reason, author } = override;
  const { rows } = await tx.raw(
    `insert into credit_rollout.overrides (org_id, floor, reason, author)
     values (?::credit_rollout.org_id, ?::bigint, ?, ?) returning override_id`,
    [orgId, floor === null ? null : String(floor), reason, author],
  );
  return BigInt(rows[0].override_id);
}

/** The one that waits for approval; an org has at most one. */
export async function findOpenOverride(tx: CellTransaction, orgId: string): Promise<OverrideRow | undefined> {
  const { rows } = await tx.raw(`${SELECT} where org_id = ?::credit_rollout.org_id and state = 'proposed'`, [orgId]);
  return rows[0] && toRow(rows[0]);
}

export async function findOverride(tx: CellTransaction, overrideId: bigint): Promise<OverrideRow | undefined> {
  const { rows } = await tx.raw(`${SELECT} where override_id = ?::bigint`, [String(overrideId)]);
  return rows[0] && toRow(rows[0]);
}

/** Locks it, then its org's allotment: two approvers take turns. Read in the next statement. */
export async function lockOverride(tx: CellTransaction, overrideId: bigint): Promise<void> {
  await tx.raw('select from credit_rollout.overrides where override_id = ?::bigint for update', [String(overrideId)]);
  await tx.raw(
    `select from credit_rollout.allotments where org_id = (
       select org_id from credit_rollout.overrides where override_id = ?::bigint) for update`,
    [String(overrideId)],
  );
}

const IMAGE = 'select to_jsonb(a) from credit_rollout.allotments a where a.org_id = o.org_id';

/** Keeps the org's row as it is before the override. */
export async function saveImageBefore(tx: CellTransaction, overrideId: bigint): Promise<void> {
  await tx.raw(`update credit_rollout.overrides o set before = (${IMAGE}) where override_id = ?::bigint`, [
    String(overrideId),
  ]);
}

/** Ends it, with the org's row as it is now; false when it was decided already. */
export async function completeOverride(tx: CellTransaction, overrideId: bigint, approver: string): Promise<boolean> {
  const { rowCount } = await tx.raw(
    `update credit_rollout.overrides o set state = 'applied', approver = ?, decided_at = clock_timestamp(), after = (${IMAGE})
     where override_id = ?::bigint and state = 'proposed'`,
    [approver, String(overrideId)],
  );
  return rowCount === 1;
}

/** Takes a proposal back; false when it was decided already. */
export async function withdrawOpenOverride(tx: CellTransaction, overrideId: bigint): Promise<boolean> {
  const { rowCount } = await tx.raw(
    `update credit_rollout.overrides set state = 'withdrawn', decided_at = clock_timestamp()
     where override_id = ?::bigint and state = 'proposed'`,
    [String(overrideId)],
  );
  return rowCount === 1;
}
