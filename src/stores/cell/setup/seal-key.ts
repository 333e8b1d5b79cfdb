// The key that this cell shares with control. Only the owner reads and writes it.
import { execute, selectRow } from '../../query.js';
import type { CellTransaction } from '../cell-database.js';

/** Two halves, in hex. */
export interface CellSealKey {
  readonly innerPad: string;
  readonly outerPad: string;
}

/** Saves control's key; false when the cell has it already. */
export async function saveSealKey(tx: CellTransaction, { innerPad, outerPad }: CellSealKey): Promise<boolean> {
  const saved = await execute(
    tx,
    `insert into credit_rollout.seal_key (inner_pad, outer_pad)
     values (decode(:inner_pad, 'hex'), decode(:outer_pad, 'hex'))
     on conflict (only_row) do update
       set inner_pad = excluded.inner_pad, outer_pad = excluded.outer_pad, made_at = clock_timestamp()
     where (seal_key.inner_pad, seal_key.outer_pad) is distinct from (excluded.inner_pad, excluded.outer_pad)`,
    { inner_pad: innerPad, outer_pad: outerPad },
  );
  return saved === 1;
}

/** A number that control knows is not given again, as after our schema was made anew. */
export async function raisePlanNumbers(tx: CellTransaction, newest: bigint): Promise<void> {
  await execute(
    tx,
    `select setval('credit_rollout.plan_ids', :newest::bigint)
     from credit_rollout.plan_ids s
     where :newest::bigint > case when s.is_called then s.last_value else 0 end`,
    { newest },
  );
}

/** Shows whether control has the same key, and nothing of it; null: the cell has none. */
export async function readCellFingerprint(tx: CellTransaction): Promise<string | null> {
  const { fingerprint } = await selectRow<{ readonly fingerprint: string | null }>(
    tx,
    'select credit_rollout.seal_key_fingerprint() as fingerprint',
  );
  return fingerprint;
}
