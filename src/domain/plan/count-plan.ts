// Computes a plan's counts from the counts of its branches. Sums are exact, whatever their size. Never holds an org.
import type { BranchCount, PlanCounts } from './plan-report.js';

/** Counts that the branches do not contain. */
export interface PlanRest
  extends Pick<
    PlanCounts,
    'quarantined' | 'maxRaiseFactor' | 'maxFloorOverPlan' | 'protectedTouched' | 'staleLeftOut'
  > {
  /** The card's `unpaid`. */
  readonly unpaidEdition: string;
  /**
   * Paid orgs that a write would lower. Left out: every paid org whose capacity falls, those that the nightly run will
   * lower included.
   */
  readonly paidFalling?: number | undefined;
}

type Choice = (branch: BranchCount) => boolean;
type CountColumn = 'orgs' | 'first' | 'raises' | 'falls' | 'falling';
type SumColumn = 'before' | 'after' | 'planCredits' | 'grandfathered';

/** `orgs` are all that were read, those in quarantine included; sums are of the decided ones. */
export function countPlan(branches: readonly BranchCount[], rest: PlanRest): PlanCounts {
  const { unpaidEdition, paidFalling, ...given } = rest;
  const count = (column: CountColumn, pick: Choice = () => true): number =>
    branches.filter(pick).reduce((sum, branch) => sum + branch[column], 0);
  const sum = (column: SumColumn): string =>
    String(branches.reduce((total, branch) => total + BigInt(branch[column]), 0n));
  const decided = count('orgs');
  const touched = count('first') + count('raises');
  return {
    ...given,
    orgs: decided + rest.quarantined,
    first: count('first'),
    raises: count('raises'),
    falls: count('falls'),
    unchanged: decided - touched - count('falls'),
    touched,
    legacyWins: count('orgs', ({ winner }) => winner === 'legacy'),
    paidFalling: paidFalling ?? count('falling', ({ paid }) => paid),
    unpaidFalling: count('falling', ({ paid }) => !paid),
    traps: count('orgs', (branch) => isTrap(branch, unpaidEdition)),
    before: sum('before'),
    after: sum('after'),
    planCredits: sum('planCredits'),
    grandfathered: sum('grandfathered'),
  };
}

/** An unpaid org with a paid edition or a negotiated limit: it may be sponsored, internal, or paid elsewhere. */
function isTrap({ paid, edition, negotiated }: BranchCount, unpaidEdition: string): boolean {
  return !paid && (edition !== unpaidEdition || negotiated);
}
