// Why a run ended in the stage failed. Besides these, the name of the constraint that a write broke.

export const FAILURES = {
  verification_mismatch: 'stored allotments, or orgs of the canary, differ from the rule',
  plan_edited: 'a range of the plan does not match its digest; nothing of it was written',
  plan_unknown: 'the run follows no plan, as an earlier version could begin it',
  quarantine_exceeded: 'more orgs cannot be decided than the plan had and `quarantinedShare` allows',
  source_row_security: 'row-level security began to hide rows of the source from us',
  batch_too_slow: 'a batch that cannot be split further takes longer than its time-out',
  source_too_slow: 'the source cannot be read range by range in time; `org_id` may have no index',
  undo_lost: 'a failover or a restore lost the end of an undo; ask for it again',
  undo_forgotten: 'the cell has an undo that control does not know: control was restored',
  rule_violation: 'a write broke the promise, and the database named no constraint',
} as const;
export type Failure = keyof typeof FAILURES;

export const isFailure = (code: string): code is Failure => Object.hasOwn(FAILURES, code);
