// Orgs that no canary takes, and that a plan touches only with a person's approval. Their ids are rows of the cell and
// stay in it.
import { execute, selectRow } from '../../query.js';
import type { CellTransaction } from '../cell-database.js';

/** Whether the source or an allotment has it. */
export async function isOrgKnown(tx: CellTransaction, orgId: string): Promise<boolean> {
  const { known } = await selectRow<{ readonly known: boolean }>(
    tx,
    `select exists (select from credit_rollout.source_orgs where org_id = :org_id::credit_rollout.org_id)
       or exists (select from credit_rollout.allotments where org_id = :org_id::credit_rollout.org_id) as known`,
    { org_id: orgId },
  );
  return known;
}

export async function isProtected(tx: CellTransaction, orgId: string): Promise<boolean> {
  const { found } = await selectRow<{ readonly found: boolean }>(
    tx,
    `select exists (
       select from credit_rollout.protected_orgs where org_id = :org_id::credit_rollout.org_id) as found`,
    { org_id: orgId },
  );
  return found;
}

/** The row of an org that is protected already stays as it is. */
export async function insertProtectedOrg(
  tx: CellTransaction,
  org: { readonly orgId: string; readonly reason: string | null; readonly protectedBy: string },
): Promise<void> {
  await execute(
    tx,
    `insert into credit_rollout.protected_orgs (org_id, reason, protected_by)
     values (:org_id::credit_rollout.org_id, :reason, :protected_by)
     on conflict (org_id) do nothing`,
    { org_id: org.orgId, reason: org.reason, protected_by: org.protectedBy },
  );
}

export async function deleteProtectedOrg(tx: CellTransaction, orgId: string): Promise<void> {
  await execute(tx, 'select credit_rollout.unprotect_org(:org_id::credit_rollout.org_id)', {
    org_id: orgId,
  });
}

export async function countProtectedOrgs(tx: CellTransaction): Promise<number> {
  const { orgs } = await selectRow<{ readonly orgs: number }>(
    tx,
    'select count(*)::int as orgs from credit_rollout.protected_orgs',
  );
  return orgs;
}
