// Lists the branches that no golden case of a card covers. A case covers the branch of its decision, whatever its name.
import { branchKey, branchOf } from '../plan/branch.js';
import type { Branch } from '../plan/plan-report.js';
import type { RateCard } from '../rate-card/rate-card.js';
import { decideCase } from './check-rate-card.js';
import { listPossibleBranches } from './list-possible-branches.js';

/** An edition's branches under a first decision, and those that no case covers. */
export interface EditionCoverage {
  readonly edition: string;
  /** How many branches the card can produce. */
  readonly branches: number;
  readonly uncovered: readonly Branch[];
}

/** One entry per edition, in the card's order. A case that cannot be decided covers nothing. */
export function listUncoveredBranches(card: RateCard): readonly EditionCoverage[] {
  const taken = new Set(card.cases.flatMap((one) => (one.kind === 'org' ? keysOf(decideCase(card, one.org)) : [])));
  const possible = listPossibleBranches(card);
  return [...card.editions.keys()].map((edition) => {
    const branches = possible.filter((branch) => branch.edition === edition);
    const uncovered = branches.filter((branch) => !taken.has(branchKey(branch)));
    return { edition, branches: branches.length, uncovered };
  });
}

function keysOf(decision: ReturnType<typeof decideCase>): readonly string[] {
  return decision.kind === 'quarantine' ? [] : [branchKey(branchOf(decision.allotment))];
}
