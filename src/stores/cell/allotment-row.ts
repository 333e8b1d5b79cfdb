// The columns of an allotment as SQL selects them and as the driver gives them: int8 as text, turned into exact bigints here.
import type { Allotment } from '../../domain/org/allotment.js';

/** Select list of an allotment row, or of a before-image turned back into one. Dates as text. */
export const allotmentColumns = (row: string): string =>
  `${row}.edition, ${row}.paid, ${row}.agents, ${row}.light_agents, ${row}.negotiated_limit, ${row}.base_credits,
  ${row}.variable_credits, ${row}.additional_credits, ${row}.legacy_limit, ${row}.floor, ${row}.floor_edition,
  ${row}.unpaid_since::text as unpaid_since, ${row}.grandfathered_credits, ${row}.total_credits, ${row}.concurrency_limit,
  ${row}.winner`;

export interface AllotmentRow {
  readonly edition: string;
  readonly paid: boolean;
  readonly agents: string;
  readonly light_agents: string;
  readonly negotiated_limit: string | null;
  readonly base_credits: string;
  readonly variable_credits: string;
  readonly additional_credits: string;
  readonly legacy_limit: string;
  readonly floor: string | null;
  readonly floor_edition: string | null;
  readonly unpaid_since: string | null;
  readonly grandfathered_credits: string;
  readonly total_credits: string;
  readonly concurrency_limit: number;
  readonly winner: Allotment['winner'];
}

/** int8 as the driver gives it. */
export const toBigint = (text: string | null): bigint | null => (text === null ? null : BigInt(text));

export const toAllotment = (row: AllotmentRow): Allotment => ({
  edition: row.edition,
  paid: row.paid,
  agents: BigInt(row.agents),
  lightAgents: BigInt(row.light_agents),
  negotiatedLimit: toBigint(row.negotiated_limit),
  baseCredits: BigInt(row.base_credits),
  variableCredits: BigInt(row.variable_credits),
  additionalCredits: BigInt(row.additional_credits),
  legacyLimit: BigInt(row.legacy_limit),
  floor: toBigint(row.floor),
  floorEdition: row.floor_edition,
  unpaidSince: row.unpaid_since,
  grandfatheredCredits: BigInt(row.grandfathered_credits),
  totalCredits: BigInt(row.total_credits),
  concurrencyLimit: row.concurrency_limit,
  winner: row.winner,
});
