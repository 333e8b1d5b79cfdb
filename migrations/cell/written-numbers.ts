// Why: what a worker may write is asked of the rule, and not of the row: a row is right by inputs that it invents.
import type { Migration } from '../migration.js';

// every column that the rule gives
const GIVEN = [
  ...['edition', 'paid', 'agents', 'light_agents', 'negotiated_limit', 'base_credits', 'variable_credits'],
  ...['additional_credits', 'legacy_limit', 'floor', 'floor_edition', 'unpaid_since', 'grandfathered_credits'],
  ...['total_credits', 'concurrency_limit', 'winner', 'rate_card'],
];
const terms = (row: string): string => GIVEN.map((column) => `${row}.${column}`).join(', ');

/**
 * Why: between runs a worker could call an org unpaid since today and store it below its promised number, or give it
 * any number by inputs of its own. Between runs it now writes no first decision and only exactly what the rule gives;
 * in a run no number falls below that. Old code wrote raises as inserts, which are refused.
 */
export const compareWrittenNumbers: Migration = {
  name: '20261201080100_pre_compare_written_numbers',
  up: `
-- Stable, so that it sees what the statement saw that it follows: the rule then gives exactly what an honest one wrote,
-- whatever the product does meanwhile.
create function credit_rollout.check_written_numbers() returns trigger language plpgsql stable
  set search_path = pg_catalog, pg_temp set jit = off set plan_cache_mode = force_custom_plan as $$
declare
  running boolean;
  one_by_one boolean;
  card text;
  ids credit_rollout.org_id[];
begin
  if pg_has_role((select c.relowner from pg_class c where c.oid = tg_relid), 'usage') then return null; end if;
  running := exists (select from credit_rollout.fence f join credit_rollout.runs r using (run_id)
    where f.state = 'open' and r.state = 'open');
  one_by_one := not running and coalesce((select k.one_org_ms from credit_rollout.cell k), 0) <= 50;
  for card, ids in
    select n.rate_card, array_agg(n.org_id) from new_rows n join old_rows o on o.org_id = n.org_id
    where not running or n.total_credits < o.total_credits or o.paid and not n.paid
    group by n.rate_card
  loop
    if one_by_one and exists (
         select from new_rows n left join lateral credit_rollout.decided_stored(n.org_id, card) d on true
         where n.org_id = any (ids) and (d.org_id is null or d.reason is not null
           or (${terms('n')})
             is distinct from (${terms('d')})))
       or not one_by_one and exists (
         select from new_rows n left join credit_rollout.decided(null, null, ids, card) d on d.org_id = n.org_id
         where n.org_id = any (ids) and (d.org_id is null or d.reason is not null
           or case when running then n.paid <> d.paid or n.total_credits < d.total_credits
              else (${terms('n')})
                is distinct from (${terms('d')}) end)) then
      raise exception 'a number falls only to what the rule gives, and between runs is what it gives'
        using errcode = 'restrict_violation', constraint = 'allotments_follow_rule';
    end if;
  end loop;
  return null;
end $$;
revoke all on function credit_rollout.check_written_numbers from public;
create trigger allotments_written_numbers after update on credit_rollout.allotments
  referencing old table as old_rows new table as new_rows
  for each statement execute function credit_rollout.check_written_numbers();

create or replace function credit_rollout.require_open_work() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if pg_has_role((select c.relowner from pg_class c where c.oid = tg_relid), 'usage') then return null; end if;
  if current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then
    raise exception 'allotments are written at read committed' using errcode = 'object_not_in_prerequisite_state',
      constraint = 'allotments_need_open_work';
  end if;
  perform pg_advisory_xact_lock_shared(1129467724, 0);
  if exists (select from credit_rollout.freezes z where z.lifted_at is null)
     or not exists (select from credit_rollout.fence f join credit_rollout.runs r using (run_id)
          where f.state = 'open' and r.state = 'open')
       -- the change feed raises what is there, and decides nothing for the first time
       and (tg_op <> 'UPDATE' or not exists (select from credit_rollout.fence f where f.single_writes)) then
    raise exception 'no run is open here that may write allotments' using errcode = 'object_not_in_prerequisite_state',
      constraint = 'allotments_need_open_work';
  end if;
  return null;
end $$;`,
};
