// Why: who lost the right to approve and got it back approved again what they had approved before in the cells.
import { recordLoginSql } from '../login-powers.js';
import type { Migration } from '../migration.js';

/** Why: an override, a repair or an adoption is valid for an hour, and a night that has begun for longer. */
export const voidCellApprovals: Migration = {
  name: '20261130050300_pre_void_cell_approvals',
  up: `
alter table credit_rollout_control.cell_proposals add lost_at timestamptz;
alter table credit_rollout_control.reconcile_requests add lost_at timestamptz;
comment on column credit_rollout_control.cell_proposals.lost_at is
  'a scheduler saw that its approver may no longer approve: somebody has to approve it again';
comment on column credit_rollout_control.reconcile_requests.lost_at is
  'a scheduler saw that its approver may no longer approve: the night keeps to its limits';

create or replace function credit_rollout_control.keep_cell_proposal() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  -- nobody but record_lost_approvals may write it
  if tg_op = 'UPDATE' and new.lost_at is distinct from old.lost_at
     and to_jsonb(new) - 'lost_at' = to_jsonb(old) - 'lost_at' then
    return new;
  end if;
  if tg_op <> 'UPDATE' or old.state = 'withdrawn' or new.state = 'proposed'
     or old.state = 'approved' and new.state = 'withdrawn'
     or (new.data_center, new.kind, new.number, new.digest, new.author, new.proposed_at)
       is distinct from (old.data_center, old.kind, old.number, old.digest, old.author, old.proposed_at) then
    raise exception 'a proposal is decided once, and never changed' using errcode = 'restrict_violation';
  end if;
  if new.state = 'approved' and not credit_rollout_control.has_role('approver') then
    raise exception 'this login may not approve' using errcode = 'insufficient_privilege';
  end if;
  new.decided_at := clock_timestamp();
  new.approver := case new.state when 'approved' then credit_rollout_control.person() end;
  new.lost_at := null;
  return new;
end $$;
drop trigger cell_proposals_sign_login on credit_rollout_control.cell_proposals;
create trigger cell_proposals_sign_login before update on credit_rollout_control.cell_proposals for each row
  when (new.state = 'approved' and new.lost_at is null) execute function credit_rollout_control.sign_approver_login();

create or replace function credit_rollout_control.record_lost_approvals() returns integer language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  voided integer := 0; changed integer;
begin
  update credit_rollout_control.approvals a
    set voided_at = clock_timestamp(), void_reason = 'its approver may no longer approve'
    where a.kind = 'person' and a.used_at is null and a.voided_at is null and a.expires_at > clock_timestamp()
      and not credit_rollout_control.is_still_approver(a.approver, a.approver_login);
  get diagnostics changed = row_count;
  voided := voided + changed;
  update credit_rollout_control.reconcile_requests q set state = 'withdrawn'
    where q.state = 'approved' and q.run_id is null and q.ended_at is null
      and not credit_rollout_control.is_still_approver(q.approver, q.approver_login);
  get diagnostics changed = row_count;
  voided := voided + changed;
  update credit_rollout_control.reconcile_requests q set lost_at = clock_timestamp()
    where q.state = 'approved' and q.run_id is not null and q.ended_at is null and q.lost_at is null
      and not credit_rollout_control.is_still_approver(q.approver, q.approver_login);
  get diagnostics changed = row_count;
  voided := voided + changed;
  update credit_rollout_control.cell_proposals p set lost_at = clock_timestamp()
    where p.state = 'approved' and p.lost_at is null and p.decided_at > clock_timestamp() - interval '1 hour'
      and not credit_rollout_control.is_still_approver(p.approver, p.approver_login);
  get diagnostics changed = row_count;
  return voided + changed;
end $$;`,
};

export const sealFreshApprovals: Migration = {
  name: '20261130050400_pre_seal_fresh_approvals',
  up: `
create or replace function credit_rollout_control.seal_cell_proposal(dc text, action text, num bigint, hash text)
  returns jsonb language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select credit_rollout_control.seal(p.data_center, p.kind, jsonb_build_object(
    'number', p.number, 'digest', p.digest, 'author', p.author, 'approver', p.approver))
  from credit_rollout_control.cell_proposals p
  where p.data_center = dc and p.kind = action and p.number = num and p.state = 'approved'
    and p.digest = hash and p.decided_at > clock_timestamp() - interval '1 hour' and p.lost_at is null
    and credit_rollout_control.is_still_approver(p.approver, p.approver_login)
    and credit_rollout_control.is_committed(p.xmin)
$$;

create or replace function credit_rollout_control.seal_maintenance(run bigint) returns jsonb language sql stable
  security definer set search_path = pg_catalog, pg_temp as $$
  select credit_rollout_control.seal(r.data_center, 'maintenance', jsonb_build_object(
    'run_id', r.run_id, 'of', r.kind, 'batch_size', d.plan -> 'batchSize', 'lanes', d.plan -> 'lanes',
    'max_changed', credit_rollout_control.setting('reconcile.maxChanged'),
    'max_lapsed', credit_rollout_control.setting('reconcile.maxLapsed'),
    'allow_falls', exists (select from credit_rollout_control.reconcile_requests q
      where q.run_id = r.run_id and q.data_center = r.data_center and q.ended_at is null and q.allow_falls
        and q.state = 'approved' and q.decided_at > clock_timestamp() - interval '72 hours' and q.lost_at is null
        and credit_rollout_control.is_still_approver(q.approver, q.approver_login)
        and credit_rollout_control.is_committed(q.xmin))))
  from credit_rollout_control.runs r join credit_rollout_control.data_centers d on d.id = r.data_center
  where r.run_id = run and r.state = 'open' and credit_rollout_control.is_committed(r.xmin)
    and (r.kind = 'sweep' or r.kind = 'reconcile' and (
      exists (select from credit_rollout_control.reconcile_requests q
        where q.run_id = r.run_id and q.data_center = r.data_center and q.ended_at is null)
      or exists (select from credit_rollout_control.due_work w
        where w.run_id = r.run_id and w.data_center = r.data_center and w.kind = 'reconcile' and w.state = 'running')))
$$;

create or replace function credit_rollout_control.seal_run(run bigint) returns jsonb language sql stable
  security definer set search_path = pg_catalog, pg_temp as $$
  select credit_rollout_control.seal(a.data_center, 'run', jsonb_build_object(
    'run_id', a.used_by_run, 'plan_id', substring(a.plan_id from '[0-9]+$')::bigint, 'digest', a.digest,
    'card_hash', p.card_hash, 'batch_size', d.plan -> 'batchSize', 'lanes', d.plan -> 'lanes',
    'rails', d.plan -> 'guardRails', 'canary_wait_ms', d.plan -> 'canaryWaitMs', 'approval', a.kind,
    'author', a.author, 'approver', a.approver))
  from credit_rollout_control.approvals a
  join credit_rollout_control.runs r on r.run_id = a.used_by_run and r.data_center = a.data_center
  join credit_rollout_control.data_centers d on d.id = a.data_center
  join credit_rollout_control.plans p on p.plan_id = a.plan_id and p.digest = a.digest
  where a.used_by_run = run and r.state = 'open' and r.kind = 'migrate' and r.plan_id = a.plan_id
    and d.run_id = run and d.plan_id = a.plan_id and d.stage in ('canary', 'migrating', 'verifying')
    and credit_rollout_control.is_committed(a.xmin) and credit_rollout_control.is_committed(d.xmin)
$$;`,
};

const ALLOWED = '_(fencer|reader)$|^credit_rollout_control_scheduler$';

/** Why: a scheduler's login that could also write in a cell was told to have no more. */
export const recordAllSchedulerPowers: Migration = {
  name: '20261130050500_pre_record_all_powers',
  up: `
create or replace function credit_rollout_control.record_scheduler_login() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin${recordLoginSql({ allowed: ALLOWED, prefix: `'credit_rollout_control_'` })}
end $$;
comment on column credit_rollout_control.schedulers.powers is
  'what the login may do beyond a scheduler: superuser, createrole, owner, or other roles of this server';`,
};
