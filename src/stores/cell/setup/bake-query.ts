// The operator's own question to a cell before a bake may end; read only.
import type { CellTransaction } from '../cell-database.js';

/** True when the query's first column of its only row is true; anything else is not. */
export async function runBakeQuery(tx: CellTransaction, sql: string): Promise<boolean> {
  await tx.raw('set transaction read only');
  const { rows } = await tx.raw(sql.replaceAll('?', '\\?'));
  const first = rows.length === 1 ? Object.values(rows[0])[0] : undefined;
  return first === true;
}
