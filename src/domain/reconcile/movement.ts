// How a drifted allotment should move, and what was done: the values that credit_rollout.drift stores.

/** `same`: the allotment is right, and there is something to propose. `gone`: the org has left the source. */
export const DRIFT_MOVEMENTS = ['first', 'raise', 'fall', 'inputs', 'same', 'gone'] as const;
export type DriftMovement = (typeof DRIFT_MOVEMENTS)[number];

/** `unchanged`: when it should have been written, there was nothing left to write. */
export const DRIFT_OUTCOMES = ['to_heal', 'healed', 'proposed', 'unchanged'] as const;
export type DriftOutcome = (typeof DRIFT_OUTCOMES)[number];
