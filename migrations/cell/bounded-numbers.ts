// Why: one number of a worker's login stopped the raises, the night or the scheduler of its cell for good.
import { addPowersSql } from '../login-powers.js';
import type { Migration } from '../migration.js';
import { boundNumbersSql } from '../numbers.js';
import { checkTextsSql } from '../texts.js';
import { CELL_LIMITS } from './texts.js';

/** Thousands of rows at once, by the rule or with checks of their own; nothing adds to what is there. */
export const MANY_NUMBERS = [
  'allotments',
  'allotment_changes',
  'changed_orgs',
  'drift',
  'plan_groups',
  'plan_parts',
  'plan_ranges',
  'quarantine',
  'repaired_orgs',
  'rates',
  'stale_orgs',
  'usage_alerts',
  'usage_days',
  'usage_peaks',
  'waiting_floors',
] as const;

/** What an honest worker of another age waits for, by its clock; the furthest that an honest one sets. */
const AHEAD = [
  ['sign_up_writer', 'rest_until', '5 minutes'],
  ['pending_sign_ups', 'due_at', '1 hour'],
  ['fence', 'changed_at', '0'],
  ['throttle', 'changed_at', '1 minute'],
  ['throttle', 'sampled_at', '1 minute'],
  ['throttle', 'looked_at', '1 minute'],
  ['checks', 'sampled_at', '1 minute'],
  ['checks', 'mark_at', '1 minute'],
] as const;
const TABLES = [...new Set(AHEAD.map(([table]) => table))];
const columnsOf = (of: string) => AHEAD.filter(([table]) => table === of);

/** Why: counters had the bounds of their types, and what workers wait for could lie in another century. */
export const boundWhatWorkersCount: Migration = {
  name: '20261203020100_pre_bound_numbers',
  up: `
${boundNumbersSql('credit_rollout', MANY_NUMBERS)}

create function credit_rollout.bound_instant() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  given jsonb := to_jsonb(new); bounded jsonb := '{}'; most timestamptz;
begin
  for n in 0 .. tg_nargs - 1 by 2 loop
    most := clock_timestamp() + tg_argv[n + 1]::interval;
    if (given ->> tg_argv[n])::timestamptz > most then
      bounded := bounded || jsonb_build_object(tg_argv[n], most);
    end if;
  end loop;
  new := jsonb_populate_record(new, bounded);
  return new;
end $$;
${TABLES.map((table) => {
  const columns = columnsOf(table);
  return `create trigger ${table}_zy_ahead before insert or update on credit_rollout.${table} for each row
  when (${columns.map(([, column, most]) => `new.${column} > clock_timestamp() + interval '${most}'`).join(' or ')})
  execute function credit_rollout.bound_instant(
    ${columns.map(([, column, most]) => `'${column}', '${most}'`).join(', ')});`;
}).join('\n')}
revoke all on function credit_rollout.bound_instant from public;
${addPowersSql('credit_rollout')}

-- A temporary table may be emptied or dropped at the commit, after the check of a seal, and somebody else can hold it.
create or replace function credit_rollout.can_delay_commit() returns boolean language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  return not pg_has_role(session_user,
      (select n.nspowner from pg_namespace n where n.nspname = 'credit_rollout'), 'usage')
    and (exists (select from pg_cursors c where c.is_holdable)
      or exists (select from pg_class c where c.relnamespace = pg_my_temp_schema())
      or exists (
        select from pg_locks l join pg_trigger t on t.tgrelid = l.relation and t.tgdeferrable
        join pg_class c on c.oid = t.tgrelid and c.relnamespace <> 'credit_rollout'::regnamespace
        where l.pid = pg_backend_pid() and l.locktype = 'relation' and l.mode ~ 'Exclusive'
          and l.database = (select d.oid from pg_database d where d.datname = current_database())));
end $$;

-- what is there already
update credit_rollout.detections set orgs = orgs where orgs > 1000000000000000 or allotments > 1000000000000000;
update credit_rollout.feed set raised = raised;
update credit_rollout.sign_up_writer set rest_until = rest_until;

-- batches are few, and drift has three codes
${checkTextsSql('credit_rollout', {
  ...CELL_LIMITS,
  without: CELL_LIMITS.without.filter((table) => !['batches', 'drift'].includes(table)),
})}`,
};
