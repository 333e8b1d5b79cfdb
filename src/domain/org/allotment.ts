// What an org is granted, with every input and term that it was computed from: the columns of credit_rollout.allotments
// that a decision sets.

export type Winner = 'credits' | 'legacy';

/** An allotment's inputs and terms. Credits and calls are per day. */
export interface Allotment {
  readonly edition: string;
  readonly paid: boolean;
  readonly agents: bigint;
  readonly lightAgents: bigint;
  readonly negotiatedLimit: bigint | null;
  readonly baseCredits: bigint;
  readonly variableCredits: bigint;
  readonly additionalCredits: bigint;
  readonly legacyLimit: bigint;
  /** The promise as a number; null: none. Suspended while the org is unpaid. */
  readonly floor: bigint | null;
  /** The edition recorded with the floor; null exactly when the floor is. */
  readonly floorEdition: string | null;
  /** Local date (YYYY-MM-DD) of the first decision that saw the org unpaid; null while it pays. */
  readonly unpaidSince: string | null;
  readonly grandfatheredCredits: bigint;
  readonly totalCredits: bigint;
  readonly concurrencyLimit: number;
  readonly winner: Winner;
}
