// Some orgs of a cell, spread over all of them: for the sample calls. As `reader`.
import { selectRows } from '../../query.js';
import type { CellTransaction } from '../cell-database.js';

/** Paid orgs with an allotment, in the order of a hash of their ids: the same each time. */
export async function listSpreadOrgs(
  tx: CellTransaction,
  limit: number,
): Promise<readonly { readonly orgId: string; readonly total: bigint }[]> {
  const rows = await selectRows<{ readonly orgId: string; readonly total: string }>(
    tx,
    `select a.org_id::text, a.total_credits::text as total from credit_rollout.allotments a
     where a.paid and a.total_credits > 0 order by md5(a.org_id::text), a.org_id limit :limit::int`,
    { limit },
  );
  return rows.map(({ orgId, total }) => ({ orgId, total: BigInt(total) }));
}
