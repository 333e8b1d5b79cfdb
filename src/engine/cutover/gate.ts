// One change of a cell's sign-up gate: under its exclusive lock, given up after 200 ms so that no sign-up stalls behind it.
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import { type Gate, type GateHolder, listGateHolders, readGate } from '../../stores/cell/cutover/gate.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import type { EngineContext } from '../context.js';
import { explainFailure } from '../database-errors.js';

/** Sign-ups that asked have not ended; empty when they ended meanwhile. */
export interface GateBusy {
  readonly kind: 'busy';
  readonly holders: readonly GateHolder[];
}

const LOCK_NOT_AVAILABLE = '55P03';

/** The outcome with the gate as it is then. */
export async function changeGate<K extends string>(
  context: Pick<EngineContext, 'cells'>,
  dataCenter: string,
  change: (tx: CellTransaction) => Promise<{ readonly kind: K }>,
): Promise<{ readonly kind: K; readonly gate: Gate } | GateBusy> {
  try {
    const cell = context.cells.get(dataCenter);
    try {
      return await cell.inTransaction('fencer', async (tx) => ({ ...(await change(tx)), gate: await readGate(tx) }));
    } catch (error) {
      if (classifyFailure(error).sqlstate !== LOCK_NOT_AVAILABLE) throw error;
      return { kind: 'busy', holders: await cell.inTransaction('fencer', listGateHolders) };
    }
  } catch (error) {
    throw explainFailure(error, `Data center "${dataCenter}"`);
  }
}
