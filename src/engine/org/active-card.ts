// The rate card that a cell decides with, and the cell's row that names it. Reads only.
import { RolloutError } from '../../kernel/rollout-error.js';
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import { type CellRow, findCell } from '../../stores/cell/identity.js';
import { loadStoredCard, type StoredCard } from '../../stores/cell/org/rates.js';

interface ActiveCard {
  readonly cell: CellRow;
  readonly card: StoredCard;
}

/** Throws not_initialised before the first run. */
export async function getActiveCard(tx: CellTransaction, dataCenter: string): Promise<ActiveCard> {
  const cell = await findCell(tx);
  const card = cell?.activeCard ? await loadStoredCard(tx, cell.activeCard) : undefined;
  if (cell === undefined || card === undefined)
    throw new RolloutError('not_initialised', { message: `Data center "${dataCenter}" has no active rate card yet.` });
  return { cell, card };
}
