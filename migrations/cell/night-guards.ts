// Why: a night writes through functions of the owner, and a seal of it is valid for an hour.
import type { Migration } from '../migration.js';

/** Why: a freeze stops every writer, and nobody who closes a run may say that it ended long ago. */
export const guardNights: Migration = {
  name: '20261129194000_pre_guard_nights',
  up: `
-- Whether the fence is open for repairs of a run, and nothing is frozen.
create or replace function credit_rollout.repairs_open(run bigint, only_nights boolean) returns boolean
  language sql stable set search_path = pg_catalog, pg_temp as $$
select exists (select from credit_rollout.fence f join credit_rollout.runs r on r.run_id = f.run_id
  where f.state = 'open' and r.run_id = run and r.state = 'open'
    and (r.kind = 'reconcile' or r.kind = 'sweep' and not only_nights))
  and not exists (select from credit_rollout.freezes z where z.lifted_at is null)
$$;

-- When a run ended is the clock's: an old end would let it be forgotten, and opened again, while its seal is valid.
create function credit_rollout.sign_run_end() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if not pg_has_role((select c.relowner from pg_class c where c.oid = tg_relid), 'usage') then
    new.ended_at := case when new.state = 'open' then null
      when new.state is distinct from old.state then clock_timestamp() else old.ended_at end;
  end if;
  return new;
end $$;
create trigger runs_sign_end before update on credit_rollout.runs for each row
  when (new.ended_at is distinct from old.ended_at or new.state is distinct from old.state)
  execute function credit_rollout.sign_run_end();`,
};
