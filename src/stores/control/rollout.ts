// The rollout as a whole: the epoch counter, and what the first apply pinned. One row.
import { execute, selectRow } from '../query.js';
import type { ControlTransaction } from './control-database.js';

export interface RolloutRow {
  readonly epoch: bigint;
  readonly cardHash: string | null;
  readonly pinnedAt: Date | null;
}

export async function readRollout(tx: ControlTransaction): Promise<RolloutRow> {
  const row = await selectRow<Omit<RolloutRow, 'epoch'> & { readonly epoch: string }>(
    tx,
    'select epoch, card_hash, pinned_at from credit_rollout_control.rollout',
  );
  return { ...row, epoch: BigInt(row.epoch) };
}

/** Whether these are the embedded servers: one login is for everything there. */
export async function isEmbedded(tx: ControlTransaction): Promise<boolean> {
  const { embedded } = await selectRow<{ readonly embedded: boolean }>(
    tx,
    'select embedded from credit_rollout_control.rollout',
  );
  return embedded;
}

/** Takes a new epoch above control's own and every epoch seen in cells (a restored control must not go back, I14). */
export async function takeEpoch(tx: ControlTransaction, seenInCells: bigint): Promise<bigint> {
  const { epoch } = await selectRow<{ readonly epoch: string }>(
    tx,
    `update credit_rollout_control.rollout
     set epoch = greatest(epoch, :seen_in_cells::bigint) + 1
     returning epoch`,
    { seen_in_cells: seenInCells },
  );
  return BigInt(epoch);
}

/** Pins the rate card and the moment once: true the first time. */
export async function pinRollout(tx: ControlTransaction, cardHash: string, cardName: string): Promise<boolean> {
  const pinned = await execute(
    tx,
    `update credit_rollout_control.rollout
     set pinned_at = clock_timestamp(), card_hash = :card_hash, card_name = :card_name
     where pinned_at is null`,
    { card_hash: cardHash, card_name: cardName },
  );
  return pinned === 1;
}
