// The causes of drift: why an allotment is not what its inputs give. A CHECK of credit_rollout.drift has the same list.

export const CAUSES = [
  /** An input that applied before became known now: a negotiated limit, an org that was moved in. */
  'late input',
  /** Signed up while the gate answered legacy. No fault: the nightly run decides such orgs. */
  'legacy sign-up',
  /** Signed up at or after the cut-over and has no allotment: the product did not ask the gate. */
  'missed sign-up',
  'manual edit',
  'purchase',
  'seats',
  'edition',
  'paid',
  'lapse',
  'return',
  'release',
  /** The cell's card is another than the one that the allotment was computed with. */
  'rate card',
  'gone',
  'restored backup',
] as const;
export type Cause = (typeof CAUSES)[number];
