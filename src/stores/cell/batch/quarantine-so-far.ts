// How many orgs of a run could not be decided so far, beside what its plan had and its guard-rail allows.
import { selectRow } from '../../query.js';
import type { CellTransaction } from '../cell-database.js';

export interface QuarantineSoFar {
  /** In batches that are done. */
  readonly before: number;
  /** In the plan. */
  readonly planned: number;
  readonly orgs: number;
  /** 0 to 1; null: the run has no such guard-rail. */
  readonly maxShare: number | null;
}

export function readQuarantineSoFar(
  tx: CellTransaction,
  { runId, planId }: { readonly runId: bigint; readonly planId: bigint },
): Promise<QuarantineSoFar> {
  return selectRow<QuarantineSoFar>(
    tx,
    `select coalesce((select sum(b.quarantined) from credit_rollout.batches b
         where b.run_id = r.run_id and b.state = 'done'), 0)::int as before,
       coalesce((p.counts -> 'counts' ->> 'quarantined')::int, 0) as planned,
       coalesce((p.counts -> 'counts' ->> 'orgs')::int, 0) as orgs,
       (r.rails ->> 'quarantinedShare')::float8 as max_share
     from credit_rollout.runs r left join credit_rollout.plans p on p.plan_id = :plan_id::bigint
     where r.run_id = :run_id::bigint`,
    { run_id: runId, plan_id: planId },
  );
}
