// Branches: which branch a decision is in, the key of a branch, and their order. Holds no org.
import type { Allotment } from '../org/allotment.js';
import type { Branch } from './plan-report.js';

/** The parts of a decision that determine its branch. */
export type BranchSource = Pick<
  Allotment,
  'edition' | 'paid' | 'winner' | 'additionalCredits' | 'lightAgents' | 'negotiatedLimit'
>;

/** The branch of a decided org; its allotment holds the inputs that it was computed from. */
export function branchOf(allotment: BranchSource): Branch {
  return {
    edition: allotment.edition,
    paid: allotment.paid,
    winner: allotment.winner,
    purchased: allotment.additionalCredits > 0n,
    lightAgents: allotment.lightAgents > 0n,
    negotiated: allotment.negotiatedLimit !== null,
  };
}

/** A key for maps: equal for equal branches only. */
export function branchKey({ edition, paid, winner, purchased, lightAgents, negotiated }: Branch): string {
  return JSON.stringify([edition, paid, winner, purchased, lightAgents, negotiated]);
}

/** By edition, then paid before unpaid, credits before legacy, and what an org lacks before what it has. */
export function compareBranches(one: Branch, other: Branch): number {
  if (one.edition !== other.edition) return one.edition < other.edition ? -1 : 1;
  return place(one) - place(other);
}

/** The order within an edition as a number: the first difference decides. */
function place({ paid, winner, purchased, lightAgents, negotiated }: Branch): number {
  const bits = [!paid, winner === 'legacy', purchased, lightAgents, negotiated];
  return bits.reduce((sum, bit) => sum * 2 + (bit ? 1 : 0), 0);
}
