// Lists every branch that a first decision under a card can be in. Runs the rule on orgs of chosen sizes; never
// restates it.
import { branchKey, branchOf, compareBranches } from '../plan/branch.js';
import type { Branch } from '../plan/plan-report.js';
import type { CaseOrg, EditionRates, RateCard } from '../rate-card/rate-card.js';
import { decideCase } from './check-rate-card.js';

/** In the card's order of editions, then as compareBranches orders them. */
export function listPossibleBranches(card: RateCard): readonly Branch[] {
  return [...card.editions.values()].flatMap((rates) => listEditionBranches(card, rates));
}

function listEditionBranches(card: RateCard, rates: EditionRates): readonly Branch[] {
  const branches = new Map<string, Branch>();
  for (const org of listProbeOrgs(rates)) {
    const decision = decideCase(card, org);
    if (decision.kind === 'quarantine') continue;
    const branch = branchOf(decision.allotment);
    branches.set(branchKey(branch), branch);
  }
  return [...branches.values()].sort(compareBranches);
}

function listProbeOrgs(rates: EditionRates): readonly CaseOrg[] {
  const { agents, lightAgents } = listProbeSizes(rates);
  const shapes = agents.flatMap((full) => lightAgents.map((light) => ({ agents: full, lightAgents: light })));
  return shapes.flatMap((shape) =>
    [true, false].flatMap((paid) =>
      [0n, 1n].flatMap((additionalCredits) =>
        // one above the base wins over the credits of an org without agents
        [null, 0n, rates.base + 1n].map((negotiatedLimit) => ({
          edition: rates.edition,
          paid,
          ...shape,
          additionalCredits,
          negotiatedLimit,
        })),
      ),
    ),
  );
}

/**
 * Legacy exceeds credits by the most with no agents, or near the size at which it reaches its maximum: it grows
 * linearly up to there. Credits exceed legacy by the most with no agents, or where variable credits alone reach that
 * maximum. Light agents raise the legacy limit without raising the credits.
 */
function listProbeSizes({ perAgent, legacy }: EditionRates): {
  readonly agents: readonly bigint[];
  readonly lightAgents: readonly bigint[];
} {
  const greatest = legacy.kind === 'flat' ? legacy.flat : legacy.max;
  const beyond = perAgent === 0n ? [] : [divideUp(greatest, perAgent)];
  if (legacy.kind === 'flat' || legacy.perUser === 0n) return { agents: [0n, ...beyond], lightAgents: [0n, 1n] };
  const { perUser, max } = legacy;
  return {
    agents: [0n, max / perUser, divideUp(max, perUser), ...beyond],
    lightAgents: [0n, 1n, divideUp(max, perUser) + 1n],
  };
}

const divideUp = (sum: bigint, by: bigint): bigint => (sum + by - 1n) / by;
