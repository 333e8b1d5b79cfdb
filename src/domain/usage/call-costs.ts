// What calls cost in credits, as a list for people: of a rate card, and for the explanation of a report (a credit is
// not a call) as the product's API reference has it.
import { formatCredits } from '../../kernel/format-credits.js';
import type { CallCosts, KindCost } from '../rate-card/call-costs.js';

export interface CallCost {
  readonly call: string;
  readonly credits: string;
}

export const CALL_COSTS: readonly CallCost[] = [
  { call: 'fetch one record by id, create, update, search with a unique id', credits: '1' },
  { call: 'list or search, up to offset 2,000', credits: '3' },
  { call: 'list or search, up to offset 10,000', credits: '5' },
  { call: 'list or search, up to offset 50,000', credits: '10' },
  { call: 'list or search, up to offset 100,000', credits: '50' },
  { call: 'list or search, beyond', credits: '100' },
  { call: 'bulk update', credits: '1 per 2 records' },
  { call: 'delete, restore', credits: '6 per record' },
  { call: 'update many', credits: '25' },
  { call: 'count', credits: '50' },
];

export const LIST_HEAVY = '24,000 list calls a day, each within the first 2,000 records, cost 72,000 credits.';

/** The prices of a rate card in its order; kinds that cost the same are one row. */
export function describeCosts(costs: CallCosts): readonly CallCost[] {
  const kinds = new Map<string, { readonly names: string[]; readonly cost: KindCost }>();
  for (const [name, cost] of costs) {
    const key = JSON.stringify(cost);
    const known = kinds.get(key);
    if (known === undefined) kinds.set(key, { names: [name], cost });
    else known.names.push(name);
  }
  return [...kinds.values()].flatMap(({ names, cost }) => describeCost(names.join(', '), cost));
}

function describeCost(call: string, cost: KindCost): readonly CallCost[] {
  const show = (count: number): string => formatCredits(BigInt(count));
  if (cost.kind === 'perCall') return [{ call, credits: show(cost.credits) }];
  if (cost.kind === 'perRecords') {
    const records = cost.records === 1 ? 'record' : `${show(cost.records)} records`;
    return [{ call, credits: `${show(cost.credits)} per ${records}` }];
  }
  return [
    ...cost.steps.map(({ to, credits }) => ({ call: `${call}, up to index ${show(to)}`, credits: show(credits) })),
    { call: `${call}, beyond`, credits: show(cost.beyond) },
  ];
}
