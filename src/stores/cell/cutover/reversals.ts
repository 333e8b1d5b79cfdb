// Cut-overs of a cell that were reversed: the instants that were in force until then. Append-only; only the owner's
// function writes.
import type { ReversedPeriod } from '../../../domain/org/decide-floor.js';
import { selectRow, selectRows } from '../../query.js';
import type { Seal } from '../../seal.js';
import type { CellTransaction } from '../cell-database.js';
import { lockGate } from './gate.js';

export interface ReversedCutover extends ReversedPeriod {
  readonly armedAt: Date;
  readonly latchedAt: Date;
  /** Null: it was reversed before its sweep ended. */
  readonly sweptAt: Date | null;
}

/** The oldest first. */
export function listReversedCutovers(tx: CellTransaction): Promise<readonly ReversedCutover[]> {
  return selectRows<ReversedCutover>(
    tx,
    `select effective_at, reversed_at, armed_at, latched_at, swept_at
     from credit_rollout.reversals order by reversed_at`,
  );
}

/**
 * Reverses a latched cut-over, as control sealed it; sign-ups are legacy from the commit on. `already`: this reversal
 * was executed before. Throws 55P03 while a sign-up that has asked the gate has not ended, and what
 * `readReversalRejection` and `readSealFailure` read.
 */
export async function reverseCutover(
  tx: CellTransaction,
  seal: Seal,
): Promise<{ readonly kind: 'reversed' | 'already' }> {
  await lockGate(tx, 'queues');
  const { reversed } = await selectRow<{ readonly reversed: boolean }>(
    tx,
    'select credit_rollout.reverse_cutover(:seal::jsonb) as reversed',
    { seal },
  );
  return { kind: reversed ? 'reversed' : 'already' };
}

/** Whether this reversal was executed here. */
export async function wasReversed(tx: CellTransaction, reversalId: bigint): Promise<boolean> {
  const { found } = await selectRow<{ found: boolean }>(
    tx,
    'select exists (select from credit_rollout.reversals where reversal_id = :reversal_id::bigint) as found',
    { reversal_id: reversalId },
  );
  return found;
}

const REJECTIONS = { '55000': 'not_latched', '55006': 'writing' } as const;

/** Why the cell rejected a reversal; `writing`: the fence is open. Undefined: the error is another one. */
export const readReversalRejection = (sqlstate: string | undefined): 'not_latched' | 'writing' | undefined =>
  Object.entries(REJECTIONS).find(([state]) => state === sqlstate)?.[1];
