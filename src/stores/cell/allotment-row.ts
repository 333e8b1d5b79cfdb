// The columns of an allotment: as SQL selects them, and as the driver returns them. Their int8 comes as text and
// becomes an exact bigint here; it never passes through a JavaScript number.
import type { Allotment } from '../../domain/org/allotment.js';

/** Select list of an allotment row, or of a before-image turned back into one. Dates as text. */
export const allotmentColumns = (row: string): string =>
  `${row}.edition, ${row}.paid, ${row}.agents, ${row}.light_agents, ${row}.negotiated_limit, ${row}.base_credits,
  ${row}.variable_credits, ${row}.additional_credits, ${row}.legacy_limit, ${row}.floor, ${row}.floor_edition,
  ${row}.unpaid_since::text as unpaid_since, ${row}.grandfathered_credits, ${row}.total_credits,
  ${row}.concurrency_limit, ${row}.winner`;

/** What `allotmentColumns` selects. */
export interface AllotmentRow {
  readonly edition: string;
  readonly paid: boolean;
  readonly agents: string;
  readonly lightAgents: string;
  readonly negotiatedLimit: string | null;
  readonly baseCredits: string;
  readonly variableCredits: string;
  readonly additionalCredits: string;
  readonly legacyLimit: string;
  readonly floor: string | null;
  readonly floorEdition: string | null;
  readonly unpaidSince: string | null;
  readonly grandfatheredCredits: string;
  readonly totalCredits: string;
  readonly concurrencyLimit: number;
  readonly winner: Allotment['winner'];
}

/** An int8 as the driver returns it. */
export const toBigint = (text: string | null): bigint | null => (text === null ? null : BigInt(text));

export const toAllotment = (row: AllotmentRow): Allotment => ({
  edition: row.edition,
  paid: row.paid,
  agents: BigInt(row.agents),
  lightAgents: BigInt(row.lightAgents),
  negotiatedLimit: toBigint(row.negotiatedLimit),
  baseCredits: BigInt(row.baseCredits),
  variableCredits: BigInt(row.variableCredits),
  additionalCredits: BigInt(row.additionalCredits),
  legacyLimit: BigInt(row.legacyLimit),
  floor: toBigint(row.floor),
  floorEdition: row.floorEdition,
  unpaidSince: row.unpaidSince,
  grandfatheredCredits: BigInt(row.grandfatheredCredits),
  totalCredits: BigInt(row.totalCredits),
  concurrencyLimit: row.concurrencyLimit,
  winner: row.winner,
});

/** The columns of an allotment by name, as JSON can hold them exactly: int8 as text. */
export const toColumns = (allotment: Allotment): Readonly<Record<string, string | number | boolean | null>> => ({
  edition: allotment.edition,
  paid: allotment.paid,
  agents: String(allotment.agents),
  light_agents: String(allotment.lightAgents),
  negotiated_limit: toText(allotment.negotiatedLimit),
  base_credits: String(allotment.baseCredits),
  variable_credits: String(allotment.variableCredits),
  additional_credits: String(allotment.additionalCredits),
  legacy_limit: String(allotment.legacyLimit),
  floor: toText(allotment.floor),
  floor_edition: allotment.floorEdition,
  unpaid_since: allotment.unpaidSince,
  grandfathered_credits: String(allotment.grandfatheredCredits),
  total_credits: String(allotment.totalCredits),
  concurrency_limit: allotment.concurrencyLimit,
  winner: allotment.winner,
});

const toText = (value: bigint | null): string | null => (value === null ? null : String(value));
