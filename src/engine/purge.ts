// Lets every cell forget what is over, bit by bit. A cell that cannot be read keeps it until the next time.
import { isRolloutError } from '../kernel/rollout-error.js';
import type { CellTransaction } from '../stores/cell/cell-database.js';
import { classifyFailure } from '../stores/postgres-failure.js';
import type { EngineContext } from './context.js';

export interface Purge {
  /** The event in the log when a cell fails. */
  readonly failure: string;
  /** Forgets one bit in a transaction of its own; returns how many rows or plans that were, 0: nothing is over any more. */
  readonly forget: (tx: CellTransaction, dataCenter: string) => Promise<number>;
  readonly signal?: AbortSignal | undefined;
}

/** One bit may be large: so long may it take, in ms. */
const STATEMENT_MS = 60_000;

/** Returns how many were forgotten by data center, those of a cell that failed half-way included. */
export async function purgeInCells(
  context: EngineContext,
  dataCenters: readonly string[],
  purge: Purge,
): Promise<Readonly<Record<string, number>>> {
  const counts: Record<string, number> = {};
  for (const id of dataCenters) counts[id] = await purgeInCell(context, id, purge);
  return counts;
}

async function purgeInCell(
  { cells, log }: EngineContext,
  dataCenter: string,
  { failure, forget, signal }: Purge,
): Promise<number> {
  let forgotten = 0;
  try {
    const cell = cells.get(dataCenter);
    while (!signal?.aborted) {
      const bit = await cell.inTransaction('fencer', (tx) => forget(tx, dataCenter), { statementMs: STATEMENT_MS });
      if (bit === 0) break;
      forgotten += bit;
    }
  } catch (error) {
    const { kind, sqlstate } = classifyFailure(error);
    log.warn(failure, { data_center: dataCenter, code: isRolloutError(error) ? error.code : (sqlstate ?? kind) });
  }
  return forgotten;
}
