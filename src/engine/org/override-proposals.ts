// Proposes another floor for one org, and withdraws such a proposal: a row in its cell, which changes nothing until a
// second person approves it.
import { advise, command } from '../../kernel/advice.js';
import { showProposalId } from '../../kernel/proposal-id.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import { hashOrgId } from '../../stores/cell/hashes.js';
import {
  digestOverride,
  findOpenOverride,
  insertOverride,
  withdrawOpenOverride,
} from '../../stores/cell/org/overrides.js';
import { isOrgKnown } from '../../stores/cell/org/protected-orgs.js';
import { appendAudit } from '../../stores/control/audit.js';
import { decideCellProposal, findCellProposal, insertCellProposal } from '../../stores/control/cell-proposals.js';
import { identifyPerson } from '../../stores/control/person.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import type { EngineContext } from '../context.js';
import { getOrgId, orgNotFound } from './find-org.js';
import { type AllotmentDifference, listDifferences } from './list-differences.js';
import { type OverrideDecision, type OverrideQuestion, resolveOverride } from './resolve-override.js';

export interface OverrideProposal extends OverrideQuestion {
  readonly reason: string;
}

export interface OverrideReport extends OverrideProposal, OverrideDecision {
  /** For example `in-o3`. */
  readonly overrideId: string;
  readonly state: 'proposed' | 'applied';
  readonly author: string;
  readonly approver: string | null;
  /** What differs between `before` and `after`, by the columns of the table. */
  readonly changes: readonly AllotmentDifference[];
}

/** One org of a source without an index on org_id is a scan. */
const STATEMENT_MS = 30_000;

/**
 * Throws invalid_org_id, org_not_found, override_refused, override_open, conflict. `also` runs in the transaction that
 * stores it, with its number.
 */
export async function proposeOverride(
  context: Pick<EngineContext, 'control' | 'cells' | 'actor'>,
  proposal: OverrideProposal,
  also: (tx: CellTransaction, overrideId: bigint) => Promise<void> = async () => undefined,
): Promise<OverrideReport> {
  const { dataCenter, reason, floor } = proposal;
  try {
    const { name: author } = await context.control.inTransaction((tx) => identifyPerson(tx, context.actor));
    const { hash, digest, proposalId, isRepeated, ...report } = await context.cells.get(dataCenter).inTransaction(
      'override',
      async (tx) => {
        const orgId = await getOrgId(tx, proposal);
        if (!(await isOrgKnown(tx, orgId))) throw orgNotFound(proposal);
        const open = await findOpenOverride(tx, orgId);
        const isRepeated = open !== undefined && open.floor === floor;
        if (open !== undefined && !isRepeated) throw alreadyOpen(nameOverride(dataCenter, open.overrideId));
        const decision = await resolveOverride(tx, { ...proposal, orgId });
        const number = open?.overrideId ?? (await insertOverride(tx, { ...proposal, orgId, author }));
        if (!isRepeated) await also(tx, number);
        return {
          isRepeated,
          ...decision,
          proposalId: number,
          overrideId: nameOverride(dataCenter, number),
          orgId,
          hash: await hashOrgId(tx, orgId),
          digest: await digestOverride(tx, number),
        };
      },
      { statementMs: STATEMENT_MS },
    );
    const details = { override: report.overrideId, orgs: 1, org_hash: hash };
    await context.control.inTransaction(async (tx) => {
      await identifyPerson(tx, context.actor);
      const key = { dataCenter, kind: 'override', proposalId, digest } as const;
      // the first time it may have failed between the cell and control
      if (isRepeated && (await findCellProposal(tx, key)) !== undefined) throw alreadyOpen(report.overrideId);
      await insertCellProposal(tx, key);
      await appendAudit(tx, { action: 'override', dataCenter, reason, details });
    });
    const changes = listDifferences(report.before, report.after);
    return { ...report, dataCenter, floor, reason, state: 'proposed', author, approver: null, changes };
  } catch (error) {
    throw explainProposal(error, dataCenter);
  }
}

const nameOverride = (dataCenter: string, proposalId: bigint): string =>
  showProposalId({ kind: 'override', dataCenter, proposalId });

const alreadyOpen = (overrideId: string): RolloutError =>
  new RolloutError('override_open', {
    message: `The org has the override ${overrideId}, which waits for its approval.`,
    next: advise`Let a second person run: ${command`approve ${overrideId}`}`,
  });

function explainProposal(error: unknown, dataCenter: string): unknown {
  if (classifyFailure(error).object !== 'overrides_open_idx') return error;
  return new RolloutError('conflict', {
    message: `Data center "${dataCenter}": somebody else proposed an override for this org at the same moment.`,
    cause: error,
  });
}

export interface Withdrawal {
  readonly dataCenter: string;
  readonly orgId: string;
  readonly reason: string;
}

/** Returns the id, for example `in-o3`. Throws invalid_org_id, override_unknown when the org has no open override. */
export async function withdrawOverride(
  context: Pick<EngineContext, 'control' | 'cells' | 'actor'>,
  { dataCenter, orgId, reason }: Withdrawal,
): Promise<string> {
  const { proposalId, hash, digest } = await context.cells.get(dataCenter).inTransaction('override', async (tx) => {
    const id = await getOrgId(tx, { dataCenter, orgId });
    const open = await findOpenOverride(tx, id);
    if (open === undefined || !(await withdrawOpenOverride(tx, open.overrideId)))
      throw new RolloutError('override_unknown', {
        message: `The org has no override in data center "${dataCenter}" that waits for its approval.`,
      });
    return {
      proposalId: open.overrideId,
      hash: await hashOrgId(tx, id),
      digest: await digestOverride(tx, open.overrideId),
    };
  });
  const override = nameOverride(dataCenter, proposalId);
  const details = { override, orgs: 1, org_hash: hash };
  await context.control.inTransaction(async (tx) => {
    await decideCellProposal(tx, { dataCenter, kind: 'override', proposalId, digest }, 'withdrawn');
    await appendAudit(tx, { action: 'override_withdrawn', dataCenter, reason, details });
  });
  return override;
}
