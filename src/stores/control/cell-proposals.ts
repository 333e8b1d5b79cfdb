// What one person proposed in a cell and another approves: numbers and hashes, nothing of an org. The database records
// who they are, and lets nobody approve his own.
import { execute, findRow } from '../query.js';
import type { ControlTransaction } from './control-database.js';

export interface CellProposal {
  /** Of the row in the cell, 64 hex digits. */
  readonly digest: string;
  readonly author: string;
  readonly approver: string | null;
  readonly state: 'proposed' | 'approved' | 'withdrawn';
}

/** Its number is that of the row in the cell. */
export interface CellProposalKey {
  readonly dataCenter: string;
  readonly kind: 'override';
  readonly proposalId: bigint;
}

const valuesOf = ({ dataCenter, kind, proposalId }: CellProposalKey) => ({
  data_center: dataCenter,
  kind,
  number: proposalId,
});

/**
 * The database fills in the author: call `identifyPerson` first. False when there is one of this number already, as
 * where a cell was set back.
 */
export async function insertCellProposal(
  tx: ControlTransaction,
  key: CellProposalKey,
  digest: string,
): Promise<boolean> {
  const inserted = await execute(
    tx,
    `insert into credit_rollout_control.cell_proposals (data_center, kind, number, digest)
     values (:data_center, :kind, :number::bigint, :digest) on conflict do nothing`,
    { ...valuesOf(key), digest },
  );
  return inserted === 1;
}

/** As the owner: registers under its author a proposal that the cell has and control has not. */
export async function adoptCellProposal(
  tx: ControlTransaction,
  key: CellProposalKey,
  { digest, author }: Pick<CellProposal, 'digest' | 'author'>,
): Promise<void> {
  await execute(
    tx,
    `insert into credit_rollout_control.cell_proposals (data_center, kind, number, digest, author)
     values (:data_center, :kind, :number::bigint, :digest, :author) on conflict do nothing`,
    { ...valuesOf(key), digest, author },
  );
}

export function findCellProposal(tx: ControlTransaction, key: CellProposalKey): Promise<CellProposal | undefined> {
  return findRow<CellProposal>(
    tx,
    `select digest, author, approver, state from credit_rollout_control.cell_proposals
     where data_center = :data_center and kind = :kind and number = :number::bigint`,
    valuesOf(key),
  );
}

/** The database fills in who approves. False when it was withdrawn, or there is none. */
export async function decideCellProposal(
  tx: ControlTransaction,
  key: CellProposalKey,
  state: 'approved' | 'withdrawn',
): Promise<boolean> {
  const decided = await execute(
    tx,
    `update credit_rollout_control.cell_proposals set state = :state
     where data_center = :data_center and kind = :kind and number = :number::bigint
       and (state = 'proposed' or state = 'approved' and :state = 'approved')`,
    { ...valuesOf(key), state },
  );
  return decided === 1;
}
