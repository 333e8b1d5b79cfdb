// Where a data center can be, and every legal step with its reason. The control database holds the same table.

export const STAGES = [
  'pending',
  'canary',
  'migrating',
  'verifying',
  'baking',
  'done',
  'failed',
  'aborted',
  'undoing',
  'undone',
] as const;
export type Stage = (typeof STAGES)[number];

/** What the operator wants. */
export const INTENTS = ['run', 'pause', 'abort'] as const;
export type Intent = (typeof INTENTS)[number];

/** Stages that occupy the rollout slot: at most one data center is in any of these. */
export const SLOT_STAGES: readonly Stage[] = ['canary', 'migrating', 'verifying', 'undoing'];

/** Stages in which nothing is under way and an apply may start a new run. */
export const RESTING_STAGES: readonly Stage[] = ['pending', 'done', 'failed', 'aborted', 'undone'];

/** Nothing is under way in a data center, and nothing is requested for it. */
export const hasEnded = ({
  stage,
  requestedAt,
}: {
  readonly stage: Stage;
  readonly requestedAt: Date | null;
}): boolean => RESTING_STAGES.includes(stage) && requestedAt === null;

export interface StageTransition {
  readonly from: Stage;
  readonly to: Stage;
  readonly reason: string;
}

const edge = (from: Stage, to: Stage, reason: string): StageTransition => ({ from, to, reason });

/** All legal transitions: any other is rejected by the domain and by the database. */
export const STAGE_TRANSITIONS: readonly StageTransition[] = [
  edge('pending', 'canary', 'it was asked for, its time has come and the slot is free'),
  edge('done', 'canary', 'a new run was asked for'),
  edge('failed', 'canary', 'a new run was asked for'),
  edge('aborted', 'canary', 'a new run was asked for'),
  edge('undone', 'canary', 'a new run was asked for'),
  edge('canary', 'migrating', 'the canary is applied and verified'),
  edge('canary', 'failed', 'the canary broke a rule'),
  edge('canary', 'aborted', 'the operator aborted'),
  edge('migrating', 'verifying', 'nothing is pending and the fence is closed'),
  edge('migrating', 'failed', 'a rule was broken'),
  edge('migrating', 'aborted', 'the operator aborted'),
  edge('verifying', 'migrating', 'stale orgs are left, or work was lost in a failover'),
  edge('verifying', 'baking', 'every range is verified without a mismatch'),
  edge('verifying', 'failed', 'the verification found a mismatch'),
  edge('verifying', 'aborted', 'the operator aborted'),
  edge('baking', 'done', 'the bake is over'),
  edge('baking', 'aborted', 'the operator aborted'),
  edge('failed', 'migrating', 'the operator retried; ranges are pending'),
  edge('failed', 'verifying', 'the operator retried; only the verification is left'),
  edge('failed', 'aborted', 'the operator gave it up'),
  edge('done', 'pending', 'the cell is not what was verified: work came back pending'),
  edge('baking', 'pending', 'the cell is not what was verified: work came back pending'),
  edge('done', 'undoing', 'an undo was asked for'),
  edge('aborted', 'undoing', 'an undo was asked for'),
  edge('failed', 'undoing', 'an undo was asked for'),
  edge('undone', 'undoing', 'an undo of an older run was asked for'),
  edge('undoing', 'undone', 'every change of the run is undone or listed as a conflict'),
  edge('undoing', 'failed', 'a rule was broken'),
  edge('baking', 'failed', 'the cell has an undo that control does not know'),
  edge('done', 'failed', 'the cell has an undo that control does not know'),
  edge('undone', 'failed', 'the cell is not what was undone: some of it came back'),
];
