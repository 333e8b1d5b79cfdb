// Why: control followed a fence by a billion, and a cell let its fence leap by a trillion, again and again.
import { EPOCH_CEILING } from '../epoch-ceiling.js';
import type { Migration } from '../migration.js';

/** Why: as of a cell. An operator still leaps once an hour, and not far. */
export const boundControlEpochs: Migration = {
  name: '20261201110600_pre_bound_epochs',
  up: `
create or replace function credit_rollout_control.check_rollout() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if old.pinned_at is not null and (new.pinned_at, new.card_hash, new.card_name)
     is distinct from (old.pinned_at, old.card_hash, old.card_name) then
    raise exception 'the first apply has pinned the card' using errcode = 'restrict_violation';
  end if;
  if new.epoch > old.epoch + 1 and new.epoch > ${EPOCH_CEILING} then
    raise exception 'an epoch grows in small steps' using errcode = 'restrict_violation';
  end if;
  if old.pinned_at is null then
    new.pinned_at := case when new.pinned_at is not null then clock_timestamp() end;
  end if;
  return new;
end $$;`,
};
