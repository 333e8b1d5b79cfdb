// The exact GRANT for what the code of the product's view was denied: such code runs with the rights of whoever reads
// it.
import { toPastedSql } from '../../kernel/pasted-sql.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import type { CellDatabase } from '../../stores/cell/cell-database.js';
import { listViewGrants } from '../../stores/cell/setup/view-grants.js';
import { nameDenied } from '../database-errors.js';

/**
 * What the error says, with the GRANTs; undefined: the server denied nothing of the product. `product`: a role of the
 * product that `init` is about to record.
 */
export async function explainViewGrants(
  cell: CellDatabase,
  error: unknown,
  product?: string,
): Promise<RolloutError | undefined> {
  const denied = nameDenied(error);
  if (denied === undefined) return undefined;
  const grants = await cell.asOwner((tx) => listViewGrants(tx, cell.dataCenter, denied.name, product));
  if (grants.length === 0) return undefined;
  return new RolloutError('not_permitted', {
    message: `Data center "${cell.dataCenter}": the view of the source calls code that needs more: ${denied.text}.`,
    next: `As their owner run: ${toPastedSql(grants.join(' '))}`,
    cause: error,
  });
}
