// What a scheduler learns from a step that it has carried out.

/**
 * What came of a step. `nothing`: somebody else was faster, or something must be waited for. `called`: taken, and nothing more
 * is due before those who were called have worked.
 */
export type StepOutcome = 'nothing' | 'moved' | 'called';
