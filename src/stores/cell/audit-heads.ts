// Heads of the chain over control's audit that this cell keeps: what control must still have. Numbers and hashes only.
import type { ChainHead } from '../../domain/operate/verify-chain.js';
import { findRow, selectRow, selectRows } from '../query.js';
import type { Seal } from '../seal.js';
import type { CellTransaction } from './cell-database.js';

interface Stored {
  readonly link: string;
  readonly hash: string;
  readonly keptAt: Date;
}

/** A head, and when the cell got it. */
type KeptHead = ChainHead & Pick<Stored, 'keptAt'>;

const HEADS = 'select link, hash, kept_at from credit_rollout.audit_heads order by link';

const toHead = ({ link, ...row }: Stored): KeptHead => ({ ...row, link: BigInt(link) });

/** The oldest first. */
export async function listAuditHeads(tx: CellTransaction): Promise<readonly KeptHead[]> {
  return (await selectRows<Stored>(tx, HEADS)).map(toHead);
}

/** Undefined: it keeps none yet. */
export async function findNewestAuditHead(tx: CellTransaction): Promise<KeptHead | undefined> {
  const row = await findRow<Stored>(tx, `${HEADS} desc limit 1`);
  return row && toHead(row);
}

/** False: what it keeps is as new. Raises what `readSealFailure` reads. */
export async function recordAuditHead(tx: CellTransaction, seal: Seal): Promise<boolean> {
  const { recorded } = await selectRow<{ readonly recorded: boolean }>(
    tx,
    'select credit_rollout.keep_audit_head(:seal::jsonb) as recorded',
    { seal },
  );
  return recorded;
}
