// Applies a proposed override when a second person approves it: one transaction in the cell that writes, verifies, and
// saves the rows before and after. Never writes while a run is under way there.
import { advise, command } from '../../kernel/advice.js';
import { type ProposalId, showProposalId } from '../../kernel/proposal-id.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { lockFenceShared, readFence } from '../../stores/cell/batch/fence.js';
import { findRangeEnd, verifyRule } from '../../stores/cell/batch/verification.js';
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import { hashOrgId } from '../../stores/cell/hashes.js';
import { hasOpenRun, readMovement, writeOverride } from '../../stores/cell/org/overridden-allotment.js';
import {
  beginOverride,
  completeOverride,
  digestOverride,
  findOverride,
  lockOverride,
  type OverrideRow,
} from '../../stores/cell/org/overrides.js';
import { appendAudit } from '../../stores/control/audit.js';
import { type CellProposalKey, decideCellProposal, findCellProposal } from '../../stores/control/cell-proposals.js';
import type { ControlTransaction } from '../../stores/control/control-database.js';
import { identifyPerson, type Person } from '../../stores/control/person.js';
import { sealOverride } from '../../stores/control/seals.js';
import type { Seal } from '../../stores/seal.js';
import type { EngineContext } from '../context.js';
import { getDataCenter } from '../data-center.js';
import { requireSecondPerson } from '../two-person-rule.js';
import { listDifferences } from './list-differences.js';
import type { OverrideReport } from './override-proposals.js';
import { resolveOverride } from './resolve-override.js';

/**
 * Throws override_unknown, override_decided, override_refused, same_person, data_center_busy, verification_mismatch.
 */
export async function approveOverride(
  context: Pick<EngineContext, 'control' | 'cells' | 'actor'>,
  id: ProposalId<'override'>,
  reason: string | null,
): Promise<OverrideReport> {
  const { dataCenter } = id;
  const override = showProposalId(id);
  const details = (hash: string) => ({ override, orgs: 1, org_hash: hash });
  const cell = context.cells.get(dataCenter);
  const person = await findApprover(context, dataCenter);
  const { hash, orgId, digest } = await cell.inTransaction('override', async (tx) => {
    const found = await getProposed(tx, id, person);
    return {
      orgId: found.orgId,
      hash: await hashOrgId(tx, found.orgId),
      digest: await digestOverride(tx, id.proposalId),
    };
  });
  // before the cell: control may have an approval without a change, but never a change without its approval
  const key: CellProposalKey<'override'> = { ...id, digest };
  await context.control.inTransaction(async (tx) => {
    await identifyPerson(tx, context.actor);
    await approveInControl(tx, key, person);
    await appendAudit(tx, { action: 'approve', dataCenter, reason, details: details(hash) });
  });
  // in another transaction: only what is committed is sealed
  const seal = await context.control.inTransaction((tx) => sealOverride(tx, key));
  if (seal === undefined) throw decidedMeanwhile(id);
  const report = await cell.inTransaction('override', (tx) => applyOverride(tx, id, person, seal));
  await context.control.inTransaction((tx) =>
    appendAudit(tx, { action: 'override_applied', dataCenter, reason, details: details(hash) }),
  );
  return { ...report, orgId };
}

/** Control knows who proposed exactly this; only then is the approval sealed for the cell. */
async function approveInControl(
  tx: ControlTransaction,
  key: CellProposalKey<'override'>,
  person: Person,
): Promise<void> {
  const known = await findCellProposal(tx, key);
  if (known === undefined) throw unregistered(key);
  requireSecondPerson(`The override ${showProposalId(key)}`, known.author, person);
  if (!(await decideCellProposal(tx, key, 'approved'))) throw decidedMeanwhile(key);
}

const decidedMeanwhile = (id: ProposalId<'override'>): RolloutError =>
  new RolloutError('override_decided', { message: `The override ${showProposalId(id)} was withdrawn already.` });

const unregistered = (id: ProposalId<'override'>): RolloutError =>
  new RolloutError('override_unknown', {
    message: `Control does not know who proposed the override ${showProposalId(id)} as it is in its cell.`,
    next: 'Withdraw it, and propose it again.',
  });

/** Stages in which the cell has allotments and no run writes them. */
const STAGES: readonly string[] = ['done', 'aborted', 'failed'];

async function findApprover(context: Pick<EngineContext, 'control' | 'actor'>, dataCenter: string): Promise<Person> {
  return context.control.inTransaction(async (tx) => {
    const row = await getDataCenter(tx, dataCenter);
    if (!STAGES.includes(row.stage) || row.requestedAt !== null) throw busy(dataCenter, `stage ${row.stage}`);
    return identifyPerson(tx, context.actor);
  });
}

const busy = (dataCenter: string, why: string): RolloutError =>
  new RolloutError('data_center_busy', {
    message: `An override is applied when no rollout is under way. Data center "${dataCenter}" is not idle: ${why}.`,
    next: advise`Approve it again when it is done, aborted or failed; see: ${command('status')}`,
  });

async function getProposed(tx: CellTransaction, id: ProposalId<'override'>, person: Person): Promise<OverrideRow> {
  const name = showProposalId(id);
  const found = await findOverride(tx, id.proposalId);
  if (found === undefined)
    throw new RolloutError('override_unknown', {
      message: `Data center "${id.dataCenter}" has no override ${name}.`,
    });
  if (found.state !== 'proposed')
    throw new RolloutError('override_decided', {
      message:
        `The override ${name} was ${found.state} ` +
        `already${found.approver === null ? '' : `, approved by "${found.approver}"`}.`,
    });
  requireSecondPerson(`The override ${name}`, found.author, person);
  return found;
}

async function applyOverride(
  tx: CellTransaction,
  id: ProposalId<'override'>,
  person: Person,
  seal: Seal,
): Promise<OverrideReport> {
  const { dataCenter, proposalId: overrideId } = id;
  await lockFenceShared(tx);
  const fence = await readFence(tx);
  if (fence.frozen) throw busy(dataCenter, 'it is frozen');
  if (fence.state !== 'closed') throw busy(dataCenter, 'its fence is open');
  if (await hasOpenRun(tx)) throw busy(dataCenter, 'a run is open or paused');
  await lockOverride(tx, overrideId);
  const { orgId, floor, reason, author } = await getProposed(tx, id, person);
  // it locks the org's row: read that in later statements
  await beginOverride(tx, seal);
  const decision = await resolveOverride(tx, { dataCenter, orgId, floor });
  await writeOverride(tx, overrideId, decision.after);
  await assertVerified(tx, dataCenter, orgId);
  await completeOverride(tx, overrideId);
  const named = { overrideId: showProposalId(id), dataCenter, orgId, floor, reason, author, approver: person.name };
  return { ...decision, ...named, state: 'applied', changes: listDifferences(decision.before, decision.after) };
}

/** The independent verification must accept the row, and the rule must leave it as it is. */
async function assertVerified(tx: CellTransaction, dataCenter: string, orgId: string): Promise<void> {
  const range = { lowerId: orgId, upperId: await findRangeEnd(tx, orgId, { size: 1, mode: 'careful' }) };
  const { broken } = await verifyRule(tx, range);
  if (broken.length > 0)
    throw new RolloutError('verification_mismatch', {
      message: `The row of the override breaks the rule in data center "${dataCenter}"; nothing was written.`,
    });
  const movement = await readMovement(tx, orgId);
  if (movement !== 'same')
    throw new RolloutError('conflict', {
      message:
        `The org changed while its override was applied in data center "${dataCenter}" ` +
        `(${movement ?? 'undecidable'}); nothing was written.`,
      next: 'Approve it again.',
    });
}
