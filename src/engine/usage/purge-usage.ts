// Purges what orgs used long ago, and the alerts of those days. For how long they are kept is part of the schema:
// nobody chooses it, so no policy is asked.

import { purgeOldUsage } from '../../stores/cell/usage/usage-days.js';
import { listDataCenters } from '../../stores/control/data-centers.js';
import type { EngineContext } from '../context.js';
import { purgeInCells } from '../purge.js';

/** Rows of each table in one transaction. */
const ROWS_PER_PART = 10_000;

/** Returns how many rows were purged. Those of a cell that cannot be reached are purged the next time. */
export async function purgeUsage(
  context: EngineContext,
  { signal }: { readonly signal?: AbortSignal | undefined },
): Promise<number> {
  const ids = await context.control.inTransaction(async (tx) => (await listDataCenters(tx)).map(({ id }) => id));
  const cells = await purgeInCells(context, ids, {
    failure: 'purge_usage_failed',
    purgePart: (tx) => purgeOldUsage(tx, ROWS_PER_PART),
    signal,
  });
  return Object.values(cells).reduce((sum, rows) => sum + rows, 0);
}
