// Why: the epoch of a cell leapt further than control followed, and no scheduler could open its fence again.
import { EPOCH_CEILING } from '../epoch-ceiling.js';
import type { Migration } from '../migration.js';

/**
 * Why: a limit for each leap ends no leaps, and another in control fitted none. Control and cells let an epoch leap as
 * far as one ceiling that grows with the clock: whichever was set there, the others follow, and the next is below.
 */
export const boundCellEpochs: Migration = {
  name: '20261201110500_pre_bound_epochs',
  up: `
create or replace function credit_rollout.check_epoch_step() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if new.epoch > ${EPOCH_CEILING} then
    raise exception 'an epoch makes no leap' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
drop trigger fence_epoch_steps on credit_rollout.fence;
create trigger fence_epoch_steps before update on credit_rollout.fence for each row
  when (new.epoch > old.epoch + 1)
  execute function credit_rollout.check_epoch_step();`,
};
