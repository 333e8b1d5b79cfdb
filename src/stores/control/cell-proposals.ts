// What one person proposed in a cell and another approves: numbers and hashes, nothing of an org. The database records
// who they are, and lets nobody approve their own.
import { execute, findRow } from '../query.js';
import type { ControlTransaction } from './control-database.js';

export interface CellProposal {
  readonly author: string;
  readonly approver: string | null;
  readonly state: 'proposed' | 'approved' | 'withdrawn';
}

/** Number and digest are those of the row in the cell: one number may come twice, after a cell was set back. */
export type CellProposalKind = 'override' | 'repair' | 'adoption' | 'undo';

export interface CellProposalKey<K extends CellProposalKind = CellProposalKind> {
  readonly dataCenter: string;
  readonly kind: K;
  readonly proposalId: bigint;
  /** 64 hex digits. */
  readonly digest: string;
}

const valuesOf = ({ dataCenter, kind, proposalId, digest }: CellProposalKey) => ({
  data_center: dataCenter,
  kind,
  number: proposalId,
  digest,
});

const WHERE = 'data_center = :data_center and kind = :kind and number = :number::bigint and digest = :digest';

/** The database fills in the author: call `identifyPerson` first. */
export async function insertCellProposal(tx: ControlTransaction, key: CellProposalKey): Promise<void> {
  await execute(
    tx,
    `insert into credit_rollout_control.cell_proposals (data_center, kind, number, digest)
     values (:data_center, :kind, :number::bigint, :digest)`,
    valuesOf(key),
  );
}

/** As the owner: registers under its author a proposal that the cell has and control has not. */
export async function adoptCellProposal(
  tx: ControlTransaction,
  key: CellProposalKey,
  { author }: Pick<CellProposal, 'author'>,
): Promise<void> {
  await execute(
    tx,
    `insert into credit_rollout_control.cell_proposals (data_center, kind, number, digest, author)
     values (:data_center, :kind, :number::bigint, :digest, :author) on conflict do nothing`,
    { ...valuesOf(key), author },
  );
}

export function findCellProposal(tx: ControlTransaction, key: CellProposalKey): Promise<CellProposal | undefined> {
  return findRow<CellProposal>(
    tx,
    `select author, approver, state from credit_rollout_control.cell_proposals where ${WHERE}`,
    valuesOf(key),
  );
}

/** The newest adoption of a data center; undefined: it never had one. */
export async function findNewestAdoption(
  tx: ControlTransaction,
  dataCenter: string,
): Promise<(CellProposal & CellProposalKey<'adoption'>) | undefined> {
  const row = await findRow<CellProposal & { readonly number: string; readonly digest: string }>(
    tx,
    `select number, digest, author, approver, state from credit_rollout_control.cell_proposals
     where data_center = :data_center and kind = 'adoption' order by number desc limit 1`,
    { data_center: dataCenter },
  );
  if (row === undefined) return undefined;
  const { number, ...known } = row;
  return { ...known, dataCenter, kind: 'adoption', proposalId: BigInt(number) };
}

/** Which copy of a cell two people adopted last: who and when, and where it was then. */
export interface AdoptedPlace {
  /** For example `in-a1`. */
  readonly adoption: string;
  readonly author: string;
  readonly approver: string;
  readonly since: Date;
  /** Null: the audit does not say it any more. */
  readonly databaseName: string | null;
  readonly systemIdentifier: string | null;
}

export function findAdoptedPlace(tx: ControlTransaction, dataCenter: string): Promise<AdoptedPlace | undefined> {
  return findRow<AdoptedPlace>(
    tx,
    `select p.name as adoption, p.author, p.approver, p.decided_at as since,
       a.details ->> 'to_database' as database_name, a.details ->> 'to_system' as system_identifier
     from (select *, data_center || '-a' || number as name from credit_rollout_control.cell_proposals
       where data_center = :data_center and kind = 'adoption' and state = 'approved' order by number desc limit 1) p
     left join lateral (select details from credit_rollout_control.audit
       where action = 'approve_adoption' and data_center = p.data_center and details ->> 'adoption' = p.name
       order by seq desc limit 1) a on true`,
    { data_center: dataCenter },
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
     where ${WHERE} and (state = 'proposed' or state = 'approved' and :state = 'approved')`,
    { ...valuesOf(key), state },
  );
  return decided === 1;
}
