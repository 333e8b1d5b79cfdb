// One org as the source has it, with its nulls and impossible numbers. Never holds an org id.

/** One row of the source, in the columns of the source contract. */
export interface OrgInputs {
  readonly edition: string | null;
  /** It has a paid subscription, also while a payment is overdue; a trial is unpaid. */
  readonly paid: boolean | null;
  /** Full agents. */
  readonly agents: bigint | null;
  /** Null counts as 0 where the card does not count light agents as users. */
  readonly lightAgents: bigint | null;
  /** Purchased credits a day that apply now. */
  readonly additionalCredits: bigint | null;
  /** Calls a day; the source column legacy_limit. Null: none was negotiated. */
  readonly negotiatedLimit: bigint | null;
  /** The first sign-up. */
  readonly createdAt: Date | null;
  /** More than one row of the source has this org's id. */
  readonly duplicated: boolean;
}

/** Inputs without a missing value. */
export interface CompleteInputs {
  readonly edition: string;
  readonly paid: boolean;
  readonly agents: bigint;
  readonly lightAgents: bigint;
  readonly additionalCredits: bigint;
  readonly negotiatedLimit: bigint | null;
}

/** Why an org cannot be decided, in the order of the checks: the first that applies is the reason. */
export const QUARANTINE_REASONS = [
  'duplicate_id',
  'null_edition',
  'unknown_edition',
  'null_paid',
  'null_agents',
  'null_light_agents',
  'null_additional_credits',
  'null_created_at',
  'negative_agents',
  'negative_light_agents',
  'negative_additional_credits',
  'negative_legacy_limit',
  'overflow',
] as const;

export type QuarantineReason = (typeof QUARANTINE_REASONS)[number];

interface ReasonCount {
  readonly reason: string;
  readonly orgs: number;
}

const LET_OUT: readonly string[] = [...QUARANTINE_REASONS, 'unreadable'];

/** For what leaves the cell: a reason that we do not know may be anything, so it is `other`. In the given order. */
export function nameReasons(counts: readonly ReasonCount[]): readonly ReasonCount[] {
  const others = counts.filter(({ reason }) => !LET_OUT.includes(reason)).reduce((sum, { orgs }) => sum + orgs, 0);
  const known = counts.filter(({ reason }) => LET_OUT.includes(reason));
  return others === 0 ? known : [...known, { reason: 'other', orgs: others }];
}

/** The greatest number a cell can store (int8). */
export const GREATEST_STORED = 2n ** 63n - 1n;
