// Seals: what the rows of control say about an action, for the cell that checks it. Each function of the database
// makes the seal of one kind of action, and only of what was approved.
import { execute, selectRow } from '../query.js';
import type { Seal } from '../seal.js';
import type { CellProposalKey } from './cell-proposals.js';
import type { ControlTransaction } from './control-database.js';

interface SealRow {
  readonly seal: Seal | null;
}

/** Of an open run whose plan has a used approval, as it was committed; undefined: there is none. */
export async function sealRun(tx: ControlTransaction, runId: bigint): Promise<Seal | undefined> {
  const row = await selectRow<SealRow>(tx, 'select credit_rollout_control.seal_run(:run_id::bigint)::text as seal', {
    run_id: runId,
  });
  return row.seal ?? undefined;
}

/** Of an open nightly run or sweep, with its limits; undefined: it is not open. */
export async function sealMaintenance(tx: ControlTransaction, runId: bigint): Promise<Seal | undefined> {
  const row = await selectRow<SealRow>(
    tx,
    'select credit_rollout_control.seal_maintenance(:run_id::bigint)::text as seal',
    { run_id: runId },
  );
  return row.seal ?? undefined;
}

/** Of the checks that an open run has now; undefined: it is not open, or began with an earlier version. */
export async function sealOpenChecks(tx: ControlTransaction, runId: bigint): Promise<Seal | undefined> {
  const row = await selectRow<SealRow>(tx, 'select credit_rollout_control.seal_checks(:run_id::bigint)::text as seal', {
    run_id: runId,
  });
  return row.seal ?? undefined;
}

/** Of the open run of an undo, in a data center that is being undone; undefined: there is none. */
export async function sealUndo(tx: ControlTransaction, runId: bigint): Promise<Seal | undefined> {
  const row = await selectRow<SealRow>(tx, 'select credit_rollout_control.seal_undo(:run_id::bigint)::text as seal', {
    run_id: runId,
  });
  return row.seal ?? undefined;
}

/** Of how long the policy keeps plans and findings of nights. */
export async function sealRetention(tx: ControlTransaction, dataCenter: string): Promise<Seal> {
  const row = await selectRow<{ readonly seal: Seal }>(
    tx,
    'select credit_rollout_control.seal_retention(:data_center)::text as seal',
    { data_center: dataCenter },
  );
  return row.seal;
}

/** Of the head of the audit's chain, as it was committed; undefined: nothing was recorded yet. */
export async function sealAuditHead(tx: ControlTransaction, dataCenter: string): Promise<Seal | undefined> {
  const row = await selectRow<SealRow>(
    tx,
    'select credit_rollout_control.seal_audit_head(:data_center)::text as seal',
    { data_center: dataCenter },
  );
  return row.seal ?? undefined;
}

/** Of the pinned instant of a data center; undefined: none is pinned. */
export async function sealCutover(tx: ControlTransaction, dataCenter: string): Promise<Seal | undefined> {
  const row = await selectRow<SealRow>(tx, 'select credit_rollout_control.seal_cutover(:data_center)::text as seal', {
    data_center: dataCenter,
  });
  return row.seal ?? undefined;
}

/** Of a reversal that a second person approved, in this transaction or before; undefined: nobody has. */
export async function sealReversal(tx: ControlTransaction, reversalId: bigint): Promise<Seal | undefined> {
  const row = await selectRow<SealRow>(
    tx,
    'select credit_rollout_control.seal_reversal(:reversal_id::bigint)::text as seal',
    { reversal_id: reversalId },
  );
  return row.seal ?? undefined;
}

/**
 * Of an override that a second person approved within the last hour, in a transaction before this one; undefined:
 * nobody has.
 */
export const sealOverride = (tx: ControlTransaction, key: CellProposalKey): Promise<Seal | undefined> =>
  sealCellProposal(tx, key, 'override');

/** Likewise of a repair. */
export const sealRepair = (tx: ControlTransaction, key: CellProposalKey): Promise<Seal | undefined> =>
  sealCellProposal(tx, key, 'repair');

/** Likewise of an undo in which paid orgs fall. */
export const sealUndoApproval = (tx: ControlTransaction, key: CellProposalKey): Promise<Seal | undefined> =>
  sealCellProposal(tx, key, 'undo');

/** Likewise of an adoption. */
export const sealAdoption = (tx: ControlTransaction, key: CellProposalKey): Promise<Seal | undefined> =>
  sealCellProposal(tx, key, 'adoption');

async function sealCellProposal(
  tx: ControlTransaction,
  { dataCenter, proposalId, digest }: CellProposalKey,
  kind: CellProposalKey['kind'],
): Promise<Seal | undefined> {
  const row = await selectRow<SealRow>(
    tx,
    `select credit_rollout_control.seal_cell_proposal(
       :data_center, :kind, :proposal_id::bigint, :digest)::text as seal`,
    { data_center: dataCenter, kind, proposal_id: proposalId, digest },
  );
  return row.seal ?? undefined;
}

/** The key that a data center shares with control: two halves, in hex. Only the owner reads it. */
export interface SealKey {
  readonly innerPad: string;
  readonly outerPad: string;
}

/** The key of a data center; makes one where there is none. `new`: makes another one. As the owner. */
export async function getSealKey(
  tx: ControlTransaction,
  dataCenter: string,
  which: 'existing' | 'new',
): Promise<SealKey> {
  const values = { data_center: dataCenter };
  if (which === 'new')
    await execute(tx, 'delete from credit_rollout_control.seal_keys where data_center = :data_center', values);
  await execute(tx, 'select credit_rollout_control.make_seal_key(:data_center)', values);
  return selectRow<SealKey>(
    tx,
    `select encode(inner_pad, 'hex') as inner_pad, encode(outer_pad, 'hex') as outer_pad
     from credit_rollout_control.seal_keys where data_center = :data_center`,
    values,
  );
}

/** Shows whether a cell has the same key, and nothing of it; null: the data center has none. */
export async function readControlFingerprint(tx: ControlTransaction, dataCenter: string): Promise<string | null> {
  const { fingerprint } = await selectRow<{ readonly fingerprint: string | null }>(
    tx,
    'select credit_rollout_control.seal_key_fingerprint(:data_center) as fingerprint',
    { data_center: dataCenter },
  );
  return fingerprint;
}
