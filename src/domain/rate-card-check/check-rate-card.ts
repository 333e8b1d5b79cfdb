// Decides a card's golden cases as orgs are decided, and returns those that fail.

import { priceCall } from '../meter/price-call.js';
import type { Allotment } from '../org/allotment.js';
import { decideOrg, type OrgDecision } from '../org/decide-org.js';
import type { CallCase } from '../rate-card/call-costs.js';
import type { CaseColumn, CaseOrg, CaseValue, OrgCase, RateCard } from '../rate-card/rate-card.js';
import type { QuarantineReason } from '../source/org-inputs.js';

/** One column with another value than expected. */
export interface CaseDifference {
  /** `credits`: the price of a call. */
  readonly column: CaseColumn | 'credits';
  readonly expected: CaseValue;
  readonly actual: CaseValue;
}

/** A golden case that fails. */
export type FailedCase = {
  /** Position in the card's list, from 1. */
  readonly position: number;
  readonly name: string | null;
  /** One sentence for a person. */
  readonly message: string;
} & (
  | { readonly kind: 'different'; readonly differences: readonly CaseDifference[] }
  | { readonly kind: 'undecidable'; readonly reason: QuarantineReason }
);

/** The cases that fail, in the card's order. */
export function checkRateCard(card: RateCard): readonly FailedCase[] {
  return card.cases.flatMap((golden, index) => {
    const title = `Case ${index + 1}${golden.name === null ? '' : ` (${golden.name})`}`;
    const place = { position: index + 1, title };
    return (golden.kind === 'call' ? checkPrice(card, golden, place) : checkAllotment(card, golden, place)) ?? [];
  });
}

interface Place {
  readonly position: number;
  readonly title: string;
}

function checkPrice({ costs }: RateCard, golden: CallCase, place: Place): FailedCase | undefined {
  const { name, call, credits } = golden;
  const price = priceCall(costs, call);
  const differences = [{ column: 'credits', expected: BigInt(credits), actual: BigInt(price.credits) }] as const;
  const { position, title } = place;
  if (!costs.has(call.kind)) {
    const message = `${title} fails: costs has no kind of call "${call.kind}".`;
    return { kind: 'different', position, name, message, differences };
  }
  if (price.credits === credits) return undefined;
  const message = `${title} fails: credits is ${price.credits}, expected ${credits}.`;
  return { kind: 'different', position, name, message, differences };
}

function checkAllotment(card: RateCard, golden: OrgCase, { position, title }: Place): FailedCase | undefined {
  const { name } = golden;
  const decision = decideCase(card, golden.org);
  if (decision.kind === 'quarantine') {
    const message = `${title} cannot be decided: ${decision.reason}.`;
    return { kind: 'undecidable', position, name, message, reason: decision.reason };
  }
  const differences = findDifferences(golden, readColumns(decision.allotment));
  if (differences.length === 0) return undefined;
  const shown = differences.map((one) => `${one.column} is ${one.actual}, expected ${one.expected}`).join('; ');
  return { kind: 'different', position, name, message: `${title} fails: ${shown}.`, differences };
}

/** A first decision in an open window. Dates do not affect it, so any will do. */
export function decideCase(card: RateCard, org: CaseOrg): OrgDecision {
  return decideOrg({
    inputs: { ...org, createdAt: new Date(0), duplicated: false },
    card,
    prior: null,
    gate: { effectiveAt: null, sweptAt: null, decidedAt: null },
    today: '1970-01-01',
    lapseGraceDays: 0,
  });
}

function findDifferences(golden: OrgCase, actual: Readonly<Record<CaseColumn, CaseValue>>): CaseDifference[] {
  return [...golden.expect]
    .map(([column, expected]) => ({ column, expected, actual: actual[column] }))
    .filter((one) => one.expected !== one.actual);
}

function readColumns(allotment: Allotment): Readonly<Record<CaseColumn, CaseValue>> {
  return {
    edition: allotment.edition,
    paid: allotment.paid,
    agents: allotment.agents,
    light_agents: allotment.lightAgents,
    negotiated_limit: allotment.negotiatedLimit,
    base_credits: allotment.baseCredits,
    variable_credits: allotment.variableCredits,
    plan_credits: allotment.baseCredits + allotment.variableCredits,
    additional_credits: allotment.additionalCredits,
    legacy_limit: allotment.legacyLimit,
    floor: allotment.floor,
    floor_edition: allotment.floorEdition,
    grandfathered_credits: allotment.grandfatheredCredits,
    total_credits: allotment.totalCredits,
    concurrency_limit: BigInt(allotment.concurrencyLimit),
    winner: allotment.winner,
  };
}
