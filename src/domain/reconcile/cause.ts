// The words for why an allotment is not what its inputs give. credit_rollout.drift holds the same in a CHECK.

export const CAUSES = [
  /** An input that was there before became known now: a negotiated limit, an org that was moved in. */
  'late input',
  /** Signed up while the gate said legacy; not a fault, but the night's work. */
  'legacy sign-up',
  /** Signed up at or after the cut-over, and has no allotment: the gate was passed by. */
  'missed sign-up',
  'manual edit',
  'purchase',
  'seats',
  'edition',
  'paid',
  'lapse',
  'return',
  'release',
  'gone',
  'restored backup',
] as const;
export type Cause = (typeof CAUSES)[number];
