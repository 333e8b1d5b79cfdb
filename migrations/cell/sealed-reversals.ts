// Why: a reversal takes back the cut-over that two people saw, not a later one.
import type { Migration } from '../migration.js';

/** Why: the seal of a reversal can be made again for as long as it is not carried out. */
export const bindReversals: Migration = {
  name: '20261129180100_pre_bind_reversals',
  up: `
-- Without the instant in the document, a control of an earlier version made it.
create function credit_rollout.check_reversed_cutover() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  document jsonb := (select u.document from credit_rollout.used_seals u
    where u.document ->> 'kind' = 'reversal' and (u.document ->> 'reversal_id')::bigint = new.reversal_id
    order by u.used_at desc limit 1);
begin
  if document ->> 'from' is not null and (document ->> 'from')::timestamptz is distinct from new.configured_at then
    raise exception 'the cut-over is another one now' using errcode = 'restrict_violation', constraint = 'seal_used';
  end if;
  return new;
end $$;
create trigger reversals_check_cutover before insert on credit_rollout.reversals
  for each row execute function credit_rollout.check_reversed_cutover();`,
};
