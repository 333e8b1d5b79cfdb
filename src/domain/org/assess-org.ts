// Computes the terms of one org from its inputs and the rate card, or the reason why that cannot be done. Never uses
// floors or time.
import type { EditionRates, RateCard } from '../rate-card/rate-card.js';
import { type CompleteInputs, GREATEST_STORED, type OrgInputs, type QuarantineReason } from '../source/org-inputs.js';

interface Undecidable {
  readonly kind: 'undecidable';
  readonly reason: QuarantineReason;
}

interface DatedInputs extends CompleteInputs {
  readonly kind: 'complete';
  readonly createdAt: Date;
}

/** Complete inputs, and the terms that the card gives for them. Credits and calls are per day. */
export interface AssessedOrg extends Omit<DatedInputs, 'kind'> {
  readonly kind: 'assessed';
  readonly baseCredits: bigint;
  readonly variableCredits: bigint;
  /** Base + variable. */
  readonly planCredits: bigint;
  /**
   * Negotiated, else by the formula of the org's own edition. Computed for unpaid orgs too, but not granted to them.
   */
  readonly legacyLimit: bigint;
  readonly concurrencyLimit: number;
  /** The rank of the org's own edition, paid or not. */
  readonly rank: number;
}

export type Assessment = Undecidable | AssessedOrg;

/**
 * Computes an org's terms. Source: docs/reference/domain.md, "The arithmetic". decideOrg checks the total for overflow:
 * it knows the floor.
 */
export function assessOrg(inputs: OrgInputs, card: RateCard): Assessment {
  const complete = completeInputs(inputs, card);
  if (complete.kind === 'undecidable') return complete;
  const negative = findNegative(complete);
  if (negative !== undefined) return undecidable(negative);
  const own = card.editions.get(complete.edition);
  if (own === undefined) return undecidable('unknown_edition');
  const assessed = computeTerms(complete, own, complete.paid ? own : getUnpaid(card), card);
  return overflows(assessed) ? undecidable('overflow') : assessed;
}

function completeInputs(inputs: OrgInputs, card: RateCard): Undecidable | DatedInputs {
  const { edition, paid, agents, additionalCredits, negotiatedLimit, createdAt } = inputs;
  const lightAgents = inputs.lightAgents ?? (card.lightAgentsCountAsUsers ? null : 0n);
  if (inputs.duplicated) return undecidable('duplicate_id');
  if (edition === null) return undecidable('null_edition');
  if (!card.editions.has(edition)) return undecidable('unknown_edition');
  if (paid === null) return undecidable('null_paid');
  if (agents === null) return undecidable('null_agents');
  if (lightAgents === null) return undecidable('null_light_agents');
  if (additionalCredits === null) return undecidable('null_additional_credits');
  if (createdAt === null) return undecidable('null_created_at');
  return { kind: 'complete', edition, paid, agents, lightAgents, additionalCredits, negotiatedLimit, createdAt };
}

function findNegative(inputs: CompleteInputs): QuarantineReason | undefined {
  if (inputs.agents < 0n) return 'negative_agents';
  if (inputs.lightAgents < 0n) return 'negative_light_agents';
  if (inputs.additionalCredits < 0n) return 'negative_additional_credits';
  if (inputs.negotiatedLimit !== null && inputs.negotiatedLimit < 0n) return 'negative_legacy_limit';
  return undefined;
}

function computeTerms(inputs: DatedInputs, own: EditionRates, plan: EditionRates, card: RateCard): AssessedOrg {
  const variableCredits = plan.perAgent * inputs.agents;
  const users = inputs.agents + (card.lightAgentsCountAsUsers ? inputs.lightAgents : 0n);
  return {
    ...inputs,
    kind: 'assessed',
    baseCredits: plan.base,
    variableCredits,
    planCredits: plan.base + variableCredits,
    legacyLimit: inputs.negotiatedLimit ?? legacyFormula(own, users),
    concurrencyLimit: plan.concurrency,
    rank: own.rank,
  };
}

/** Calls a day; `max` bounds it, so it cannot overflow. */
function legacyFormula({ legacy }: EditionRates, users: bigint): bigint {
  if (legacy.kind === 'flat') return legacy.flat;
  const byUsers = legacy.perUser * users;
  if (byUsers < legacy.min) return legacy.min;
  if (byUsers > legacy.max) return legacy.max;
  return byUsers;
}

function overflows(org: AssessedOrg): boolean {
  const stored = [
    org.agents,
    org.lightAgents,
    org.legacyLimit,
    org.variableCredits,
    org.planCredits + org.additionalCredits,
  ];
  return stored.some((term) => term > GREATEST_STORED);
}

function getUnpaid(card: RateCard): EditionRates {
  const rates = card.editions.get(card.unpaid);
  if (rates === undefined) throw new Error('the unpaid edition of a rate card is not one of its editions');
  return rates;
}

function undecidable(reason: QuarantineReason): Undecidable {
  return { kind: 'undecidable', reason };
}
