// The seal that a cell would make of an invented plan, made with control's copy of the key, as its owner.
import type { NewRegisteredPlan } from '../../src/stores/control/plans.js';
import type { Sql } from './invariants.js';

type SealedPlan = Pick<NewRegisteredPlan, 'planId' | 'dataCenter' | 'digest' | 'cardHash' | 'snapshotAt' | 'counts'>;

/** As text, as the program hands it on. */
export async function sealTestPlan(control: Sql, plan: SealedPlan): Promise<string> {
  const [row] = await control(
    `select credit_rollout_control.seal($1, 'plan', jsonb_build_object('plan_id', $2::text, 'digest', $3::text,
       'card_hash', $4::text, 'snapshot_at', $5::text, 'counts', $6::jsonb))::text as seal`,
    [plan.dataCenter, plan.planId, plan.digest, plan.cardHash, plan.snapshotAt, JSON.stringify(plan.counts)],
  );
  return String(row?.seal);
}
