// Whether an apply would give a data center another rate card, which it does even where no org is written. Reads only.
import { findCell } from '../../stores/cell/identity.js';
import type { EngineContext } from '../context.js';
import { explainFailure } from '../database-errors.js';

/** The hash of the card that the cell has, where it is another one than `cardHash`; undefined: none, or this one. */
export async function findCardChange(
  { cells }: Pick<EngineContext, 'cells'>,
  dataCenter: string,
  cardHash: string,
): Promise<string | undefined> {
  try {
    const cell = await cells.get(dataCenter).inTransaction('reader', findCell);
    return cell?.activeCard == null || cell.activeCard === cardHash ? undefined : cell.activeCard;
  } catch (error) {
    throw explainFailure(error, `Data center "${dataCenter}"`);
  }
}
