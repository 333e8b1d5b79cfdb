// The rollout as a whole: the epoch counter and what the first apply pinned.
import type { ReconcileSettings } from '../../domain/config/rollout-config.js';
import type { ControlTransaction } from './control-database.js';

export interface RolloutRow {
  readonly epoch: bigint;
  readonly cardHash: string | null;
  readonly pinnedAt: Date | null;
}

export async function readRollout(tx: ControlTransaction): Promise<RolloutRow> {
  const row = (await tx.raw('select * from credit_rollout_control.rollout')).rows[0];
  return { epoch: BigInt(row.epoch), cardHash: row.card_hash, pinnedAt: row.pinned_at };
}

/** Takes a new epoch above control's own and every epoch seen in cells (a restored control must not go back, I14). */
export async function takeEpoch(tx: ControlTransaction, seenInCells: bigint): Promise<bigint> {
  const { rows } = await tx.raw(
    `update credit_rollout_control.rollout set epoch = greatest(epoch, ?::bigint) + 1 returning epoch`,
    [String(seenInCells)],
  );
  return BigInt(rows[0].epoch);
}

/** Pins instants once: true the first time. */
export async function pinRollout(tx: ControlTransaction, cardHash: string, cardName: string): Promise<boolean> {
  const { rowCount } = await tx.raw(
    `update credit_rollout_control.rollout set pinned_at = clock_timestamp(), card_hash = ?, card_name = ? where pinned_at is null`,
    [cardHash, cardName],
  );
  return rowCount === 1;
}

/** What the nights are carried out with from now on. */
export async function saveReconcile(
  tx: ControlTransaction,
  { at, maxChanged, maxLapsed }: ReconcileSettings,
): Promise<void> {
  const json = JSON.stringify({ at, maxChanged, maxLapsed });
  await tx.raw(
    `update credit_rollout_control.rollout set reconcile = ?::jsonb where reconcile is distinct from ?::jsonb`,
    [json, json],
  );
}

/** Undefined: no scheduler has started since the calendar came. */
export async function readReconcile(tx: ControlTransaction): Promise<ReconcileSettings | undefined> {
  return (await tx.raw('select reconcile from credit_rollout_control.rollout')).rows[0]?.reconcile ?? undefined;
}
