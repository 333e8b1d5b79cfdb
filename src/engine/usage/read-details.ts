// What one org has and uses, from its cell: for its page, and for the screen of the person who asks.
import type { ApiDetails } from '../../domain/usage/api-details.js';
import { findApiDetails } from '../../stores/cell/usage/api-details.js';
import type { CellDirectory } from '../context.js';
import { getOrgId, type OrgName, orgNotFound } from '../org/find-org.js';

/** Throws invalid_org_id, source_changed, org_not_found. */
export async function readDetails({ cells }: { readonly cells: CellDirectory }, org: OrgName): Promise<ApiDetails> {
  const details = await cells
    .get(org.dataCenter)
    .inTransaction('reader', async (tx) => findApiDetails(tx, await getOrgId(tx, org)), { statementMs: 30_000 });
  if (details === undefined) throw orgNotFound(org);
  return details;
}
