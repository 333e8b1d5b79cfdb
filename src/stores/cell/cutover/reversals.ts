// Cut-overs of a cell that were taken back: the instants that held until then. Append-only; only the owner's function writes.
import type { EarlierLine } from '../../../domain/org/decide-floor.js';
import type { CellTransaction } from '../cell-database.js';
import { lockGate } from './gate.js';

export interface ReversedCutover extends EarlierLine {
  readonly armedAt: Date;
  readonly latchedAt: Date;
  /** Null: it was taken back before its sweep was over. */
  readonly sweptAt: Date | null;
}

/** The oldest first. */
export async function listReversedCutovers(tx: CellTransaction): Promise<readonly ReversedCutover[]> {
  const { rows } = await tx.raw(
    `select effective_at as "effectiveAt", reversed_at as "reversedAt", armed_at as "armedAt", latched_at as "latchedAt",
       swept_at as "sweptAt" from credit_rollout.reversals order by reversed_at`,
  );
  return rows;
}

export interface CellReversal {
  /** Control's number of it: it is carried out once. */
  readonly reversalId: bigint;
  readonly toAt: Date;
  readonly toLocal: string;
  readonly author: string;
  readonly approver: string;
}

const REFUSALS = { '55000': 'not_latched', '55006': 'writing' } as const;

/**
 * Takes a latched cut-over back; sign-ups are legacy from the commit on. `already`: this one was carried out before.
 * `writing`: the fence is open. Throws 55P03 while a sign-up that has asked has not ended.
 */
export async function reverseCutover(
  tx: CellTransaction,
  { reversalId, toAt, toLocal, author, approver }: CellReversal,
): Promise<{ readonly kind: 'reversed' | 'already' }> {
  await lockGate(tx);
  const { rows } = await tx.raw(
    'select credit_rollout.reverse_cutover(?::bigint, ?::timestamptz, ?, ?, ?) as reversed',
    [String(reversalId), toAt.toISOString(), toLocal, author, approver],
  );
  return { kind: rows[0].reversed ? 'reversed' : 'already' };
}

/** Whether this reversal was carried out here. */
export async function wasReversed(tx: CellTransaction, reversalId: bigint): Promise<boolean> {
  const { rows } = await tx.raw(
    'select exists (select from credit_rollout.reversals where reversal_id = ?::bigint) as found',
    [String(reversalId)],
  );
  return rows[0].found;
}

/** Why the cell refused; undefined: it was something else. */
export const readRefusal = (sqlstate: string | undefined): 'not_latched' | 'writing' | undefined =>
  Object.entries(REFUSALS).find(([state]) => state === sqlstate)?.[1];
