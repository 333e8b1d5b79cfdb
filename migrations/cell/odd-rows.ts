// Why: one row of the source stopped what reads it for others, where its error was of a class that nobody had
// thought of.
import type { Migration } from '../migration.js';

/** Why: a view fails in many ways, and each is of the row that it fails for. As isRowFailure of postgres-failure.ts. */
export const leaveOddRowsOut: Migration = {
  name: '20261203020000_pre_leave_odd_rows_out',
  up: `
-- Reading one row may have caused it: others can be read. What code of the product raises is of its row under any code.
create function credit_rollout.is_row_failure(state text, context text) returns boolean language sql immutable
  set search_path = pg_catalog, pg_temp begin atomic
select state ~ '^(0A|2[0-3F]|38|39|44|54|P0)' or coalesce(
  split_part(context, E'\\n', 1) ~ ' RAISE$' and split_part(context, E'\\n', 1) !~ '[^.\\w"]credit_rollout[.]', false);
end;

create or replace function credit_rollout.add_unreadable_range(plan bigint, number integer,
  lowest credit_rollout.org_id, highest credit_rollout.org_id, card text) returns void language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  found_orgs bigint; readable boolean := false; context text;
begin
  perform credit_rollout.check_open_plan(plan, false);
  -- what can be counted has more than the one org that this range stands for, or can be planned
  begin
    select count(*) into found_orgs from credit_rollout.source_orgs s
      where (lowest is null or s.org_id >= lowest) and (highest is null or s.org_id < highest);
  exception when others then
    found_orgs := null;
  end;
  if found_orgs > 1 then
    raise exception 'this range has more than one org' using errcode = 'restrict_violation', constraint = 'plan_edited';
  end if;
  begin
    perform from credit_rollout.source_orgs s where s::text <> ''
      and (lowest is null or s.org_id >= lowest) and (highest is null or s.org_id < highest);
    perform from credit_rollout.decided(lowest, highest, null, card) d where d::text <> '';
    readable := true;
  exception when query_canceled or assert_failure or others then
    get stacked diagnostics context = pg_exception_context;
    if not credit_rollout.is_row_failure(sqlstate, context) then raise; end if;
  end;
  if readable then
    raise exception 'this range can be read' using errcode = 'restrict_violation', constraint = 'plan_edited';
  end if;
  insert into credit_rollout.plan_ranges (plan_id, range_no, lower_id, upper_id, orgs, touched, touched_credits, digest)
    values (plan, number, lowest, highest, 1, 0, 0, 0);
  insert into credit_rollout.plan_parts (plan_id, first_no, card_hash, measured)
    values (plan, number, card, '{"orgs": 1, "quarantined": 1}');
end $$;

-- "others" leaves out ASSERT, which a view may have too: no function of ours may end a statement of the product by it.
do $$
declare
  catching regprocedure;
begin
  for catching in
    select p.oid from pg_proc p
    where p.pronamespace = 'credit_rollout'::regnamespace and p.prosrc like '%when query_canceled or others then%'
  loop
    execute replace(pg_get_functiondef(catching), 'when query_canceled or others then',
      'when query_canceled or assert_failure or others then');
  end loop;
end $$;
revoke all on function credit_rollout.is_row_failure from public;`,
};
