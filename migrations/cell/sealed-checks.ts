// Why: which checks hold our writes is a setting of the policy, and a scheduler's login wrote others into a cell: it
// removed the brakes of a run, and had workers run a query of its own.
import type { Migration } from '../migration.js';

// as the program had them when a scheduler still wrote the checks; a test compares them with the domain's
const OWN_LIMITS = '{"probe": 2, "lag": 1000, "archive": 60000, "lockWaits": 4, "batchTime": 1000}';

/**
 * Why: the checks come with the seal of their run, and the owner's functions write them. A seal of an earlier control
 * has none: then they stay as they are. An earlier scheduler wrote them itself, which is refused from here on.
 */
export const writeSealedChecks: Migration = {
  name: '20261203021000_pre_write_sealed_checks',
  up: `
-- Makes the checks those that hold writes, and leaves the readings of those that were there. Null: nothing was said.
create function credit_rollout.set_checks(specs jsonb) returns void language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if jsonb_typeof(specs) is distinct from 'array' then return; end if;
  delete from credit_rollout.checks c where not exists (
    select from jsonb_array_elements(specs) e (spec)
    where e.spec ->> 'name' = c.name and coalesce(e.spec -> 'holds', '["write"]') @> '["write"]');
  insert into credit_rollout.checks as c (name, query, limit_value)
    select distinct on (e.spec ->> 'name') e.spec ->> 'name', e.spec ->> 'query', case jsonb_typeof(e.spec -> 'limit')
        when 'number' then (e.spec ->> 'limit')::float8
        when 'string' then extract(epoch from (e.spec ->> 'limit')::interval)::float8 * 1000
        else ('${OWN_LIMITS}'::jsonb ->> (e.spec ->> 'name'))::float8 end
      from jsonb_array_elements(specs) e (spec)
      where coalesce(e.spec -> 'holds', '["write"]') @> '["write"]'
    on conflict (name) do update set query = excluded.query, limit_value = excluded.limit_value
      where (c.query, c.limit_value) is distinct from (excluded.query, excluded.limit_value);
end $$;

-- Of an open run: a late copy of a seal brings no checks of a run that is over.
create function credit_rollout.set_checks_of(document jsonb) returns void language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if exists (select from credit_rollout.runs r
      where r.run_id = (document ->> 'run_id')::bigint and r.state = 'open') then
    perform credit_rollout.set_checks(document -> 'checks');
  end if;
end $$;

alter function credit_rollout.open_run(jsonb) rename to open_sealed_run;
create function credit_rollout.open_run(document jsonb) returns boolean language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  opened constant boolean := credit_rollout.open_sealed_run(document);
begin
  if opened then perform credit_rollout.set_checks_of(document); end if;
  return opened;
end $$;

create or replace function credit_rollout.open_maintenance(document jsonb) returns void language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform credit_rollout.check_seal(document, 'maintenance');
  insert into credit_rollout.runs (run_id, kind, card_hash, batch_size, lanes, max_changed, max_lapsed, allow_falls)
    select (document ->> 'run_id')::bigint, document ->> 'of', c.active_card,
      coalesce((document ->> 'batch_size')::integer, 10000), coalesce((document ->> 'lanes')::integer, 1),
      (document ->> 'max_changed')::integer, (document ->> 'max_lapsed')::integer,
      (document ->> 'allow_falls')::boolean
    from credit_rollout.cell c
    on conflict do nothing;
  if not exists (select from credit_rollout.runs r
      where r.run_id = (document ->> 'run_id')::bigint and r.state = 'open')
     or document ->> 'of' = 'sweep' and not exists (select from credit_rollout.gate g
      where g.latched_at is not null and g.swept_at is null) then
    raise exception 'the run is over, or no cut-over is to be swept' using errcode = 'restrict_violation',
      constraint = 'seal_used';
  end if;
  perform credit_rollout.set_checks_of(document);
end $$;
revoke all on function credit_rollout.set_checks, credit_rollout.set_checks_of, credit_rollout.open_sealed_run,
  credit_rollout.open_run from public;`,
};
