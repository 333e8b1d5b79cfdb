// Takes an epoch in control, together with what is done under it and its audit row. Control has the new epoch before
// the cell sees it: when a process dies in between, the next tick finishes the work. Writes nothing in a cell.
import { appendAudit } from '../stores/control/audit.js';
import type { ControlTransaction } from '../stores/control/control-database.js';
import { takeEpoch } from '../stores/control/rollout.js';
import { classifyFailure } from '../stores/postgres-failure.js';
import type { EngineContext } from './context.js';

/** What a fence is opened for under a new epoch, for the audit row. */
export interface NewEpoch {
  readonly dataCenter: string;
  /** The epoch of the cell's fence: the new one is above it. */
  readonly seen: bigint;
  readonly runId?: bigint;
  readonly reason?: string;
}

/** Gives a run that exists a new epoch: `save` writes it, and returns false when another scheduler was faster. */
export async function takeNewEpoch(
  { control }: Pick<EngineContext, 'control'>,
  { dataCenter, seen, ...details }: NewEpoch,
  save: (tx: ControlTransaction, epoch: bigint) => Promise<boolean>,
): Promise<boolean> {
  return control.inTransaction(async (tx) => {
    const epoch = await takeEpoch(tx, seen);
    const saved = await save(tx, epoch);
    if (saved) await appendAudit(tx, { action: 'open_fence', dataCenter, epoch, ...details });
    return saved;
  });
}

/**
 * Another scheduler changed a row since this one read it. Thrown in a transaction, so that nothing of it is written.
 */
export class VersionConflict extends Error {}

/**
 * Starts a run under a new epoch, which is its id. False, with nothing written: the slot is taken (its unique index
 * says so), or `start` threw VersionConflict.
 */
export async function startUnderNewEpoch(
  { control }: Pick<EngineContext, 'control'>,
  seen: bigint,
  start: (tx: ControlTransaction, epoch: bigint) => Promise<void>,
): Promise<boolean> {
  try {
    await control.inTransaction(async (tx) => start(tx, await takeEpoch(tx, seen)));
    return true;
  } catch (error) {
    if (error instanceof VersionConflict || classifyFailure(error).kind === 'duplicate') return false;
    throw error;
  }
}
