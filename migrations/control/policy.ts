// Why: the policy that judges a rollout belonged to whoever asked for it: their own configuration, or one UPDATE. It is
// rows of this database now: the owner sets it once, and it changes by a proposal that a second person approves.
import type { Migration } from '../migration.js';

/** Old code neither reads nor writes any of this. */
export const createPolicy: Migration = {
  name: '20261129020000_pre_create_policy',
  up: `
create table credit_rollout_control.policy (
  name text primary key check (name ~ '^[A-Za-z]+[.][A-Za-z0-9.-]+$'),
  value jsonb not null,
  set_by text not null,
  set_at timestamptz not null,
  change_id bigint
);
comment on table credit_rollout_control.policy is
  'the settings that judge a rollout, by their key in the configuration; set by the first init, then by approved changes';
comment on column credit_rollout_control.policy.value is 'as the configuration writes it; null: none';
comment on column credit_rollout_control.policy.set_by is 'who ran init, or approved the change';
comment on column credit_rollout_control.policy.change_id is 'the change that set it; null: init';

create table credit_rollout_control.policy_changes (
  change_id bigint generated always as identity primary key,
  name text not null references credit_rollout_control.policy,
  from_value jsonb not null,
  to_value jsonb not null,
  reason text not null check (reason <> ''),
  author text not null,
  proposed_at timestamptz not null default clock_timestamp(),
  approver text,
  decided_at timestamptz,
  state text not null default 'proposed' check (state in ('proposed', 'applied', 'withdrawn')),
  alone boolean not null default false,
  constraint policy_changes_two_people_check check (approver is null or approver <> author or alone),
  constraint policy_changes_applied_check check (state <> 'applied' or (approver is not null and decided_at is not null))
);
comment on table credit_rollout_control.policy_changes is
  'proposals to change the policy: applied when a second person approves, or withdrawn; kept for ever';
comment on column credit_rollout_control.policy_changes.alone is
  'one person proposed and approved it, which the embedded servers allow';
create unique index policy_changes_open_idx on credit_rollout_control.policy_changes (name) where state = 'proposed';
alter table credit_rollout_control.policy
  add constraint policy_change_id_fkey foreign key (change_id) references credit_rollout_control.policy_changes;

-- The value of a setting; null: none. What rules read, and no secret.
create function credit_rollout_control.setting(wanted text) returns jsonb language sql stable begin atomic
  select nullif(p.value, 'null'::jsonb) from credit_rollout_control.policy p where p.name = wanted;
end;

-- After the first apply has pinned them, these instants change in their own way.
create function credit_rollout_control.is_pinned_setting(wanted text) returns boolean language sql stable begin atomic
  select wanted in ('rollout.notBefore', 'signups.cutover') and r.pinned_at is not null
  from credit_rollout_control.rollout r;
end;

create function credit_rollout_control.bind_policy_change() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  select p.value into new.from_value from credit_rollout_control.policy p where p.name = new.name;
  if not found then
    raise exception 'there is no setting %', new.name
      using errcode = 'foreign_key_violation', constraint = 'policy_changes_name_fkey';
  end if;
  if new.from_value = new.to_value then
    raise exception 'the setting % has this value', new.name
      using errcode = 'check_violation', constraint = 'policy_changes_changes_check';
  end if;
  if credit_rollout_control.is_pinned_setting(new.name) then
    raise exception 'the first apply has pinned %', new.name
      using errcode = 'check_violation', constraint = 'policy_changes_unpinned_check';
  end if;
  new.author := credit_rollout_control.person();
  new.proposed_at := clock_timestamp();
  new.approver := null;
  new.decided_at := null;
  new.state := 'proposed';
  new.alone := false;
  return new;
end $$;
create trigger policy_changes_bind before insert on credit_rollout_control.policy_changes
  for each row execute function credit_rollout_control.bind_policy_change();

create function credit_rollout_control.keep_policy_change() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if tg_op <> 'UPDATE' or old.state <> 'proposed' or new.state = 'proposed'
     or (new.change_id, new.name, new.from_value, new.to_value, new.reason, new.author, new.proposed_at)
        is distinct from
        (old.change_id, old.name, old.from_value, old.to_value, old.reason, old.author, old.proposed_at) then
    raise exception 'a change of the policy is decided once, and never changed' using errcode = 'restrict_violation';
  end if;
  new.decided_at := clock_timestamp();
  new.approver := case new.state when 'applied' then credit_rollout_control.person() end;
  new.alone := coalesce(new.approver = new.author, false)
    and (select r.embedded from credit_rollout_control.rollout r);
  if new.state = 'applied' and (credit_rollout_control.is_pinned_setting(new.name) or new.from_value is distinct from (
       select p.value from credit_rollout_control.policy p where p.name = new.name)) then
    raise exception 'the change of % is outdated', new.name
      using errcode = 'check_violation', constraint = 'policy_changes_current_check';
  end if;
  return new;
end $$;
create trigger policy_changes_kept before update or delete on credit_rollout_control.policy_changes
  for each row execute function credit_rollout_control.keep_policy_change();
create trigger policy_changes_check_approver before update on credit_rollout_control.policy_changes for each row
  when (new.state = 'applied') execute function credit_rollout_control.check_second_person();
create trigger policy_changes_refuse_truncate before truncate on credit_rollout_control.policy_changes
  for each statement execute function credit_rollout_control.refuse_change();

-- An approved change is in force at once. With the owner's rights: no login may write the policy.
create function credit_rollout_control.apply_policy_change() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_relid <> 'credit_rollout_control.policy_changes'::regclass then
    raise exception 'not for this table' using errcode = 'insufficient_privilege';
  end if;
  update credit_rollout_control.policy set value = new.to_value, change_id = new.change_id where name = new.name;
  return null;
end $$;
create trigger policy_changes_apply after update on credit_rollout_control.policy_changes for each row
  when (new.state = 'applied') execute function credit_rollout_control.apply_policy_change();

-- Inserted by init; changed by the newest approved change only. Init may also add data centers to their order.
create function credit_rollout_control.keep_policy() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if tg_op = 'DELETE' then
    raise exception 'a setting is never removed' using errcode = 'restrict_violation';
  end if;
  if tg_op = 'INSERT' then
    new.change_id := null;
  elsif new.name <> old.name or not (
      exists (
        select from credit_rollout_control.policy_changes c
        where c.change_id = new.change_id and c.name = new.name and c.state = 'applied'
          and c.from_value = old.value and c.to_value = new.value
          and c.change_id > coalesce(old.change_id, 0))
      or (new.name = 'dataCenters.order' and new.change_id is not distinct from old.change_id
        and old.value = (
          select jsonb_agg(e.id order by e.place)
          from jsonb_array_elements(new.value) with ordinality e (id, place)
          where old.value @> jsonb_build_array(e.id)))) then
    raise exception 'the policy changes by approved proposals only' using errcode = 'restrict_violation';
  end if;
  new.set_by := credit_rollout_control.person();
  new.set_at := clock_timestamp();
  return new;
end $$;
create trigger policy_kept before insert or update or delete on credit_rollout_control.policy
  for each row execute function credit_rollout_control.keep_policy();
create trigger policy_refuse_truncate before truncate on credit_rollout_control.policy
  for each statement execute function credit_rollout_control.refuse_change();

-- Order and zones are columns of data_centers, which every other table refers to.
create function credit_rollout_control.copy_policy() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if new.name = 'dataCenters.order' then
    update credit_rollout_control.data_centers d set position = e.place - 1
      from jsonb_array_elements_text(new.value) with ordinality e (id, place)
      where d.id = e.id and d.position <> e.place - 1;
  else
    update credit_rollout_control.data_centers d set zone = new.value #>> '{}'
      where new.name = 'dataCenters.' || d.id || '.zone' and d.zone <> new.value #>> '{}';
  end if;
  return null;
end $$;
create trigger policy_copy after update on credit_rollout_control.policy for each row
  when (new.name = 'dataCenters.order' or new.name like 'dataCenters.%.zone')
  execute function credit_rollout_control.copy_policy();

alter table credit_rollout_control.schedulers add differs text[] not null default '{}';
comment on column credit_rollout_control.schedulers.differs is
  'settings that its configuration writes otherwise than the policy; the policy is used';
comment on column credit_rollout_control.rollout.reconcile is 'no longer read: the policy has these settings';`,
};
