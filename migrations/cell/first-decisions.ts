// Why: when a first decision was written, and how often since, are not a worker's to choose.
import type { Migration } from '../migration.js';

/**
 * Why: a worker's login inserted an allotment with a version at which each later change failed, dated 2001 and by no
 * run. Version and instant are left to their defaults: its grant names neither. And no stored version is too large for
 * its checksum, which stays what it was.
 */
export const signFirstDecisions: Migration = {
  name: '20261203021020_pre_sign_first_decisions',
  up: `
-- Sign-ups and what is brought back are written by the owner's functions.
create function credit_rollout.require_run() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if pg_has_role((select c.relowner from pg_class c where c.oid = tg_relid), 'usage') then return new; end if;
  raise exception 'a first decision is of a run' using errcode = 'restrict_violation',
    constraint = 'allotments_first_decision';
end $$;
create trigger allotments_require_run before insert on credit_rollout.allotments for each row
  when (new.run_id is null)
  execute function credit_rollout.require_run();

create or replace function credit_rollout.checksum_seed(rate_card text, origin text, run_id bigint, version integer,
  paid boolean, unpaid_since date, computed_at timestamptz)
returns bigint language sql immutable begin atomic
select hashtextextended(rate_card, hashtextextended(origin, hashint8extended(coalesce(run_id, -1),
  hashint8extended(version::bigint * 2 + paid::integer, hashint8extended(coalesce(unpaid_since - '2000-01-01'::date, -1),
  timestamp_hash_extended(computed_at at time zone 'UTC', 0))))));
end;
revoke all on function credit_rollout.require_run from public;`,
};
