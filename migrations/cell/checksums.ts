// Why: whoever changes an allotment by SQL, with or without our triggers, must be seen, and no nightly run may take the
// changed row for ours and lower a customer by it.
import type { Migration } from '../migration.js';

/** Every column of an allotment but its checksum, in the order in which the checksum reads them. */
const COLUMNS = [
  ['org_id', 'credit_rollout.org_id'],
  ['edition', 'text'],
  ['paid', 'boolean'],
  ['agents', 'bigint'],
  ['light_agents', 'bigint'],
  ['negotiated_limit', 'bigint'],
  ['base_credits', 'bigint'],
  ['variable_credits', 'bigint'],
  ['additional_credits', 'bigint'],
  ['legacy_limit', 'bigint'],
  ['floor', 'bigint'],
  ['floor_edition', 'text'],
  ['unpaid_since', 'date'],
  ['grandfathered_credits', 'bigint'],
  ['total_credits', 'bigint'],
  ['concurrency_limit', 'integer'],
  ['winner', 'text'],
  ['rate_card', 'text'],
  ['origin', 'text'],
  ['run_id', 'bigint'],
  ['version', 'integer'],
  ['computed_at', 'timestamptz'],
] as const;

/**
 * A chain of Postgres's own hash functions, which costs a batch little. Base, variable, grandfathered, concurrency,
 * winner and legacy limit follow from the others: the verification finds them by the rule.
 */
const CHAIN = `select hashint8extended(total_credits, hashint8extended(coalesce(floor, -1),
  hashint8extended(additional_credits, hashint8extended(coalesce(negotiated_limit, -1), hashint8extended(light_agents,
  hashint8extended(agents,
  hashtextextended(coalesce(floor_edition, ''), hashtextextended(edition, hashtextextended(org_id::text,
  hashtextextended(rate_card, hashtextextended(origin, hashint8extended(coalesce(run_id, -1),
  hashint8extended(version * 2 + paid::integer, hashint8extended(coalesce(unpaid_since - '2000-01-01'::date, -1),
  timestamp_hash_extended(computed_at at time zone 'UTC', 0)))))))))))))))`;

/** Old code writes allotments as before: where it leaves the checksum out, a trigger sets it. */
export const addChecksums: Migration = {
  name: '20261129210000_pre_add_checksums',
  up: `
alter table credit_rollout.allotments add checksum bigint;
comment on column credit_rollout.allotments.checksum is
  'of the other columns, as our own writes leave them; another value: the row was written by somebody else. Null: it was last written before there were checksums';
alter table credit_rollout.cell add checksums_since timestamptz not null default clock_timestamp();
comment on column credit_rollout.cell.checksums_since is 'allotments written since then have a checksum';

-- With scalars, for an INSERT that has no row yet, in the order of the terms of a decision. Both are inlined.
create function credit_rollout.checksum_columns(${COLUMNS.map(([name, type]) => `${name} ${type}`).join(', ')})
returns bigint language sql immutable begin atomic
${CHAIN};
end;
create function credit_rollout.checksum_of(a credit_rollout.allotments) returns bigint language sql immutable
begin atomic
select credit_rollout.checksum_columns(${COLUMNS.map(([name]) => `(a).${name}`).join(', ')});
end;

-- Whether nobody but us wrote a row, or a before-image of one.
create function credit_rollout.is_intact(a credit_rollout.allotments) returns boolean language sql stable
begin atomic
select coalesce((a).checksum = credit_rollout.checksum_of(a),
  (a).computed_at < (select c.checksums_since from credit_rollout.cell c));
end;

-- Our writes run as two of our roles; a sign-up of the product is written by a function of the owner, which recorded it
-- before. Everybody else gets a checksum that is never right. What we write over such a row is ours again only when
-- people decided its floor, or what no write of ours changes is what it was in the last row that was ours.
create function credit_rollout.sign_allotment() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  sum bigint := credit_rollout.checksum_of(new);
  last credit_rollout.allotments;
begin
  new.checksum := sum;
  if not exists (select from credit_rollout.cell c where current_setting('role') in (
       'credit_rollout_' || replace(c.data_center, '-', '_') || '_worker',
       'credit_rollout_' || replace(c.data_center, '-', '_') || '_override')) then
    if not (tg_op = 'INSERT' and new.origin = 'signup' and new.run_id is null and new.floor is null and exists (
         select from credit_rollout.sign_ups s where s.org_id = new.org_id and s.model = 'credits')) then
      new.checksum := ~sum;
    end if;
  elsif tg_op = 'UPDATE' and not credit_rollout.is_intact(old)
      and coalesce(current_setting('credit_rollout.cause', true), '') not in ('override', 'repair') then
    select b.* into last from credit_rollout.allotment_changes c
      cross join lateral jsonb_populate_record(null::credit_rollout.allotments, c.before) b
      where c.org_id = new.org_id and credit_rollout.is_intact(b) order by c.change_id desc limit 1;
    if found and (new.origin, new.floor, new.floor_edition, new.unpaid_since) is distinct from
           (last.origin, last.floor, last.floor_edition, last.unpaid_since)
       or not found and (new.floor is distinct from new.legacy_limit and new.floor is not null) then
      new.checksum := ~sum;
    end if;
  end if;
  return new;
end $$;
-- after allotments_record_change, which sets the version
create trigger allotments_sign before update on credit_rollout.allotments
  for each row execute function credit_rollout.sign_allotment();
create trigger allotments_sign_new before insert on credit_rollout.allotments
  for each row when (new.checksum is null) execute function credit_rollout.sign_allotment();

-- The cause of a change is a setting of whoever writes: what does not run as one of our roles is a manual edit.
create function credit_rollout.name_manual_edit() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if not exists (select from credit_rollout.cell c where current_setting('role') in (
       'credit_rollout_' || replace(c.data_center, '-', '_') || '_worker',
       'credit_rollout_' || replace(c.data_center, '-', '_') || '_override')) then
    perform set_config('credit_rollout.cause', '', true), set_config('credit_rollout.run_id', '', true);
  end if;
  return null;
end $$;
create trigger allotments_name_manual_edit before update or delete on credit_rollout.allotments
  for each statement execute function credit_rollout.name_manual_edit();

-- Brings back the last form of allotments that were retired or lost: their floors and their unpaid time count on. Not
-- those that an undo took away. What was not ours when it went is not ours when it is back. Returns whose.
create or replace function credit_rollout.restore_retired(run bigint, ids credit_rollout.org_id[])
  returns setof credit_rollout.org_id language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if not credit_rollout.repairs_open(run, false) then return; end if;
  return query insert into credit_rollout.allotments
    select b.* from (
      select distinct on (c.org_id) c.org_id, c.cause, c.before,
        credit_rollout.is_intact(jsonb_populate_record(null::credit_rollout.allotments, c.before)) as intact
      from credit_rollout.allotment_changes c where c.org_id = any (ids) order by c.org_id, c.change_id desc) l
    cross join lateral jsonb_populate_record(null::credit_rollout.allotments, l.before || jsonb_build_object(
      'version', 1, 'computed_at', clock_timestamp(), 'checksum', case when not l.intact then 0 end)) b
    where l.cause <> 'undo' and exists (select from credit_rollout.drift d
      where d.run_id = run and d.org_id = l.org_id and d.movement = 'first' and d.outcome = 'to_heal')
    order by b.org_id
    on conflict do nothing returning allotments.org_id;
end $$;`,
};
