// The rule as ordinary application code would have it, for the contenders that compute in JavaScript. Not the
// product's.
import type { LegacyRates, RateCard } from '../../src/domain/rate-card/rate-card.js';

/** An org as pg gives it: int8 as text. */
export interface OrgRow {
  readonly org_id: string;
  readonly edition: string | null;
  readonly paid: boolean | null;
  readonly agents: number | null;
  readonly light_agents: number;
  readonly additional_credits: string;
  readonly legacy_limit: string | null;
}

/** A row of the target, ready for an insert; undefined where the org cannot be decided. `today` is YYYY-MM-DD. */
export function computeRow(org: OrgRow, card: RateCard, today: string): Record<string, unknown> | undefined {
  const own = card.editions.get(org.edition ?? '');
  const plan = org.paid ? own : card.editions.get(card.unpaid);
  if (own === undefined || plan === undefined || org.paid === null || org.agents === null || org.agents < 0)
    return undefined;
  const agents = BigInt(org.agents);
  const users = agents + BigInt(org.light_agents);
  const negotiated = org.legacy_limit === null ? null : BigInt(org.legacy_limit);
  const legacy = negotiated ?? legacyLimit(own.legacy, users);
  const variable = plan.perAgent * agents;
  const credits = plan.base + variable;
  const topUp = org.paid && legacy > credits ? legacy - credits : 0n;
  return {
    org_id: org.org_id,
    edition: org.edition,
    paid: org.paid,
    agents: org.agents,
    light_agents: org.light_agents,
    negotiated_limit: negotiated,
    base_credits: plan.base,
    variable_credits: variable,
    additional_credits: org.additional_credits,
    legacy_limit: legacy,
    floor: org.paid ? legacy : null,
    floor_edition: org.paid ? org.edition : null,
    unpaid_since: org.paid ? null : today,
    grandfathered_credits: topUp,
    total_credits: credits + topUp + BigInt(org.additional_credits),
    concurrency_limit: plan.concurrency,
    winner: topUp > 0n ? 'legacy' : 'credits',
    origin: 'migrated',
    rate_card: card.hash,
    run_id: 1,
    version: 1,
    computed_at: new Date(),
  };
}

function legacyLimit(rate: LegacyRates, users: bigint): bigint {
  if (rate.kind === 'flat') return rate.flat;
  const byUsers = rate.perUser * users;
  if (byUsers < rate.min) return rate.min;
  if (byUsers > rate.max) return rate.max;
  return byUsers;
}
