// Sums of a plan's branches: of all, by edition, and of purchases. Sums are exact: decimal text in, decimal text out.
import type { Branch, BranchCount } from './plan-report.js';

/** The sum of some branches. */
export type BranchSum = Omit<BranchCount, keyof Branch>;

export interface EditionSum extends BranchSum {
  readonly edition: string;
  readonly paid: number;
  readonly legacyWins: number;
  /** Unpaid orgs whose capacity falls. */
  readonly unpaidFalling: number;
}

export function sumBranches(branches: readonly BranchCount[]): BranchSum {
  const count = (column: 'orgs' | 'first' | 'raises' | 'falls' | 'falling'): number =>
    branches.reduce((sum, branch) => sum + branch[column], 0);
  const credits = (column: 'before' | 'after' | 'planCredits' | 'grandfathered'): string =>
    String(branches.reduce((sum, branch) => sum + BigInt(branch[column]), 0n));
  return {
    orgs: count('orgs'),
    first: count('first'),
    raises: count('raises'),
    falls: count('falls'),
    falling: count('falling'),
    before: credits('before'),
    after: credits('after'),
    planCredits: credits('planCredits'),
    grandfathered: credits('grandfathered'),
  };
}

/** The sum of each edition of the decided orgs, by name. */
export function groupEditions(branches: readonly BranchCount[]): readonly EditionSum[] {
  const names = [...new Set(branches.map(({ edition }) => edition))].sort();
  return names.map((edition) => {
    const own = branches.filter((branch) => branch.edition === edition);
    const unpaid = sumBranches(own.filter(({ paid }) => !paid));
    return {
      edition,
      ...sumBranches(own),
      paid: sumBranches(own.filter(({ paid }) => paid)).orgs,
      legacyWins: sumBranches(own.filter(({ winner }) => winner === 'legacy')).orgs,
      unpaidFalling: unpaid.falling,
    };
  });
}

/** Per edition: an unpaid org never keeps its legacy number, so eight of the 32 combinations cannot occur. */
const MAX_BRANCHES_PER_EDITION = 24;

/** How many branches occur, and how many could occur with the editions that occur. */
export function countBranches(branches: readonly BranchCount[]): { readonly present: number; readonly most: number } {
  const present = branches.filter(({ orgs }) => orgs > 0);
  return {
    present: present.length,
    most: new Set(present.map(({ edition }) => edition)).size * MAX_BRANCHES_PER_EDITION,
  };
}

/** Purchases: what is granted beyond the rate card and the top-ups. */
export const sumPurchases = ({ after, planCredits, grandfathered }: BranchSum): string =>
  String(BigInt(after) - BigInt(planCredits) - BigInt(grandfathered));
