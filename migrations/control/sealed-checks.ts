// Why: which checks hold our writes is a setting of the policy, and a scheduler's login wrote others into a cell.
import type { Migration } from '../migration.js';

/**
 * Why: control says to the cell which checks a run has, as it says its lanes: those of its request, and of a night or a
 * sweep those of the policy in force. Cells of an earlier version pass over them. And no night is sealed
 * under a number that control did not take, and no sweep where it knows of no cut-over that is to be swept.
 */
export const sealChecks: Migration = {
  name: '20261203021000_pre_seal_checks',
  up: `
create or replace function credit_rollout_control.seal_run(run bigint) returns jsonb language sql volatile
  security definer set search_path = pg_catalog, pg_temp as $$
  select credit_rollout_control.seal(a.data_center, 'run', jsonb_build_object(
    'run_id', a.used_by_run, 'plan_id', substring(a.plan_id from '[0-9]+$')::bigint, 'digest', a.digest,
    'card_hash', p.card_hash, 'batch_size', d.plan -> 'batchSize', 'lanes', d.plan -> 'lanes',
    'rails', d.plan -> 'guardRails', 'canary_wait_ms', d.plan -> 'canaryWaitMs',
    'checks', coalesce(d.plan -> 'checks', '[]'), 'approval', a.kind, 'author', a.author, 'approver', a.approver))
  from credit_rollout_control.approvals a
  join credit_rollout_control.runs r on r.run_id = a.used_by_run and r.data_center = a.data_center
  join credit_rollout_control.data_centers d on d.id = a.data_center
  join credit_rollout_control.plans p on p.plan_id = a.plan_id and p.digest = a.digest
  where a.used_by_run = run and r.state = 'open' and r.kind = 'migrate' and r.plan_id = a.plan_id
    and d.run_id = run and d.plan_id = a.plan_id and d.stage in ('canary', 'migrating', 'verifying')
    and credit_rollout_control.is_committed(a.xmin) and credit_rollout_control.is_committed(d.xmin)
$$;

create or replace function credit_rollout_control.seal_maintenance(run bigint) returns jsonb language sql volatile
  security definer set search_path = pg_catalog, pg_temp as $$
  select credit_rollout_control.seal(r.data_center, 'maintenance', jsonb_build_object(
    'run_id', r.run_id, 'of', r.kind, 'batch_size', d.plan -> 'batchSize', 'lanes', d.plan -> 'lanes',
    'max_changed', credit_rollout_control.setting('reconcile.maxChanged'),
    'max_lapsed', credit_rollout_control.setting('reconcile.maxLapsed'),
    'checks', credit_rollout_control.run_policy() -> 'checks',
    'allow_falls', exists (select from credit_rollout_control.reconcile_requests q
      where q.run_id = r.run_id and q.data_center = r.data_center and q.ended_at is null and q.allow_falls
        and q.state = 'approved' and q.decided_at > clock_timestamp() - interval '72 hours' and q.lost_at is null
        and credit_rollout_control.is_still_approver(q.approver, q.approver_login)
        and credit_rollout_control.is_committed(q.xmin))))
  from credit_rollout_control.runs r join credit_rollout_control.data_centers d on d.id = r.data_center
  where r.run_id = run and r.state = 'open' and credit_rollout_control.is_committed(r.xmin)
    and greatest(r.run_id, r.epoch) <= (select c.epoch from credit_rollout_control.rollout c)
    and (r.kind = 'sweep' and d.gate_latched_at is not null and d.gate_swept_at is null
      or r.kind = 'reconcile' and (
      exists (select from credit_rollout_control.reconcile_requests q
        where q.run_id = r.run_id and q.data_center = r.data_center and q.ended_at is null)
      or exists (select from credit_rollout_control.due_work w
        where w.run_id = r.run_id and w.data_center = r.data_center and w.kind = 'reconcile' and w.state = 'running')))
$$;`,
};
