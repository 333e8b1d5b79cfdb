// Why: a check whose limit control changed reached the runs that began later only, and one that is loosened for some
// hours must not stay so because no scheduler runs.
import { checkInstantsSql } from '../instants.js';
import type { Migration } from '../migration.js';
import { boundNumbersSql } from '../numbers.js';
import { MANY_NUMBERS } from './bounded-numbers.js';
import { MANY_INSTANTS } from './instants.js';

const OWN_LIMITS = '{"probe": 2, "lag": 1000, "archive": 60000, "lockWaits": 4, "batchTime": 1000}';

/**
 * Why: an open run gets the checks that control seals now; an older seal than the one before brings nothing, or a login
 * would keep a looser one and use it again. The end of what is loosened is in the cell: it ends by the cell's clock.
 * Old workers go on with the limit that is not loosened.
 */
export const loosenChecks: Migration = {
  name: '20261204050200_pre_loosen_checks',
  up: `
alter table credit_rollout.checks
  add loosened_limit float8 check (loosened_limit > 0 and loosened_limit < 'infinity'),
  add loosened_until timestamptz;
comment on column credit_rollout.checks.loosened_limit is
  'the limit until loosened_until; null: the check is off until then';
comment on column credit_rollout.checks.loosened_until is 'when limit_value holds again; null: it does';
alter table credit_rollout.runs add checks_expire_at timestamptz;
comment on column credit_rollout.runs.checks_expire_at is
  'until when the seal was valid that brought its checks: no older one brings others';

-- Makes the checks those that hold writes, and leaves the readings of those that were there. Null: nothing was said.
-- What changes counts from the next batch on: it measures first.
create or replace function credit_rollout.set_checks(specs jsonb) returns void language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  removed integer;
  written integer;
begin
  if jsonb_typeof(specs) is distinct from 'array' then return; end if;
  delete from credit_rollout.checks c where not exists (
    select from jsonb_array_elements(specs) e (spec)
    where e.spec ->> 'name' = c.name and coalesce(e.spec -> 'holds', '["write"]') @> '["write"]');
  get diagnostics removed = row_count;
  insert into credit_rollout.checks as c (name, query, limit_value, loosened_limit, loosened_until)
    select distinct on (e.spec ->> 'name') e.spec ->> 'name', e.spec ->> 'query', case jsonb_typeof(e.spec -> 'limit')
        when 'number' then (e.spec ->> 'limit')::float8
        when 'string' then extract(epoch from (e.spec ->> 'limit')::interval)::float8 * 1000
        else ('${OWN_LIMITS}'::jsonb ->> (e.spec ->> 'name'))::float8 end,
        (e.spec #>> '{loosened,limit}')::float8, (e.spec #>> '{loosened,until}')::timestamptz
      from jsonb_array_elements(specs) e (spec)
      where coalesce(e.spec -> 'holds', '["write"]') @> '["write"]'
    on conflict (name) do update set query = excluded.query, limit_value = excluded.limit_value,
        loosened_limit = excluded.loosened_limit, loosened_until = excluded.loosened_until
      where (c.query, c.limit_value, c.loosened_limit, c.loosened_until)
        is distinct from (excluded.query, excluded.limit_value, excluded.loosened_limit, excluded.loosened_until);
  get diagnostics written = row_count;
  if removed + written > 0 then
    update credit_rollout.throttle t set looked_at = null,
        sampled_at = least(t.sampled_at, clock_timestamp() - interval '16 s')
      where t.sampled_at is not null;
  end if;
end $$;

create or replace function credit_rollout.set_checks_of(document jsonb) returns void language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  update credit_rollout.runs r set checks_expire_at = (document ->> 'expires_at')::timestamptz
    where r.run_id = (document ->> 'run_id')::bigint and r.state = 'open'
      and coalesce(r.checks_expire_at <= (document ->> 'expires_at')::timestamptz, true);
  if found then perform credit_rollout.set_checks(document -> 'checks'); end if;
end $$;

-- While its run is open; of one that is over, or with an older seal, it does nothing.
create function credit_rollout.change_checks(document jsonb) returns void language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform credit_rollout.check_seal(document, 'checks');
  perform credit_rollout.set_checks_of(document);
end $$;
revoke all on function credit_rollout.change_checks from public;
${checkInstantsSql('credit_rollout', MANY_INSTANTS)}
${boundNumbersSql('credit_rollout', MANY_NUMBERS)}`,
};
