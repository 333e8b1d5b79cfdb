// Proposes floors for paid orgs whose usage shows that their total is too small: ordinary overrides, each approved by a
// second person. Nothing is changed before that.

import type { GuardRails } from '../../domain/config/rollout-config.js';
import { type FloorProposals, proposeFloors } from '../../domain/usage/propose-floors.js';
import { isRolloutError } from '../../kernel/rollout-error.js';
import { listShortMeasuredOrgs, sumAllotments } from '../../stores/cell/usage/measured-orgs.js';
import type { EngineContext } from '../context.js';
import { proposeOverride } from '../org/override-proposals.js';

/** It reads the last 30 days of every org. */
const STATEMENT_MS = 120_000;

export interface UsageQuestion {
  readonly dataCenter: string;
  readonly rails: GuardRails;
  /** At most so many orgs are looked at. */
  readonly limit: number;
}

type Proposal = FloorProposals['proposals'][number];

export interface UsageProposals {
  readonly dataCenter: string;
  /** Whether they were proposed, or only shown. */
  readonly executed: boolean;
  readonly proposals: readonly (Proposal & {
    /** For example `in-o3`; null: not proposed. */
    readonly override: string | null;
    /** Why the rule refuses it; null: it does not, or was not asked. */
    readonly refusal: string | null;
  })[];
  readonly left: FloorProposals['left'];
}

/** Shows what would be proposed; with a reason it is. One that the rule refuses does not stop the others. */
export async function proposeFromUsage(
  context: Pick<EngineContext, 'control' | 'cells' | 'actor'>,
  { dataCenter, rails, limit }: UsageQuestion,
  reason: string | null,
): Promise<UsageProposals> {
  const { orgs, totals } = await context.cells
    .get(dataCenter)
    .inTransaction(
      'override',
      async (tx) => ({ orgs: await listShortMeasuredOrgs(tx, limit), totals: await sumAllotments(tx) }),
      { statementMs: STATEMENT_MS },
    );
  const { proposals, left } = proposeFloors(orgs, totals, rails);
  const made: UsageProposals['proposals'][number][] = [];
  for (const proposal of proposals) made.push({ ...proposal, ...(await propose(proposal)) });
  return { dataCenter, executed: reason !== null, proposals: made, left };

  async function propose({ orgId, proposedFloor: floor }: Proposal): Promise<{
    override: string | null;
    refusal: string | null;
  }> {
    if (reason === null) return { override: null, refusal: null };
    try {
      const { overrideId } = await proposeOverride(context, { dataCenter, orgId, floor, reason });
      return { override: overrideId, refusal: null };
    } catch (error) {
      if (isRolloutError(error) && REFUSALS.includes(error.code)) return { override: null, refusal: error.message };
      throw error;
    }
  }
}

const REFUSALS: readonly string[] = ['override_refused', 'override_open', 'conflict'];
