// A rate card as the rules use it: exact integers, ranked editions by name. Never holds a rounded number.
import type { CompleteInputs } from '../source/org-inputs.js';
import type { CallCase, CallCosts } from './call-costs.js';

/** The legacy limit of an edition, in calls a day: one number, or per user within bounds. */
export type LegacyRates =
  | { readonly kind: 'flat'; readonly flat: bigint }
  | { readonly kind: 'perUser'; readonly perUser: bigint; readonly min: bigint; readonly max: bigint };

/** One edition of a card. */
export interface EditionSpec {
  readonly edition: string;
  /** Credits a day. */
  readonly base: bigint;
  /** Credits a day for each full agent. */
  readonly perAgent: bigint;
  /** Concurrent calls; not part of the promise. */
  readonly concurrency: number;
  readonly legacy: LegacyRates;
}

/** One edition with its place in the order of editions. */
export interface EditionRates extends EditionSpec {
  /**
   * Dense rank by (base, perAgent), ascending from 0; equal rates have equal rank, so a move between them is sideways.
   */
  readonly rank: number;
}

/** A value that a case expects in a column; numbers are exact. */
export type CaseValue = bigint | string | boolean | null;

/**
 * The columns a case may expect, in the order they are compared: the allotment's, and plan_credits = base + variable.
 */
export const CASE_COLUMNS = [
  { column: 'edition', reads: 'text' },
  { column: 'paid', reads: 'flag' },
  { column: 'agents', reads: 'integer' },
  { column: 'light_agents', reads: 'integer' },
  { column: 'negotiated_limit', reads: 'integerOrNull' },
  { column: 'base_credits', reads: 'integer' },
  { column: 'variable_credits', reads: 'integer' },
  { column: 'plan_credits', reads: 'integer' },
  { column: 'additional_credits', reads: 'integer' },
  { column: 'legacy_limit', reads: 'integer' },
  { column: 'floor', reads: 'integerOrNull' },
  { column: 'floor_edition', reads: 'textOrNull' },
  { column: 'grandfathered_credits', reads: 'integer' },
  { column: 'total_credits', reads: 'integer' },
  { column: 'concurrency_limit', reads: 'integer' },
  { column: 'winner', reads: 'text' },
] as const;

export type CaseColumn = (typeof CASE_COLUMNS)[number]['column'];

/** The org of a golden case: source columns, with defaults for those that were left out. */
export type CaseOrg = CompleteInputs;

/** A golden case: an org decided for the first time, before its cut-over, and what that must give. */
export interface OrgCase {
  readonly kind: 'org';
  /** Null when it has no name. */
  readonly name: string | null;
  readonly org: CaseOrg;
  readonly expect: ReadonlyMap<CaseColumn, CaseValue>;
}

/** A golden case of a card. */
export type RateCardCase = OrgCase | CallCase;

/** The contents of a card, before it is ranked and hashed. */
export interface RateCardSpec {
  readonly name: string;
  /** Whether light agents count as users in the legacy formula. They never count for credits. */
  readonly lightAgentsCountAsUsers: boolean;
  /** The edition whose credits and concurrency every org gets that does not pay. */
  readonly unpaid: string;
  readonly editions: readonly EditionSpec[];
  /** What calls cost; a card without costs prices every call at 1. */
  readonly costs: CallCosts;
  readonly cases: readonly RateCardCase[];
}

/** A rate card; two cards with the same hash decide the same. */
export interface RateCard extends Omit<RateCardSpec, 'editions'> {
  readonly editions: ReadonlyMap<string, EditionRates>;
  /** 16 hex digits over everything that affects decisions; see hashRateCard. */
  readonly hash: string;
}
