// How a drifted allotment is to move, and what became of it: the words of credit_rollout.drift.

/** `same`: what is stored is right, and there is something to propose. `gone`: its org has left the source. */
export const DRIFT_MOVEMENTS = ['first', 'raise', 'fall', 'inputs', 'same', 'gone'] as const;
export type DriftMovement = (typeof DRIFT_MOVEMENTS)[number];

/** `unchanged`: by the time it was to be written there was nothing to write. */
export const DRIFT_OUTCOMES = ['to_heal', 'healed', 'proposed', 'unchanged'] as const;
export type DriftOutcome = (typeof DRIFT_OUTCOMES)[number];
