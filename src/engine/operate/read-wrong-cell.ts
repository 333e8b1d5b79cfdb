// What `status` says of a database that is not the cell of its data center: why, since when, and which one is. Reads
// only; another look at the cell, which has just been refused.
import type { DataCenterSnapshot } from '../../domain/rollout/snapshot.js';
import type { Advice } from '../../kernel/advice.js';
import { isRolloutError } from '../../kernel/rollout-error.js';
import { type AdoptedPlace, findAdoptedPlace } from '../../stores/control/cell-proposals.js';
import type { EngineContext } from '../context.js';
import { adviseAdopted, leftBehind } from '../reject-left-behind.js';

export interface WrongCell {
  /** One sentence: it was left behind when the cell moved, was moved and is not adopted, or is another cell. */
  readonly message: string;
  /** How to go on. */
  readonly way: string | Advice;
  /** The copy that two people adopted in its place; null: none, and since when it is another one nobody knows. */
  readonly adopted: AdoptedPlace | null;
}

/** Null: the database is its cell, or cannot be read for another reason. */
export async function readWrongCell(
  { control, cells }: Pick<EngineContext, 'control' | 'cells'>,
  { id, cell }: Pick<DataCenterSnapshot, 'id' | 'cell'>,
): Promise<WrongCell | null> {
  if (cell?.kind !== 'unreachable' || cell.code !== 'wrong_cell') return null;
  const refused: unknown = await cells
    .get(id)
    .inTransaction('state', async () => undefined)
    .catch((error: unknown) => error);
  if (isRolloutError(refused)) return { message: refused.message, way: refused.advice, adopted: null };
  const adopted = (await control.inTransaction((tx) => findAdoptedPlace(tx, id))) ?? null;
  const { message, advice } = leftBehind(id);
  return { message, way: adopted === null ? advice : adviseAdopted(id, adopted), adopted };
}
