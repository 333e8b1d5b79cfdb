// Rows of the life of an org as single edits: what the change feed does with them, and what it leaves to the night.
import type { TestOrg } from '../../support/cell.js';

export interface Row {
  readonly row: string;
  readonly window: 'open' | 'swept';
  readonly org: TestOrg;
  /** SQL on the cell between migration and edit. */
  readonly meanwhile?: string;
  readonly set: string;
  readonly total: string;
  readonly floor: string | null;
  /** Undefined: nothing is written. */
  readonly cause: string | undefined;
}

// a night saw it unpaid so long ago
const LAPSED = (days: number): string => `
  update public.orgs set paid = false where org_id = $1;
  update credit_rollout.allotments set paid = false, base_credits = 5000, variable_credits = 0, grandfathered_credits = 0,
    total_credits = 5000, concurrency_limit = 5, winner = 'credits', unpaid_since = current_date - ${days} where org_id = $1`;

export const ROWS: readonly Row[] = [
  {
    row: 'row 9: becomes paid',
    window: 'open',
    org: { edition: 'professional', paid: false, agents: 200 },
    set: 'paid = true',
    total: '200000',
    floor: '200000',
    cause: 'paid',
  },
  {
    row: 'row 10: seats up raise floor and total',
    window: 'open',
    org: {},
    set: 'agents = 400',
    total: '200000',
    floor: '200000',
    cause: 'seats',
  },
  {
    row: 'row 10: beyond twice the floor only the plan moves',
    window: 'open',
    org: { edition: 'professional', agents: 10 },
    set: 'agents = 1000',
    total: '575000',
    floor: '50000',
    cause: 'seats',
  },
  {
    row: 'row 11: a negotiated limit found late',
    window: 'open',
    org: { edition: 'enterprise', agents: 25 },
    set: 'legacy_limit = 2000000',
    total: '2000000',
    floor: '2000000',
    cause: 'late input',
  },
  {
    row: 'row 15: full agents up',
    window: 'swept',
    org: {},
    set: 'agents = 600',
    total: '200000',
    floor: '150000',
    cause: 'seats',
  },
  {
    row: 'row 19: light agents become full ones',
    window: 'swept',
    org: { edition: 'express', agents: 10, light_agents: 90 },
    set: 'agents = 100, light_agents = 0',
    total: '35000',
    floor: '25000',
    cause: 'seats',
  },
  {
    row: 'row 20: an upgrade',
    window: 'swept',
    org: {},
    set: "edition = 'professional'",
    total: '225000',
    floor: '150000',
    cause: 'edition',
  },
  {
    row: 'row 27: credits bought',
    window: 'swept',
    org: {},
    set: 'additional_credits = 10000',
    total: '160000',
    floor: '150000',
    cause: 'purchase',
  },
  {
    row: 'row 31: becomes paid for the first time',
    window: 'swept',
    org: { edition: 'professional', paid: false, agents: 200 },
    set: 'paid = true',
    total: '175000',
    floor: null,
    cause: 'paid',
  },
  {
    row: 'row 33: returns within the grace',
    window: 'swept',
    org: { paid: true },
    meanwhile: LAPSED(20),
    set: 'paid = true',
    total: '150000',
    floor: '150000',
    cause: 'return',
  },
  {
    row: 'row 34: a later return ends the floor, which waits for the night',
    window: 'swept',
    org: {},
    meanwhile: LAPSED(45),
    set: 'paid = true',
    total: '5000',
    floor: '150000',
    cause: undefined,
  },
  {
    row: 'row 12: seats down wait for the night',
    window: 'open',
    org: { agents: 800 },
    set: 'agents = 100',
    total: '250000',
    floor: '250000',
    cause: undefined,
  },
  {
    row: 'row 15: a smaller top-up changes inputs only',
    window: 'swept',
    org: {},
    set: 'agents = 400',
    total: '150000',
    floor: '150000',
    cause: undefined,
  },
  {
    row: 'row 21: a downgrade waits for the night',
    window: 'swept',
    org: {},
    set: "edition = 'express'",
    total: '150000',
    floor: '150000',
    cause: undefined,
  },
  {
    row: 'row 25: a negotiated limit after the sweep is for people',
    window: 'swept',
    org: {},
    set: 'legacy_limit = 900000',
    total: '150000',
    floor: '150000',
    cause: undefined,
  },
  {
    row: 'row 28: purchases that ended wait for the night',
    window: 'swept',
    org: { additional_credits: 500 },
    set: 'additional_credits = 0',
    total: '150500',
    floor: '150000',
    cause: undefined,
  },
  {
    row: 'row 32: a lapse waits for the night',
    window: 'swept',
    org: {},
    set: 'paid = false',
    total: '150000',
    floor: '150000',
    cause: undefined,
  },
  {
    row: 'row 48: an org that became undecidable keeps what it has',
    window: 'swept',
    org: {},
    set: "edition = 'retired'",
    total: '150000',
    floor: '150000',
    cause: undefined,
  },
];
