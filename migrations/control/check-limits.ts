// Why: a check that is too strict or too loose for one data center could be changed only by a change of the policy, an
// abort and another rollout; and a run kept the checks of its request, so what two people agreed on reached none.
import { checkInstantsSql } from '../instants.js';
import type { Migration } from '../migration.js';
import { boundNumbersSql } from '../numbers.js';
import { checkTextsSql } from '../texts.js';
import { CONTROL_LIMITS } from './texts.js';

// as the program has them; a test compares them with the domain's
const OWN_LIMITS = '{"probe": 2, "lag": 1000, "archive": 60000, "lockWaits": 4, "batchTime": 1000}';
const BUILT_IN = '{probe,lag,archive,sessions,wal,lockWaits,batchTime}';
const MS = `case jsonb_typeof(e.spec -> 'limit') when 'number' then (e.spec ->> 'limit')::float8
  when 'string' then extract(epoch from (e.spec ->> 'limit')::interval)::float8 * 1000
  else ('${OWN_LIMITS}'::jsonb ->> (e.spec ->> 'name'))::float8 end`;

/**
 * Why: one operator may make a check stricter, and by how a row counts it cannot become looser: the stricter of the
 * row and the policy holds. What is looser ends two hours after it was set, whatever a login sends. Old code reads none
 * of it.
 */
export const createCheckLimits: Migration = {
  name: '20261204050000_pre_create_check_limits',
  up: `
create table credit_rollout_control.check_limits (
  data_center text not null references credit_rollout_control.data_centers,
  name text not null check (name ~ '^[a-z][A-Za-z0-9_-]{0,30}$'),
  kind text not null check (kind in ('tightened', 'loosened')),
  limit_value float8 check (limit_value > 0 and limit_value < 'infinity'),
  reason text not null check (reason <> ''),
  set_by text not null,
  set_at timestamptz not null,
  until timestamptz,
  ended_at timestamptz,
  primary key (data_center, name, kind),
  constraint check_limits_tightened_check check (kind = 'loosened' or limit_value is not null and until is null),
  constraint check_limits_loosened_check check (
    kind = 'tightened' or until is not null and until <= set_at + interval '2 hours'),
  -- a calm read takes 1
  constraint check_limits_probe_check check (name <> 'probe' or limit_value > 1)
);
comment on table credit_rollout_control.check_limits is
  'what one operator set of the checks of a data center: stricter than the policy, or looser for two hours';
comment on column credit_rollout_control.check_limits.limit_value is 'in ms for a time; null: the check is off';
comment on column credit_rollout_control.check_limits.until is 'when it ends by itself; null: it is stricter, and stays';
comment on column credit_rollout_control.check_limits.ended_at is 'when somebody took it back';
create trigger check_limits_read_committed before insert or update or delete on credit_rollout_control.check_limits
  for each statement execute function credit_rollout_control.require_read_committed();
alter table credit_rollout_control.data_centers add checks_at timestamptz;
comment on column credit_rollout_control.data_centers.checks_at is
  'when a command changed the limit of a check last; null: none has';

create function credit_rollout_control.sign_check_limit() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if new.ended_at is not null then
    new.ended_at := clock_timestamp();
    if tg_op = 'UPDATE' then
      new.limit_value := old.limit_value; new.reason := old.reason;
      new.set_by := old.set_by; new.set_at := old.set_at; new.until := old.until;
      return new;
    end if;
  end if;
  if new.name <> all ('${BUILT_IN}') and not coalesce(credit_rollout_control.setting('rollout.checks'), '[]')
      @> jsonb_build_array(jsonb_build_object('name', new.name)) then
    raise exception 'there is no check %', new.name
      using errcode = 'check_violation', constraint = 'check_limits_known_check';
  end if;
  new.set_by := credit_rollout_control.person();
  new.set_at := clock_timestamp();
  new.until := case new.kind when 'loosened' then new.set_at + interval '2 hours' end;
  return new;
end $$;
create trigger check_limits_sign before insert or update on credit_rollout_control.check_limits
  for each row execute function credit_rollout_control.sign_check_limit();

-- With the owner's rights: the revision of its data center grows, and webhooks are told, now and when it ends.
create function credit_rollout_control.record_check_limit() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_relid <> 'credit_rollout_control.check_limits'::regclass then
    raise exception 'not for this table' using errcode = 'insufficient_privilege';
  end if;
  update credit_rollout_control.data_centers set checks_at = clock_timestamp() where id = new.data_center;
  if new.kind <> 'loosened' then return null; end if;
  delete from credit_rollout_control.webhook_events e
    where e.kind = 'check.restored' and e.data_center = new.data_center and e.code = new.name
      and e.due_at > clock_timestamp();
  if not found and new.ended_at is not null or not exists (select from credit_rollout_control.webhooks) then
    return null;
  end if;
  if new.ended_at is null then
    insert into credit_rollout_control.webhook_events (kind, data_center, code, value, since, until)
      values ('check.loosened', new.data_center, new.name, coalesce(new.limit_value::text, 'off'), new.set_at, new.until);
  end if;
  insert into credit_rollout_control.webhook_events (kind, data_center, code, since, until, due_at)
    values ('check.restored', new.data_center, new.name, new.set_at, coalesce(new.ended_at, new.until),
      coalesce(new.ended_at, new.until));
  return null;
end $$;
create trigger check_limits_recorded after insert or update on credit_rollout_control.check_limits
  for each row execute function credit_rollout_control.record_check_limit();
alter table credit_rollout_control.webhook_events drop constraint webhook_events_kind_check,
  add constraint webhook_events_kind_check check (kind in ('hold.began', 'hold.ended', 'stage.changed',
    'signups.switched', 'signups.swept', 'approval.needed', 'check.loosened', 'check.restored'));

-- The checks of a data center now: the policy's, the stricter ones, and what is looser with its end.
create function credit_rollout_control.checks_of(dc text) returns jsonb language sql volatile
  set search_path = pg_catalog, pg_temp as $$
  with base as (
    select e.place, e.spec, e.spec ->> 'name' as name, ${MS} as limit_value
    from jsonb_array_elements(coalesce(credit_rollout_control.setting('rollout.checks'),
      '[{"name": "probe"}, {"name": "lockWaits"}, {"name": "batchTime"}]')) with ordinality e (spec, place)
  ), set_now as (
    select l.name, l.kind, l.limit_value, l.until from credit_rollout_control.check_limits l
    where l.data_center = dc and l.ended_at is null and (l.until is null or l.until > clock_timestamp())
  )
  select coalesce(jsonb_agg(c.spec order by c.place, c.name), '[]') from (
    select b.place, b.name, b.spec
      || case when t.limit_value < b.limit_value then jsonb_build_object('limit', t.limit_value) else '{}' end
      || case when l.name is null then '{}' else jsonb_build_object('loosened',
        jsonb_build_object('limit', l.limit_value, 'until', l.until)) end as spec
    from base b
    left join set_now t on t.name = b.name and t.kind = 'tightened'
    left join set_now l on l.name = b.name and l.kind = 'loosened'
    union all
    select 1000, t.name, jsonb_build_object('name', t.name, 'limit', t.limit_value) from set_now t
    where t.kind = 'tightened' and t.name = any ('${BUILT_IN}') and not exists (select from base b where b.name = t.name)
  ) c
$$;

-- What a transaction has not committed is sealed for nobody: it would stay valid after a rollback.
create function credit_rollout_control.are_checks_committed(dc text) returns boolean language sql volatile
  set search_path = pg_catalog, pg_temp as $$
  select not exists (select from credit_rollout_control.check_limits l
      where l.data_center = dc and not credit_rollout_control.is_committed(l.xmin))
    and not exists (select from credit_rollout_control.policy p
      where p.name = 'rollout.checks' and not credit_rollout_control.is_committed(p.xmin))
$$;
revoke all on function credit_rollout_control.sign_check_limit, credit_rollout_control.record_check_limit,
  credit_rollout_control.checks_of, credit_rollout_control.are_checks_committed from public;
${checkInstantsSql('credit_rollout_control', [])}
${boundNumbersSql('credit_rollout_control', [])}
${checkTextsSql('credit_rollout_control', CONTROL_LIMITS)}`,
};

/**
 * Why: the revision grows with a limit too; and an open run gets the checks that are in force, not those of its
 * request. A request of an earlier version has none, and a run of it goes on without.
 */
export const sealChecksInForce: Migration = {
  name: '20261204050100_pre_seal_checks_in_force',
  up: `
create or replace function credit_rollout_control.record_verb() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if new.intent <> 'pause' then
    new.paused_at := null; new.paused_by := null; new.pause_reason := null; new.paused_until := null;
  elsif old.intent = 'pause'
      and (new.paused_until, new.pause_reason) is not distinct from (old.paused_until, old.pause_reason) then
    new.paused_at := old.paused_at; new.paused_by := old.paused_by;
  else
    if new.paused_until is distinct from old.paused_until
       and new.paused_until > clock_timestamp() + interval '30 days 1 hour' then
      raise exception 'a pause ends within 30 days' using errcode = 'check_violation',
        constraint = 'data_centers_pause_length_check';
    end if;
    new.paused_at := case when old.intent = 'pause' then old.paused_at else clock_timestamp() end;
    new.paused_by := credit_rollout_control.person();
  end if;
  if new.removed_at is not null then new.lanes := null; end if;
  if new.lanes is distinct from old.lanes then
    new.lanes_at := clock_timestamp();
    new.lanes_by := credit_rollout_control.person();
  else
    new.lanes_at := old.lanes_at; new.lanes_by := old.lanes_by;
  end if;
  new.revision := old.revision + (
    (new.intent, new.requested_at, new.paused_by, new.pause_reason, new.paused_until, new.cutover_at,
      new.lanes, new.checks_at)
      is distinct from
    (old.intent, old.requested_at, old.paused_by, old.pause_reason, old.paused_until, old.cutover_at,
      old.lanes, old.checks_at)
    or new.stage <> old.stage and 'failed' in (new.stage, old.stage))::integer;
  return new;
end $$;

create or replace function credit_rollout_control.seal_run(run bigint) returns jsonb language sql volatile
  security definer set search_path = pg_catalog, pg_temp as $$
  select credit_rollout_control.seal(a.data_center, 'run', jsonb_build_object(
    'run_id', a.used_by_run, 'plan_id', substring(a.plan_id from '[0-9]+$')::bigint, 'digest', a.digest,
    'card_hash', p.card_hash, 'batch_size', d.plan -> 'batchSize', 'lanes', d.plan -> 'lanes',
    'rails', d.plan -> 'guardRails', 'canary_wait_ms', d.plan -> 'canaryWaitMs',
    'checks', case when d.plan -> 'checks' is null then '[]' else credit_rollout_control.checks_of(d.id) end,
    'approval', a.kind, 'author', a.author, 'approver', a.approver))
  from credit_rollout_control.approvals a
  join credit_rollout_control.runs r on r.run_id = a.used_by_run and r.data_center = a.data_center
  join credit_rollout_control.data_centers d on d.id = a.data_center
  join credit_rollout_control.plans p on p.plan_id = a.plan_id and p.digest = a.digest
  where a.used_by_run = run and r.state = 'open' and r.kind = 'migrate' and r.plan_id = a.plan_id
    and d.run_id = run and d.plan_id = a.plan_id and d.stage in ('canary', 'migrating', 'verifying')
    and credit_rollout_control.is_committed(a.xmin) and credit_rollout_control.is_committed(d.xmin)
    and credit_rollout_control.are_checks_committed(d.id)
$$;

create or replace function credit_rollout_control.seal_maintenance(run bigint) returns jsonb language sql volatile
  security definer set search_path = pg_catalog, pg_temp as $$
  select credit_rollout_control.seal(r.data_center, 'maintenance', jsonb_build_object(
    'run_id', r.run_id, 'of', r.kind, 'batch_size', d.plan -> 'batchSize', 'lanes', d.plan -> 'lanes',
    'max_changed', credit_rollout_control.setting('reconcile.maxChanged'),
    'max_lapsed', credit_rollout_control.setting('reconcile.maxLapsed'),
    'checks', credit_rollout_control.checks_of(d.id),
    'allow_falls', exists (select from credit_rollout_control.reconcile_requests q
      where q.run_id = r.run_id and q.data_center = r.data_center and q.ended_at is null and q.allow_falls
        and q.state = 'approved' and q.decided_at > clock_timestamp() - interval '72 hours' and q.lost_at is null
        and credit_rollout_control.is_still_approver(q.approver, q.approver_login)
        and credit_rollout_control.is_committed(q.xmin))))
  from credit_rollout_control.runs r join credit_rollout_control.data_centers d on d.id = r.data_center
  where r.run_id = run and r.state = 'open' and credit_rollout_control.is_committed(r.xmin)
    and credit_rollout_control.are_checks_committed(d.id)
    and greatest(r.run_id, r.epoch) <= (select c.epoch from credit_rollout_control.rollout c)
    and (r.kind = 'sweep' and d.gate_latched_at is not null and d.gate_swept_at is null
      or r.kind = 'reconcile' and (
      exists (select from credit_rollout_control.reconcile_requests q
        where q.run_id = r.run_id and q.data_center = r.data_center and q.ended_at is null)
      or exists (select from credit_rollout_control.due_work w
        where w.run_id = r.run_id and w.data_center = r.data_center and w.kind = 'reconcile' and w.state = 'running')))
$$;

-- Of an open run of any kind: the checks that are in force now. Null: it is not open, or they are not committed.
create function credit_rollout_control.seal_checks(run bigint) returns jsonb language sql volatile
  security definer set search_path = pg_catalog, pg_temp as $$
  select credit_rollout_control.seal(d.id, 'checks', jsonb_build_object(
    'run_id', r.run_id, 'checks', credit_rollout_control.checks_of(d.id)))
  from credit_rollout_control.runs r join credit_rollout_control.data_centers d on d.id = r.data_center
  where r.run_id = run and r.state = 'open' and credit_rollout_control.is_committed(r.xmin)
    and (r.kind <> 'migrate' or d.run_id = r.run_id and d.plan -> 'checks' is not null)
    and credit_rollout_control.are_checks_committed(d.id)
$$;
revoke all on function credit_rollout_control.seal_checks from public;`,
};
