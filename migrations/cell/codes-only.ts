// Why: a scheduler reads codes and counts of a cell and writes them into control, where orgs must not be named.
import type { Migration } from '../migration.js';
import { CODE_FORM, knownCountsSql } from '../plain-texts.js';

/** Columns of texts that leave the cell. */
const CODES = [
  ['fence', 'failure'],
  ['workers', 'trouble'],
  ['feed', 'failure'],
  ['plan_requests', 'failure'],
  ['quarantine', 'reason'],
] as const;

/** Why: the login of a worker wrote what it liked there, and never needed to reach control. */
export const writeCodesOnly: Migration = {
  name: '20261130051100_pre_write_codes_only',
  up: `
create function credit_rollout.keep_code() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  -- a rule of ours that was broken has the name of its constraint
  if exists (select from pg_constraint c where c.connamespace = 'credit_rollout'::regnamespace
      and c.conname = to_jsonb(new) ->> tg_argv[0]) then
    return new;
  end if;
  if tg_argv[0] = 'trouble' then new.trouble := 'other';
  elsif tg_argv[0] = 'reason' then new.reason := 'other';
  else new.failure := 'other'; end if;
  return new;
end $$;
${CODES.map(
  ([
    table,
    column,
  ]) => `create trigger ${table}_keep_code before insert or update on credit_rollout.${table} for each row
  when (new.${column} !~ ${CODE_FORM}) execute function credit_rollout.keep_code('${column}');`,
).join('\n')}

create function credit_rollout.keep_known_counts() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if jsonb_typeof(new.counts -> 'counts') = 'object' then
    new.counts := jsonb_set(new.counts, '{counts}', ${knownCountsSql("new.counts -> 'counts'")});
  end if;
  return new;
end $$;
create trigger plans_known_counts before insert on credit_rollout.plans
  for each row execute function credit_rollout.keep_known_counts();

alter function credit_rollout.seal_plan(bigint) volatile;
revoke all on function credit_rollout.keep_code, credit_rollout.keep_known_counts from public;`,
};
