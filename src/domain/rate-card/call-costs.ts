// What calls cost, as the rate card says it. The price of one call: src/domain/meter/price-call.ts.

/** The price of one kind of call, in credits; every number is a whole number that a double holds exactly. */
export type KindCost =
  | { readonly kind: 'perCall'; readonly credits: number }
  /** `credits` for each group of `records` records; the last group may be smaller and costs the same. */
  | { readonly kind: 'perRecords'; readonly credits: number; readonly records: number }
  /** By the last index that a list reaches, from 0: the first step whose `to` is not below it, else `beyond`. */
  | { readonly kind: 'byLastIndex'; readonly steps: readonly IndexStep[]; readonly beyond: number };

export interface IndexStep {
  /** The last index of the step, itself included. */
  readonly to: number;
  readonly credits: number;
}

/** The costs of a card by kind of call, in its order. */
export type CallCosts = ReadonlyMap<string, KindCost>;

/** What a call does, as far as its price depends on it. What is left out is the least: 1 record, the first index. */
export interface CallShape {
  /** One of the card's kinds. */
  readonly kind: string;
  /** Records that it changes. */
  readonly records?: number | undefined;
  /** Of a list: the index of its first record, from 0. */
  readonly from?: number | undefined;
  /** Of a list: how many records it asks for. */
  readonly limit?: number | undefined;
}

/** A golden case: a call, and its price. */
export interface CallCase {
  readonly kind: 'call';
  /** Null when it has no name. */
  readonly name: string | null;
  readonly call: CallShape;
  readonly credits: number;
}

/**
 * The costs as one text of JSON, sorted by kind (UTF-16 code units); empty for none. The hash of a card is made of it
 * and a cell stores it, so what it is for some costs never changes.
 */
export function formatCallCosts(costs: CallCosts): string {
  const sorted = [...costs].sort(([one], [other]) => (one < other ? -1 : 1));
  return sorted.length === 0 ? '' : JSON.stringify(sorted.map(([name, cost]) => ({ name, ...orderKeys(cost) })));
}

/** What formatCallCosts wrote. */
export function parseCallCosts(text: string): CallCosts {
  const listed = (text === '' ? [] : JSON.parse(text)) as readonly (KindCost & { readonly name: string })[];
  return new Map(listed.map(({ name, ...cost }) => [name, cost]));
}

// whoever built the object may have written its keys in another order
function orderKeys(cost: KindCost): KindCost {
  if (cost.kind === 'perCall') return { kind: cost.kind, credits: cost.credits };
  if (cost.kind === 'perRecords') return { kind: cost.kind, credits: cost.credits, records: cost.records };
  return { kind: cost.kind, steps: cost.steps.map(({ to, credits }) => ({ to, credits })), beyond: cost.beyond };
}
