// Why: an apply must write what somebody approved. A plan stores the inputs and the result of every org, per key range, in the
// cell of the orgs. The planner may only insert.
import type { Migration } from '../migration.js';

export const createCellPlans: Migration = {
  name: '20261122050000_pre_create_plans',
  up: `
create sequence credit_rollout.plan_ids as bigint;

create table credit_rollout.plan_requests (
  plan_id bigint primary key,
  card_hash text not null references credit_rollout.rate_cards,
  range_size integer not null check (range_size between 1 and 1000000),
  author text not null,
  requested_at timestamptz not null default clock_timestamp(),
  failure text
);
comment on table credit_rollout.plan_requests is 'plans that a worker is to make; failure: code of why it could not';

create table credit_rollout.plan_ranges (
  plan_id bigint not null,
  range_no integer not null,
  lower_id credit_rollout.org_id,
  upper_id credit_rollout.org_id,
  orgs integer not null,
  touched integer not null,
  touched_credits numeric not null,
  digest numeric not null,
  primary key (plan_id, range_no)
);
comment on column credit_rollout.plan_ranges.digest is
  'sum of a hash of every row that is to be written: independent of their order';

create table credit_rollout.plan_groups (
  plan_id bigint not null,
  range_no integer not null,
  group_no integer not null,
  edition text,
  paid boolean not null,
  winner text,
  movement text,
  org_ids credit_rollout.org_id[] not null,
  agents integer[] not null,
  light_agents integer[],
  additional_credits bigint[],
  negotiated_limits bigint[],
  total_credits bigint[],
  wide jsonb,
  primary key (plan_id, range_no, group_no)
);
-- columns of narrow numbers are small as they are; compressing them would take longer than planning
alter table credit_rollout.plan_groups
  alter org_ids set storage external, alter agents set storage external, alter light_agents set storage external,
  alter additional_credits set storage external, alter negotiated_limits set storage external,
  alter total_credits set storage external;
comment on table credit_rollout.plan_groups is 'the orgs of a range that come out alike, in columns';
comment on column credit_rollout.plan_groups.winner is 'null: undecidable, and so are edition, movement and totals';
comment on column credit_rollout.plan_groups.light_agents is 'null: none of these orgs has any; so with the two columns beside it';
comment on column credit_rollout.plan_groups.wide is 'by org, agents and light agents that are no integer; null: there are none';

create table credit_rollout.plans (
  plan_id bigint primary key,
  digest text not null,
  card_hash text not null references credit_rollout.rate_cards,
  source_signature text not null,
  author text not null,
  snapshot_at timestamptz not null,
  made_at timestamptz not null default clock_timestamp(),
  ranges integer not null,
  orgs bigint not null,
  touched bigint not null,
  canary_ids credit_rollout.org_id[] not null,
  canary_hashes bigint[] not null,
  counts jsonb not null,
  lists jsonb not null
);
comment on column credit_rollout.plans.canary_hashes is 'hash of what was planned for each canary';
comment on column credit_rollout.plans.counts is 'the report without its lists: counts only';
comment on column credit_rollout.plans.lists is 'the orgs that the report names; they stay in the cell';

-- What a plan says of every org of a range, or of all: the arrays as rows.
create function credit_rollout.planned(plan bigint, range_number integer default null)
returns table (range_no integer, org_id credit_rollout.org_id, edition text, paid boolean, agents bigint, light_agents bigint,
  additional_credits bigint, negotiated_limit bigint, total_credits bigint, winner text, movement text)
language sql stable rows 10000 as $$
select g.range_no, u.org_id, g.edition, g.paid,
  coalesce(u.agents, (g.wide -> u.org_id::text ->> 0)::bigint),
  case when g.light_agents is null then 0 else coalesce(u.light_agents, (g.wide -> u.org_id::text ->> 1)::bigint) end, coalesce(u.additional_credits, 0), u.negotiated_limit,
  u.total_credits, g.winner, g.movement
from credit_rollout.plan_groups g
cross join lateral unnest(g.org_ids, g.agents, g.light_agents, g.additional_credits, g.negotiated_limits,
  g.total_credits) as u (org_id, agents, light_agents, additional_credits, negotiated_limit, total_credits)
where g.plan_id = plan and (range_number is null or g.range_no = range_number)
$$;

-- The digest of a plan: 64 hex digits. Sums, so that where the ranges end decides nothing.
create function credit_rollout.digest_sums(card text, source text, orgs bigint, touched bigint, credits numeric, hashes numeric)
returns text language sql immutable as $$
select encode(sha256(convert_to(concat_ws(chr(10), 'credit-rollout plan 1', card, source, orgs, touched, credits, hashes), 'UTF8')), 'hex')
$$;

-- The same from what lies in its rows.
create function credit_rollout.digest_plan(plan bigint, card text, source text) returns text language sql stable as $$
select credit_rollout.digest_sums(card, source, coalesce(sum(r.orgs), 0), coalesce(sum(r.touched), 0),
  coalesce(sum(r.touched_credits), 0), coalesce(sum(r.digest), 0))
from credit_rollout.plan_ranges r where r.plan_id = plan
$$;

create trigger plans_append_only before update on credit_rollout.plans
  for each statement execute function credit_rollout.refuse_change();`,
};

/** Why: protected orgs are never in a canary, and a plan that writes them needs a person. Only two people can set a floor. */
export const createOverrides: Migration = {
  name: '20261122050100_pre_create_overrides',
  up: `
create table credit_rollout.protected_orgs (
  org_id credit_rollout.org_id primary key,
  reason text,
  protected_by text not null,
  protected_at timestamptz not null default clock_timestamp()
);

create table credit_rollout.overrides (
  override_id bigint generated always as identity primary key,
  org_id credit_rollout.org_id not null,
  floor bigint check (floor >= 0),
  reason text not null check (reason <> ''),
  author text not null,
  proposed_at timestamptz not null default clock_timestamp(),
  approver text,
  decided_at timestamptz,
  state text not null default 'proposed' check (state in ('proposed', 'applied', 'withdrawn')),
  before jsonb,
  after jsonb,
  constraint overrides_two_people_check check (approver is null or approver <> author),
  constraint overrides_applied_check check (state <> 'applied' or (approver is not null and decided_at is not null and before is not null and after is not null))
);
comment on table credit_rollout.overrides is 'the full record of every override; null floor: none. Control keeps verb, count and hash.';
create unique index overrides_open_idx on credit_rollout.overrides (org_id) where state = 'proposed';

create function credit_rollout.keep_override() returns trigger language plpgsql as $$
begin
  if tg_op <> 'UPDATE' or old.state <> 'proposed'
     or (new.org_id, new.floor, new.reason, new.author, new.proposed_at)
       is distinct from (old.org_id, old.floor, old.reason, old.author, old.proposed_at) then
    raise exception 'an override is only ever decided once' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger overrides_decided_once before update or delete on credit_rollout.overrides
  for each row execute function credit_rollout.keep_override();
create trigger overrides_refuse_truncate before truncate on credit_rollout.overrides
  for each statement execute function credit_rollout.refuse_change();`,
};

/** Why: a run may follow a plan, starts with a canary, and skips the orgs that changed since the plan. */
export const pinRuns: Migration = {
  name: '20261122050200_pre_pin_runs',
  up: `
alter table credit_rollout.runs add plan_id bigint, add rails jsonb, add canary_passed_at timestamptz, add follow_up_at timestamptz;
comment on column credit_rollout.runs.rails is 'the guard-rails that hold for the follow-up too';
comment on column credit_rollout.runs.plan_id is 'null: it decides on the inputs of the moment';
alter table credit_rollout.batches
  add kind text not null default 'range' check (kind in ('range', 'canary', 'follow_up')),
  add org_ids credit_rollout.org_id[],
  add plan_range integer,
  add constraint batches_org_ids_check check ((org_ids is null) = (kind = 'range'));
comment on column credit_rollout.batches.org_ids is 'the list of a canary or follow-up batch; a range has bounds instead';
comment on column credit_rollout.batches.plan_range is 'the range of the plan that it writes';

create table credit_rollout.stale_orgs (
  run_id bigint not null references credit_rollout.runs,
  org_id credit_rollout.org_id not null,
  reason text not null check (reason in ('changed', 'appeared', 'gone')),
  planned jsonb,
  found jsonb,
  recorded_at timestamptz not null default clock_timestamp(),
  settled_at timestamptz,
  settled text check (settled in ('applied', 'unchanged', 'gone', 'quarantined')),
  primary key (run_id, org_id),
  constraint stale_orgs_end_check check ((settled_at is null) = (settled is null))
);
comment on table credit_rollout.stale_orgs is 'orgs whose inputs changed between plan and apply, with both; settled: by the follow-up';

-- Makes the canary and the ranges of a plan the batches of a run. An owner's function: the fencer must not see bounds.
create function credit_rollout.adopt_plan(run bigint) returns integer language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  followed credit_rollout.plans;
begin
  select p.* into followed from credit_rollout.runs r join credit_rollout.plans p using (plan_id) where r.run_id = run;
  if not found then return 0; end if;
  if exists (select from credit_rollout.batches where run_id = run) then return 0; end if;
  if cardinality(followed.canary_ids) > 0 then
    insert into credit_rollout.batches (run_id, batch_no, kind, org_ids, expected)
      values (run, 0, 'canary', followed.canary_ids, 0);
  end if;
  insert into credit_rollout.batches (run_id, batch_no, lower_id, upper_id, expected, plan_range)
    select run, range_no, lower_id, upper_id, orgs, range_no from credit_rollout.plan_ranges where plan_id = followed.plan_id;
  update credit_rollout.runs set cut_at = clock_timestamp() where run_id = run;
  return followed.ranges;
end $$;

-- As before, and both halves go on writing the range of the plan that the whole one wrote.
create or replace function credit_rollout.split_batch(run bigint, number integer) returns boolean language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  whole credit_rollout.batches; middle credit_rollout.org_id; held integer;
begin
  perform from credit_rollout.runs where run_id = run for no key update;
  select * into whole from credit_rollout.batches
    where run_id = run and batch_no = number and state = 'pending' and kind = 'range' for update;
  if not found then return false; end if;
  select count(*) into held from credit_rollout.source_orgs
    where (whole.lower_id is null or org_id >= whole.lower_id) and (whole.upper_id is null or org_id < whole.upper_id);
  select s.org_id into middle from (
    select org_id from credit_rollout.source_orgs
    where (whole.lower_id is null or org_id >= whole.lower_id) and (whole.upper_id is null or org_id < whole.upper_id)
    order by org_id offset held / 2 limit 1) s;
  if held < 2 or middle is null or exists (select where middle = whole.lower_id) then return false; end if;
  update credit_rollout.batches set upper_id = middle, expected = held / 2 where run_id = run and batch_no = number;
  insert into credit_rollout.batches (run_id, batch_no, lower_id, upper_id, expected, plan_range)
    select run, max(b.batch_no) + 1, middle, whole.upper_id, held - held / 2, whole.plan_range
    from credit_rollout.batches b where b.run_id = run;
  return true;
end $$;

-- Makes batches of the stale orgs that are left; 0 when there are none.
create function credit_rollout.add_follow_up(run bigint) returns integer language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  size integer; made integer;
begin
  select batch_size into strict size from credit_rollout.runs where run_id = run for no key update;
  with numbered as (
    select org_id, (row_number() over (order by org_id) - 1) / size as chunk
    from credit_rollout.stale_orgs where run_id = run and settled_at is null
  ), top as (select max(batch_no) as number from credit_rollout.batches where run_id = run)
  insert into credit_rollout.batches (run_id, batch_no, kind, org_ids, expected)
    select run, top.number + 1 + n.chunk, 'follow_up', array_agg(n.org_id order by n.org_id), 0
    from numbered n cross join top group by top.number, n.chunk;
  get diagnostics made = row_count;
  -- what was verified before they are written is not what there will be
  update credit_rollout.batches b set verified_at = null where b.run_id = run and b.kind = 'range' and exists (
    select from credit_rollout.stale_orgs s where s.run_id = run and s.settled_at is null
      and (b.lower_id is null or s.org_id >= b.lower_id) and (b.upper_id is null or s.org_id < b.upper_id));
  update credit_rollout.runs set follow_up_at = clock_timestamp() where run_id = run;
  return made;
end $$;`,
};
