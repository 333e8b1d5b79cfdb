// Why: what a rollout has written can be taken back until the cut-over is final. What is taken back, and which paid
// orgs fall by it, is computed here and kept with a digest, so that a second person approves exactly that.
import { checkInstantsSql } from '../instants.js';
import type { Migration } from '../migration.js';
import { checkTextsSql } from '../texts.js';
import { MANY_INSTANTS } from './instants.js';
import { CELL_LIMITS } from './texts.js';

/** Why: a plan of an undo, by the ranges of the run that it takes back. Old code knows none of it. */
export const createUndoPlans: Migration = {
  name: '20261204070000_pre_create_undo_plans',
  up: `
create table credit_rollout.undo_plans (
  undo_id bigint generated always as identity primary key,
  undoes bigint not null references credit_rollout.runs,
  author text not null,
  reason text not null check (reason <> ''),
  login text not null default session_user,
  nonce text not null default gen_random_uuid()::text,
  made_at timestamptz not null default clock_timestamp(),
  state text not null default 'making' check (state in ('making', 'made', 'accepted', 'running', 'withdrawn')),
  digest text,
  approver text,
  decided_at timestamptz,
  run_id bigint unique references credit_rollout.runs,
  constraint undo_plans_running_check check ((state = 'running') = (run_id is not null)),
  constraint undo_plans_made_check check (state in ('making', 'withdrawn') or digest is not null)
);
comment on table credit_rollout.undo_plans is
  'who had a rollout run taken back, and who agreed; approver null: no paid org falls. Accepted for 72 hours';
create table credit_rollout.undo_ranges (
  undo_id bigint not null references credit_rollout.undo_plans,
  range_no integer not null,
  lower_id credit_rollout.org_id,
  upper_id credit_rollout.org_id,
  orgs integer, deletes integer, restores integer, conflicts integer, falls integer, paid_falls integer,
  before_credits numeric, after_credits numeric,
  digest text,
  primary key (undo_id, range_no)
);
comment on table credit_rollout.undo_ranges is
  'what an undo does in each range of the run that it takes back; of the newest plan';
comment on column credit_rollout.undo_ranges.orgs is 'null: not planned yet';
create table credit_rollout.undo_falls (
  undo_id bigint not null references credit_rollout.undo_plans,
  org_id credit_rollout.org_id not null,
  total_credits bigint not null,
  becomes bigint not null,
  primary key (undo_id, org_id)
);
comment on table credit_rollout.undo_falls is
  'the paid orgs that an undo lets fall, as the plan found them; of the newest plan';
${['undo_plans', 'undo_ranges', 'undo_falls']
  .map(
    (table) => `create trigger ${table}_read_committed before insert or update or delete on credit_rollout.${table}
  for each statement execute function credit_rollout.require_read_committed();`,
  )
  .join('\n')}
create trigger undo_plans_kept before delete or truncate on credit_rollout.undo_plans
  for each statement execute function credit_rollout.refuse_change();
create trigger undo_plans_sign_author before insert on credit_rollout.undo_plans
  for each row execute function credit_rollout.sign_repair();

alter table credit_rollout.runs add undoes bigint references credit_rollout.runs;
comment on column credit_rollout.runs.undoes is 'the run that this undo takes back';

-- The newest rollout run that wrote; null: there is none, or an undo of it has ended.
create function credit_rollout.undoable_run() returns bigint language sql stable
  security definer set search_path = pg_catalog, pg_temp as $$
  select w.run_id from (
    select max(r.run_id) as run_id from credit_rollout.runs r where r.kind = 'migrate' and exists (
      select from credit_rollout.batches b where b.run_id = r.run_id and b.inserted + b.raised > 0)) w
  where not exists (select from credit_rollout.runs u where u.undoes = w.run_id and u.state = 'done')
$$;

-- Begins a plan; one that waits gives way, and what is known of older ones. Null: there is nothing to undo.
create function credit_rollout.begin_undo_plan(author text, reason text) returns bigint language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  undone bigint; number bigint;
begin
  perform pg_advisory_xact_lock(1129467724, -5);
  undone := credit_rollout.undoable_run();
  if undone is null then return null; end if;
  update credit_rollout.undo_plans p set state = 'withdrawn', decided_at = clock_timestamp()
    where p.state in ('making', 'made', 'accepted');
  delete from credit_rollout.undo_falls f where not exists (select from credit_rollout.undo_plans p
    join credit_rollout.runs r on r.run_id = p.run_id where p.undo_id = f.undo_id and r.state = 'open');
  delete from credit_rollout.undo_ranges f where not exists (select from credit_rollout.undo_plans p
    join credit_rollout.runs r on r.run_id = p.run_id where p.undo_id = f.undo_id and r.state = 'open');
  insert into credit_rollout.undo_plans (undoes, author, reason) values (undone, author, reason)
    returning undo_id into number;
  insert into credit_rollout.undo_ranges (undo_id, range_no, lower_id, upper_id)
    select number, row_number() over (order by b.batch_no), b.lower_id, b.upper_id
    from credit_rollout.batches b where b.run_id = undone and b.kind = 'range';
  return number;
end $$;

-- What a range does, once. Its caller reads the source; what it says of an org is compared again as it is written.
create function credit_rollout.add_undo_range(undo bigint, number integer, counts jsonb,
  falling credit_rollout.org_id[], totals bigint[], becoming bigint[]) returns void language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  update credit_rollout.undo_ranges r set orgs = (counts ->> 'orgs')::integer,
      deletes = (counts ->> 'deletes')::integer, restores = (counts ->> 'restores')::integer,
      conflicts = (counts ->> 'conflicts')::integer, falls = (counts ->> 'falls')::integer,
      paid_falls = coalesce(cardinality(falling), 0), before_credits = (counts ->> 'before_credits')::numeric,
      after_credits = (counts ->> 'after_credits')::numeric,
      digest = encode(sha256(convert_to(
        jsonb_build_array(counts, falling::text[], totals, becoming)::text, 'UTF8')), 'hex')
    from credit_rollout.undo_plans p
    where r.undo_id = undo and r.range_no = number and r.orgs is null and p.undo_id = undo and p.state = 'making';
  if not found then return; end if;
  insert into credit_rollout.undo_falls (undo_id, org_id, total_credits, becomes)
    select undo, u.* from unnest(falling, totals, becoming) u;
end $$;

-- Ends the making of a plan whose ranges are all planned: its digest, by which a second person approves it.
create function credit_rollout.finish_undo_plan(undo bigint) returns text language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  made text;
begin
  if exists (select from credit_rollout.undo_ranges r where r.undo_id = undo and r.orgs is null) then
    raise exception 'ranges of this undo are not planned' using errcode = 'object_not_in_prerequisite_state',
      constraint = 'undo_outdated';
  end if;
  update credit_rollout.undo_plans p set state = 'made', digest = encode(sha256(convert_to(jsonb_build_array(
      'credit-rollout undo 1', p.undo_id, p.undoes, p.author, p.reason, p.nonce,
      (select jsonb_agg(r.digest order by r.range_no) from credit_rollout.undo_ranges r
       where r.undo_id = undo))::text, 'UTF8')), 'hex')
    where p.undo_id = undo and p.state = 'making' returning p.digest into made;
  return made;
end $$;

-- From here on it can be run, for 72 hours. Where a paid org falls, only with the seal of a second person's approval.
create function credit_rollout.accept_undo(undo bigint, document jsonb) returns void language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  plan credit_rollout.undo_plans;
begin
  select * into plan from credit_rollout.undo_plans p where p.undo_id = undo for update;
  if plan.state is distinct from 'made' or plan.undoes is distinct from credit_rollout.undoable_run()
     or plan.made_at < clock_timestamp() - interval '72 hours' then
    raise exception 'this undo cannot be accepted any more' using errcode = 'restrict_violation',
      constraint = 'undo_outdated';
  end if;
  if exists (select from credit_rollout.undo_falls f where f.undo_id = undo) then
    perform credit_rollout.check_seal(document, 'undo');
    if (document ->> 'number')::bigint is distinct from undo or document ->> 'digest' is distinct from plan.digest then
      raise exception 'the undo is not the one that was approved' using errcode = 'restrict_violation',
        constraint = 'seal_wrong';
    end if;
    perform credit_rollout.record_seal(document);
  end if;
  update credit_rollout.undo_plans p set state = 'accepted', approver = document ->> 'approver',
    decided_at = clock_timestamp() where p.undo_id = undo;
end $$;

-- False: it runs, or was withdrawn before.
create function credit_rollout.withdraw_undo(undo bigint) returns boolean language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  update credit_rollout.undo_plans p set state = 'withdrawn', decided_at = clock_timestamp()
    where p.undo_id = undo and p.state in ('making', 'made', 'accepted');
  return found;
end $$;
revoke all on function credit_rollout.undoable_run, credit_rollout.begin_undo_plan, credit_rollout.add_undo_range,
  credit_rollout.finish_undo_plan, credit_rollout.accept_undo, credit_rollout.withdraw_undo from public;

${checkInstantsSql('credit_rollout', MANY_INSTANTS)}
${checkTextsSql('credit_rollout', {
  ...CELL_LIMITS,
  without: [...CELL_LIMITS.without, 'undo_ranges', 'undo_falls'].filter(
    (table) => !['batches', 'drift'].includes(table),
  ),
})}`,
};
