// Requests of a reconciliation that accept falls beyond the limits of a night: proposed by one person, approved by
// another. Rows of the requests; the database fills in who and when, and decides who may.
import { findRow, selectRow, selectRows } from '../query.js';
import type { ControlTransaction } from './control-database.js';

export interface FallsProposal {
  /** The number of the request. */
  readonly proposalId: bigint;
  readonly dataCenter: string;
  readonly reason: string;
  readonly author: string;
  readonly proposedAt: Date;
  readonly approver: string | null;
  readonly decidedAt: Date | null;
  readonly state: 'proposed' | 'approved' | 'withdrawn';
  /** One person proposed and approved it. */
  readonly alone: boolean;
  /** The run that executes it; null: none yet. */
  readonly runId: bigint | null;
  /** Null: it is open. */
  readonly endedAt: Date | null;
}

type Stored = Omit<FallsProposal, 'proposalId' | 'runId'> & {
  readonly proposalId: string;
  readonly runId: string | null;
};

const COLUMNS = `request_id as proposal_id, data_center, coalesce(reason, '') as reason, requested_by as author,
  requested_at as proposed_at, approver, decided_at, state, alone, run_id, ended_at`;

const toProposal = (row: Stored): FallsProposal => ({
  ...row,
  proposalId: BigInt(row.proposalId),
  runId: row.runId === null ? null : BigInt(row.runId),
});

/** Call `identifyPerson` first. A second open one of a data center raises 23505. */
export async function insertFallsProposal(
  tx: ControlTransaction,
  { dataCenter, reason }: Pick<FallsProposal, 'dataCenter' | 'reason'>,
): Promise<FallsProposal> {
  const row = await selectRow<Stored>(
    tx,
    `insert into credit_rollout_control.reconcile_requests (data_center, reason, allow_falls)
     values (:data_center, :reason, true)
     returning ${COLUMNS}`,
    { data_center: dataCenter, reason },
  );
  return toProposal(row);
}

export async function findFallsProposal(
  tx: ControlTransaction,
  { dataCenter, proposalId }: Pick<FallsProposal, 'dataCenter' | 'proposalId'>,
): Promise<FallsProposal | undefined> {
  const row = await findRow<Stored>(
    tx,
    `select ${COLUMNS} from credit_rollout_control.reconcile_requests
     where data_center = :data_center and request_id = :proposal_id::bigint and allow_falls and state <> 'requested'`,
    { data_center: dataCenter, proposal_id: proposalId },
  );
  return row && toProposal(row);
}

/** Those that no run executes yet, of every data center: proposed ones first. */
export async function listWaitingFalls(tx: ControlTransaction): Promise<readonly FallsProposal[]> {
  const rows = await selectRows<Stored>(
    tx,
    `select ${COLUMNS} from credit_rollout_control.reconcile_requests
     where ended_at is null and run_id is null and state in ('proposed', 'approved')
     order by state desc, request_id`,
  );
  return rows.map(toProposal);
}

/** Undefined when it was decided already. A second open request of the data center raises 23505. */
export async function saveFallsDecision(
  tx: ControlTransaction,
  proposalId: bigint,
  state: 'approved' | 'withdrawn',
): Promise<FallsProposal | undefined> {
  const row = await findRow<Stored>(
    tx,
    `update credit_rollout_control.reconcile_requests
     set state = :state
     where request_id = :proposal_id::bigint and ended_at is null and run_id is null
       and (state = 'proposed' or :state = 'withdrawn' and state = 'approved')
     returning ${COLUMNS}`,
    { proposal_id: proposalId, state },
  );
  return row && toProposal(row);
}
