// Why: the database itself enforces the promise, by a CHECK on the floor and by triggers that no writer can skip.
import type { Migration } from '../migration.js';

export const createAllotments: Migration = {
  name: '20261122020000_pre_create_allotments',
  up: `
create table credit_rollout.allotments (
  org_id credit_rollout.org_id primary key,
  edition text not null,
  paid boolean not null,
  agents bigint not null,
  light_agents bigint not null,
  negotiated_limit bigint,
  base_credits bigint not null,
  variable_credits bigint not null,
  additional_credits bigint not null,
  legacy_limit bigint not null,
  floor bigint,
  floor_edition text,
  unpaid_since date,
  grandfathered_credits bigint not null,
  total_credits bigint not null,
  concurrency_limit integer not null,
  winner text not null,
  origin text not null,
  rate_card text not null,
  run_id bigint,
  version integer not null default 1,
  computed_at timestamptz not null default now(),
  constraint allotments_promise_check check (
    not paid or floor is null or base_credits + variable_credits + grandfathered_credits >= floor),
  constraint allotments_total_check check (
    total_credits = base_credits + variable_credits + grandfathered_credits + additional_credits),
  constraint allotments_floor_edition_check check ((floor is null) = (floor_edition is null)),
  constraint allotments_winner_check check (winner in ('credits', 'legacy')),
  constraint allotments_origin_check check (origin in ('migrated', 'signup'))
);

create table credit_rollout.allotment_changes (
  change_id bigint generated always as identity primary key,
  org_id credit_rollout.org_id not null,
  operation text not null check (operation in ('update', 'delete')),
  cause text not null,
  run_id bigint,
  rate_card text,
  version integer not null,
  before jsonb not null,
  changed_at timestamptz not null default now()
);
create index allotment_changes_org_id_idx on credit_rollout.allotment_changes (org_id);
create index allotment_changes_run_id_idx on credit_rollout.allotment_changes (run_id);
comment on column credit_rollout.allotment_changes.version is 'version of the row that the before-image shows';

create trigger allotment_changes_append_only before update or delete or truncate on credit_rollout.allotment_changes
  for each statement execute function credit_rollout.refuse_change();`,
};

/**
 * Why: before-images and the protection of the floor must work for manual SQL too. The cause is a transaction-local
 * setting. `record_allotment_change` was replaced later: guards.ts, guardFloors.
 */
export const guardAllotments: Migration = {
  name: '20261122020100_pre_guard_allotments',
  up: `
create function credit_rollout.record_allotment_change() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  cause text := coalesce(nullif(current_setting('credit_rollout.cause', true), ''), 'manual edit');
begin
  if tg_op = 'UPDATE' then
    if new.org_id is distinct from old.org_id then
      raise exception 'an allotment keeps its org' using errcode = 'restrict_violation';
    end if;
    if old.floor is not null and (new.floor is null or new.floor < old.floor)
       and cause not in ('edition', 'lapse', 'override', 'undo') then
      raise exception 'a floor falls only with a named cause' using errcode = 'restrict_violation',
        constraint = 'allotments_floor_falls_only_with_cause';
    end if;
    new.version := old.version + 1;
  end if;
  insert into credit_rollout.allotment_changes (org_id, operation, cause, run_id, rate_card, version, before)
  values (old.org_id, lower(tg_op), cause,
          nullif(current_setting('credit_rollout.run_id', true), '')::bigint, old.rate_card, old.version, to_jsonb(old));
  return case when tg_op = 'DELETE' then old else new end;
end $$;
create trigger allotments_record_change before update or delete on credit_rollout.allotments
  for each row execute function credit_rollout.record_allotment_change();
create trigger allotments_refuse_truncate before truncate on credit_rollout.allotments
  for each statement execute function credit_rollout.refuse_change();`,
};
