// The price of one call under a rate card. Knows no org and no limit.
import type { CallCosts, CallShape, KindCost } from '../rate-card/call-costs.js';

/** The most records, the highest index and the longest page that a call may name: every price stays exact. */
export const MAX_CALL_SIZE = 1_000_000_000;
/** Under this name calls are counted whose kind the card does not have. */
const UNKNOWN_KIND = 'unknown';

/** What one call costs, and the name under which it is counted. */
export interface CallPrice {
  /** One of the card's kinds, or UNKNOWN_KIND. */
  readonly kind: string;
  readonly credits: number;
}

/**
 * The price of a call. A list costs what its last index costs, `from + limit − 1`: a page that straddles a bound pays
 * the higher price. A kind that the card does not have costs 1: in doubt the customer wins.
 */
export const priceCall = (costs: CallCosts, call: CallShape): CallPrice => priceByCost(costs.get(call.kind), call);

/** The same by what the card has of its kind; undefined: nothing. */
export function priceByCost(cost: KindCost | undefined, call: CallShape): CallPrice {
  return cost === undefined ? { kind: UNKNOWN_KIND, credits: 1 } : { kind: call.kind, credits: applyCost(cost, call) };
}

function applyCost(cost: KindCost, { records = 1, from = 0, limit = 1 }: CallShape): number {
  if (cost.kind === 'perCall') return cost.credits;
  if (cost.kind === 'perRecords') return cost.credits * Math.ceil(Math.max(records, 1) / cost.records);
  const lastIndex = from + Math.max(limit, 1) - 1;
  return cost.steps.find(({ to }) => lastIndex <= to)?.credits ?? cost.beyond;
}
