// Takes back a proposal that nobody has approved yet: it changed nothing, and its org may get another one.
import { showProposalId } from '../../kernel/proposal-id.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { hashOrgId } from '../../stores/cell/hashes.js';
import { findOpenOverride, withdrawOpenOverride } from '../../stores/cell/org/overrides.js';
import { appendAudit } from '../../stores/control/audit.js';
import type { EngineContext } from '../context.js';
import { getOrgId } from './find-org.js';

export interface Withdrawal {
  readonly dataCenter: string;
  readonly orgId: string;
  readonly reason: string;
}

/** Returns the id, for example `in-o3`. Throws invalid_org_id, override_unknown when the org has no open one. */
export async function withdrawOverride(
  context: Pick<EngineContext, 'control' | 'cells' | 'actor'>,
  { dataCenter, orgId, reason }: Withdrawal,
): Promise<string> {
  const { overrideId, hash } = await context.cells.get(dataCenter).inTransaction('worker', async (tx) => {
    const id = await getOrgId(tx, { dataCenter, orgId });
    const open = await findOpenOverride(tx, id);
    if (open === undefined || !(await withdrawOpenOverride(tx, open.overrideId)))
      throw new RolloutError('override_unknown', {
        message: `The org has no override in data center "${dataCenter}" that waits for its approval.`,
      });
    return { overrideId: open.overrideId, hash: await hashOrgId(tx, id) };
  });
  const shown = showProposalId({ kind: 'override', dataCenter, proposalId: overrideId });
  const details = { override: shown, orgs: 1, org_hash: hash };
  await context.control.inTransaction((tx) =>
    appendAudit(tx, { actor: context.actor, action: 'override_withdrawn', dataCenter, reason, details }),
  );
  return shown;
}
