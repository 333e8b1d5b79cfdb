// Why: people must be told what waits for them, wherever they are, and exactly that. What is told is written in the
// transaction of what happened, by triggers, so that no version of the program can forget it.
import { checkInstantsSql } from '../instants.js';
import type { Migration } from '../migration.js';
import { boundNumbersSql } from '../numbers.js';
import { checkTextsSql } from '../texts.js';
import { CONTROL_LIMITS } from './texts.js';

/** A name of what waits for a second person, as `approve` takes it; of a row `n` as jsonb. */
const PROPOSALS: Readonly<Record<string, string>> = {
  postponements: `(n ->> 'data_center') || '-c' || (n ->> 'postponement_id')`,
  reversals: `(n ->> 'data_center') || '-r' || (n ->> 'reversal_id')`,
  policy_changes: `'s' || (n ->> 'change_id')`,
  reconcile_requests: `(n ->> 'data_center') || '-f' || (n ->> 'request_id')`,
  cell_proposals: `(n ->> 'data_center') || case n ->> 'kind' when 'override' then '-o' when 'repair' then '-p'
      when 'adoption' then '-a' end || (n ->> 'number')`,
};

/** Old code tells too: triggers do it. Where no webhook is configured nothing is written. */
export const createWebhooks: Migration = {
  name: '20261203060000_pre_create_webhooks',
  up: `
create table credit_rollout_control.webhooks (
  webhook text primary key check (webhook ~ '^[a-z][a-z0-9-]{0,30}$'),
  seen_at timestamptz not null default clock_timestamp(),
  failures integer not null default 0 check (failures between 0 and 1000000),
  error text check (error ~ '^[0-9A-Za-z_]{1,40}$'),
  failing_since timestamptz,
  next_attempt_at timestamptz not null default clock_timestamp(),
  leased_until timestamptz
);
comment on table credit_rollout_control.webhooks is 'who is told: the webhooks that schedulers have in their configuration';
comment on column credit_rollout_control.webhooks.seen_at is 'when a scheduler that has it in its configuration was last seen';
comment on column credit_rollout_control.webhooks.failures is 'failed attempts since the last message that was taken';
comment on column credit_rollout_control.webhooks.error is 'code of the last attempt; null: it was taken';
comment on column credit_rollout_control.webhooks.leased_until is 'a scheduler is sending until then';

create table credit_rollout_control.webhook_events (
  event_id bigint generated always as identity primary key,
  message_id uuid not null default gen_random_uuid(),
  kind text not null check (kind in ('hold.began', 'hold.ended', 'stage.changed', 'signups.switched', 'signups.swept',
    'approval.needed')),
  data_center text,
  hold_id bigint,
  code text not null,
  value text,
  limit_value text,
  release text,
  needs_person boolean not null default false,
  since timestamptz not null,
  until timestamptz,
  due_at timestamptz not null default clock_timestamp()
);
comment on table credit_rollout_control.webhook_events is 'what is told, written in the transaction of what it tells';
comment on column credit_rollout_control.webhook_events.message_id is 'the same in every attempt and for every webhook';
comment on column credit_rollout_control.webhook_events.due_at is
  'a hold that needs no person is told a minute after it began, and not at all if it has ended then';
create index webhook_events_hold_idx on credit_rollout_control.webhook_events (hold_id) where hold_id is not null;

create table credit_rollout_control.webhook_deliveries (
  webhook text not null references credit_rollout_control.webhooks on delete cascade,
  event_id bigint not null references credit_rollout_control.webhook_events on delete cascade,
  due_at timestamptz not null,
  state text not null default 'waiting' check (state in ('waiting', 'delivered', 'dead')),
  attempts integer not null default 0 check (attempts between 0 and 1000000),
  error text check (error ~ '^[0-9A-Za-z_]{1,40}$'),
  settled_at timestamptz,
  primary key (webhook, event_id)
);
comment on column credit_rollout_control.webhook_deliveries.attempts is 'failed attempts';
create index webhook_deliveries_event_idx on credit_rollout_control.webhook_deliveries (event_id);
create index webhook_deliveries_waiting_idx on credit_rollout_control.webhook_deliveries (webhook, due_at, event_id)
  where state = 'waiting';
create index webhook_deliveries_dead_idx on credit_rollout_control.webhook_deliveries (webhook, event_id)
  where state = 'dead';

-- When, by this clock; and no login may silence a webhook for long, or add one for every message.
create function credit_rollout_control.sign_webhook() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if tg_op = 'INSERT' then
    if (select count(*) from credit_rollout_control.webhooks) >= 20 then
      raise exception 'there are at most 20 webhooks' using errcode = 'check_violation',
        constraint = 'webhooks_count_check';
    end if;
    new.seen_at := clock_timestamp();
  elsif new.seen_at is distinct from old.seen_at then
    new.seen_at := clock_timestamp();
  end if;
  new.failing_since := case when new.failures = 0 then null
    when tg_op = 'UPDATE' then coalesce(old.failing_since, clock_timestamp()) else clock_timestamp() end;
  new.next_attempt_at := least(new.next_attempt_at, clock_timestamp() + interval '8 hours');
  -- least(null, …) would be the other one
  if new.leased_until > clock_timestamp() + interval '1 minute' then
    new.leased_until := clock_timestamp() + interval '1 minute';
  end if;
  return new;
end $$;
create trigger webhooks_sign before insert or update on credit_rollout_control.webhooks
  for each row execute function credit_rollout_control.sign_webhook();

create function credit_rollout_control.sign_delivery() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if new.due_at is distinct from old.due_at then new.due_at := clock_timestamp(); end if;
  new.settled_at := case when new.state = 'waiting' then null when new.state = old.state then old.settled_at
    else clock_timestamp() end;
  return new;
end $$;
create trigger webhook_deliveries_sign before update on credit_rollout_control.webhook_deliveries
  for each row execute function credit_rollout_control.sign_delivery();

${['webhooks', 'webhook_events', 'webhook_deliveries']
  .map(
    (table) => `create trigger ${table}_read_committed before insert or update or delete
  on credit_rollout_control.${table}
  for each statement execute function credit_rollout_control.require_read_committed();`,
  )
  .join('\n')}

-- With the owner's rights, as all that follow: no login may write what is told.
create function credit_rollout_control.address_event() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_relid <> 'credit_rollout_control.webhook_events'::regclass then
    raise exception 'not for this table' using errcode = 'insufficient_privilege';
  end if;
  insert into credit_rollout_control.webhook_deliveries (webhook, event_id, due_at)
    select w.webhook, new.event_id, new.due_at from credit_rollout_control.webhooks w;
  return null;
end $$;
create trigger webhook_events_address after insert on credit_rollout_control.webhook_events
  for each row execute function credit_rollout_control.address_event();

create function credit_rollout_control.tell_hold() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  held credit_rollout_control.holds;
  began credit_rollout_control.webhook_events;
begin
  if tg_relid <> 'credit_rollout_control.hold_log'::regclass then
    raise exception 'not for this table' using errcode = 'insufficient_privilege';
  end if;
  -- its stage tells that a rollout failed
  if new.code = 'failed' or not exists (select from credit_rollout_control.webhooks) then return null; end if;
  if new.until is null then
    select h.* into held from credit_rollout_control.holds h
      where h.data_center = new.data_center and h.code = new.code;
    insert into credit_rollout_control.webhook_events
      (kind, data_center, hold_id, code, value, limit_value, release, needs_person, since, due_at)
      values ('hold.began', new.data_center, new.hold_id, new.code, new.value, held.limit_value, held.release,
        coalesce(held.needs_person, false), new.since, case when held.needs_person then clock_timestamp()
          else greatest(new.since + interval '1 minute', clock_timestamp()) end);
    return null;
  end if;
  if tg_op = 'UPDATE' then
    delete from credit_rollout_control.webhook_events e
      where e.hold_id = new.hold_id and e.kind = 'hold.began' and e.due_at > clock_timestamp();
    select e.* into began from credit_rollout_control.webhook_events e
      where e.hold_id = new.hold_id and e.kind = 'hold.began';
    if began.event_id is null then return null; end if;
  end if;
  insert into credit_rollout_control.webhook_events
    (kind, data_center, hold_id, code, value, limit_value, needs_person, since, until)
    values ('hold.ended', new.data_center, new.hold_id, new.code, new.value, began.limit_value,
      coalesce(began.needs_person, true), new.since, new.until);
  return null;
end $$;
create trigger hold_log_told_began after insert on credit_rollout_control.hold_log
  for each row execute function credit_rollout_control.tell_hold();
create trigger hold_log_told_ended after update on credit_rollout_control.hold_log for each row
  when (old.until is null and new.until is not null) execute function credit_rollout_control.tell_hold();

create function credit_rollout_control.tell_stage() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_relid <> 'credit_rollout_control.data_centers'::regclass then
    raise exception 'not for this table' using errcode = 'insufficient_privilege';
  end if;
  if not exists (select from credit_rollout_control.webhooks) then return null; end if;
  if new.stage <> old.stage then
    insert into credit_rollout_control.webhook_events (kind, data_center, code, value, needs_person, since)
      values ('stage.changed', new.id, new.stage, old.stage, new.stage = 'failed', clock_timestamp());
  end if;
  if old.gate_latched_at is null and new.gate_latched_at is not null then
    insert into credit_rollout_control.webhook_events (kind, data_center, code, since)
      values ('signups.switched', new.id, 'switched', least(new.gate_effective_at, new.gate_latched_at));
  end if;
  if old.gate_swept_at is null and new.gate_swept_at is not null then
    insert into credit_rollout_control.webhook_events (kind, data_center, code, since)
      values ('signups.swept', new.id, 'swept', new.gate_swept_at);
  end if;
  return null;
end $$;
create trigger data_centers_told after update on credit_rollout_control.data_centers for each row
  when (old.stage <> new.stage or old.gate_latched_at is distinct from new.gate_latched_at
    or old.gate_swept_at is distinct from new.gate_swept_at)
  execute function credit_rollout_control.tell_stage();

create function credit_rollout_control.tell_proposal() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  n jsonb := to_jsonb(new);
  waiting text;
begin
  if not exists (select from credit_rollout_control.webhooks) or n ->> 'state' <> 'proposed' then return null; end if;
  case tg_relid
${Object.entries(PROPOSALS)
  .map(([table, name]) => `    when 'credit_rollout_control.${table}'::regclass then waiting := ${name};`)
  .join('\n')}
    else raise exception 'not for this table' using errcode = 'insufficient_privilege';
  end case;
  if waiting is null then return null; end if;
  insert into credit_rollout_control.webhook_events (kind, data_center, code, value, needs_person, since)
    values ('approval.needed', n ->> 'data_center', coalesce(n ->> 'kind', case tg_table_name
      when 'postponements' then 'postponement' when 'reversals' then 'reversal'
      when 'policy_changes' then 'setting' else 'falls' end), waiting, true, clock_timestamp());
  return null;
end $$;
${Object.keys(PROPOSALS)
  .map(
    (table) => `create trigger ${table}_told after insert on credit_rollout_control.${table}
  for each row execute function credit_rollout_control.tell_proposal();`,
  )
  .join('\n')}

-- What was delivered a week ago, what was given up or is waiting for a month, and webhooks that no scheduler has had in
-- its configuration for a week; returns how many messages.
create function credit_rollout_control.purge_webhooks() returns integer language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  purged integer;
begin
  delete from credit_rollout_control.webhooks where seen_at < clock_timestamp() - interval '7 days';
  delete from credit_rollout_control.webhook_events e
    where e.due_at < clock_timestamp() - interval '30 days'
      or e.due_at < clock_timestamp() - interval '7 days' and not exists (
        select from credit_rollout_control.webhook_deliveries d
        where d.event_id = e.event_id and (d.state <> 'delivered'
          or d.settled_at >= clock_timestamp() - interval '7 days'));
  get diagnostics purged = row_count;
  return purged;
end $$;
revoke all on function credit_rollout_control.sign_webhook, credit_rollout_control.sign_delivery,
  credit_rollout_control.address_event, credit_rollout_control.tell_hold, credit_rollout_control.tell_stage,
  credit_rollout_control.tell_proposal, credit_rollout_control.purge_webhooks from public;
${checkInstantsSql('credit_rollout_control', [])}
${boundNumbersSql('credit_rollout_control', [])}
${checkTextsSql('credit_rollout_control', CONTROL_LIMITS)}`,
};
