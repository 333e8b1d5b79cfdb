// Orgs that no canary takes, and that a plan touches only with a person's approval. Rows of the cell; their ids stay here.
import type { CellTransaction } from '../cell-database.js';

/** Whether the source or an allotment has it. */
export async function isOrgKnown(tx: CellTransaction, orgId: string): Promise<boolean> {
  const { rows } = await tx.raw(
    `select exists (select from credit_rollout.source_orgs where org_id = ?::credit_rollout.org_id)
       or exists (select from credit_rollout.allotments where org_id = ?::credit_rollout.org_id) as known`,
    [orgId, orgId],
  );
  return rows[0].known;
}

export async function isProtected(tx: CellTransaction, orgId: string): Promise<boolean> {
  const { rows } = await tx.raw(
    'select exists (select from credit_rollout.protected_orgs where org_id = ?::credit_rollout.org_id) as found',
    [orgId],
  );
  return rows[0].found;
}

/** Leaves the row of an org that is protected already as it is. */
export async function insertProtectedOrg(
  tx: CellTransaction,
  org: { readonly orgId: string; readonly reason: string | null; readonly protectedBy: string },
): Promise<void> {
  await tx.raw(
    `insert into credit_rollout.protected_orgs (org_id, reason, protected_by) values (?::credit_rollout.org_id, ?, ?)
     on conflict (org_id) do nothing`,
    [org.orgId, org.reason, org.protectedBy],
  );
}

export async function deleteProtectedOrg(tx: CellTransaction, orgId: string): Promise<void> {
  await tx.raw('delete from credit_rollout.protected_orgs where org_id = ?::credit_rollout.org_id', [orgId]);
}

export async function countProtectedOrgs(tx: CellTransaction): Promise<number> {
  return (await tx.raw('select count(*)::int as orgs from credit_rollout.protected_orgs')).rows[0].orgs;
}
