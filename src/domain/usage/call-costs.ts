// What calls cost in credits, for the explanation of a report: a credit is not a call. From the product's API
// reference.

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
