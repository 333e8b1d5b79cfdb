// Where two allotments differ, by the names of the SQL columns. Compares every column.
import type { Allotment } from '../../domain/org/allotment.js';

export interface AllotmentDifference {
  readonly column: string;
  readonly from: Allotment[keyof Allotment];
  readonly to: Allotment[keyof Allotment];
}

/** A record, so that the compiler reports a column that was added to Allotment and is missing here. */
const COLUMNS = {
  edition: { field: 'edition', column: 'edition' },
  paid: { field: 'paid', column: 'paid' },
  agents: { field: 'agents', column: 'agents' },
  lightAgents: { field: 'lightAgents', column: 'light_agents' },
  negotiatedLimit: { field: 'negotiatedLimit', column: 'negotiated_limit' },
  baseCredits: { field: 'baseCredits', column: 'base_credits' },
  variableCredits: { field: 'variableCredits', column: 'variable_credits' },
  additionalCredits: { field: 'additionalCredits', column: 'additional_credits' },
  legacyLimit: { field: 'legacyLimit', column: 'legacy_limit' },
  floor: { field: 'floor', column: 'floor' },
  floorEdition: { field: 'floorEdition', column: 'floor_edition' },
  unpaidSince: { field: 'unpaidSince', column: 'unpaid_since' },
  grandfatheredCredits: { field: 'grandfatheredCredits', column: 'grandfathered_credits' },
  totalCredits: { field: 'totalCredits', column: 'total_credits' },
  concurrencyLimit: { field: 'concurrencyLimit', column: 'concurrency_limit' },
  winner: { field: 'winner', column: 'winner' },
} as const satisfies { readonly [Field in keyof Allotment]: { readonly field: Field; readonly column: string } };

/** The columns that differ, in the order of the table; empty for equal rows. */
export function listDifferences(from: Allotment, to: Allotment): readonly AllotmentDifference[] {
  return Object.values(COLUMNS)
    .filter(({ field }) => from[field] !== to[field])
    .map(({ field, column }) => ({ column, from: from[field], to: to[field] }));
}
