// Which floors are proposed from measured usage: for paid orgs whose busiest day was above their total, or who were
// refused or would have been, so much that the day leaves a fifth of it unused. Never outside the guard-rails, never
// for a protected org.
import type { GuardRails } from '../config/rollout-config.js';
import { exceeds, toFraction } from '../plan/fraction.js';
import { type MeasuredPlan, readGuardRails } from '../plan/guard-rails.js';

/** What is known of a paid org on credits. */
export interface MeasuredOrg {
  readonly orgId: string;
  readonly edition: string;
  /** Credits used on the busiest of the last 30 whole days. */
  readonly peak: bigint;
  /** Calls refused in the last 30 days for the credits of a day, under credits. */
  readonly refused: bigint;
  /** Calls of the same time that were served in shadow and would have been refused. */
  readonly wouldBeRefused: bigint;
  readonly floor: bigint | null;
  /** Base + variable. */
  readonly planCredits: bigint;
  readonly additional: bigint;
  readonly total: bigint;
  readonly isProtected: boolean;
  readonly hasProposal: boolean;
}

export const LEFT_OUT = ['enough', 'protected', 'proposed', 'factor', 'floor_over_plan', 'rails'] as const;
export type LeftOut = (typeof LEFT_OUT)[number];

export interface FloorProposals {
  /** In the order in which they were given. */
  readonly proposals: readonly (MeasuredOrg & { readonly proposedFloor: bigint })[];
  readonly left: readonly (MeasuredOrg & { readonly proposedFloor: bigint; readonly why: LeftOut })[];
}

/** All allotments of the data center: orgs, and the sum of their totals. */
export interface CellTotals {
  readonly orgs: number;
  readonly total: bigint;
}

export function proposeFloors(orgs: readonly MeasuredOrg[], totals: CellTotals, rails: GuardRails): FloorProposals {
  const proposals: FloorProposals['proposals'][number][] = [];
  const left: FloorProposals['left'][number][] = [];
  let raised = 0n;
  for (const org of orgs) {
    const proposedFloor = floorFor(org);
    const raise = proposedFloor + org.additional - org.total;
    const why =
      leaveOut(org, proposedFloor, rails) ??
      (isInside({ totals, touched: proposals.length + 1, raised: raised + raise }, rails) ? null : 'rails');
    if (why === null) {
      proposals.push({ ...org, proposedFloor });
      raised += raise;
    } else left.push({ ...org, proposedFloor, why });
  }
  return { proposals, left };
}

/** The busiest day and a fifth more, without purchases, rounded up to a thousand. */
function floorFor({ peak, additional }: Pick<MeasuredOrg, 'peak' | 'additional'>): bigint {
  const needed = (peak * 6n + 4n) / 5n - additional;
  return needed <= 0n ? 0n : ((needed + 999n) / 1_000n) * 1_000n;
}

function leaveOut(org: MeasuredOrg, floor: bigint, rails: GuardRails): LeftOut | null {
  if (floor + org.additional <= org.total) return 'enough';
  if (org.hasProposal) return 'proposed';
  if (org.isProtected) return 'protected';
  if (isAbove(floor + org.additional, org.total, rails.maxRaiseFactor)) return 'factor';
  return isAbove(floor, org.planCredits, rails.floorOverPlan) ? 'floor_over_plan' : null;
}

const isAbove = (value: bigint, of: bigint, limit: number | undefined): boolean =>
  limit !== undefined && exceeds({ numerator: value, denominator: of > 1n ? of : 1n }, toFraction(limit));

interface Raises {
  readonly totals: CellTotals;
  readonly touched: number;
  readonly raised: bigint;
}

/** The guard-rails of a plan that would do all of it at once. */
function isInside({ totals, touched, raised }: Raises, rails: GuardRails): boolean {
  const plan: MeasuredPlan = {
    orgs: totals.orgs,
    touched,
    paidFalling: 0,
    quarantined: 0,
    protectedTouched: 0,
    before: String(totals.total),
    after: String(totals.total + raised),
    maxRaiseFactor: null,
    maxFloorOverPlan: null,
  };
  return readGuardRails(plan, rails).every(({ passes }) => passes);
}
