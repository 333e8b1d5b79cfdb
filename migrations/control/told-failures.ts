// Why: who was told that a rollout failed was not told why, and had to look.
import type { Migration } from '../migration.js';
import { checkTextsSql } from '../texts.js';
import { CONTROL_LIMITS } from './texts.js';

/** Why: the code is written with the stage, by the trigger that tells of it. Old code tells it too, and shows none. */
export const tellFailures: Migration = {
  name: '20261204030001_pre_tell_failures',
  up: `
alter table credit_rollout_control.webhook_events
  add failure text check (failure ~ '^[0-9A-Za-z_]{1,63}$');
comment on column credit_rollout_control.webhook_events.failure is
  'code of why a rollout failed; null: it is no stage failed, or an earlier version wrote it';
create or replace function credit_rollout_control.tell_stage() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_relid <> 'credit_rollout_control.data_centers'::regclass then
    raise exception 'not for this table' using errcode = 'insufficient_privilege';
  end if;
  if not exists (select from credit_rollout_control.webhooks) then return null; end if;
  if new.stage <> old.stage then
    insert into credit_rollout_control.webhook_events (kind, data_center, code, value, failure, needs_person, since)
      values ('stage.changed', new.id, new.stage, old.stage,
        case when new.stage = 'failed' and new.failure ~ '^[0-9A-Za-z_]{1,63}$' then new.failure end,
        new.stage = 'failed', clock_timestamp());
  end if;
  if old.gate_latched_at is null and new.gate_latched_at is not null then
    insert into credit_rollout_control.webhook_events (kind, data_center, code, since)
      values ('signups.switched', new.id, 'switched', least(new.gate_effective_at, new.gate_latched_at));
  end if;
  if old.gate_swept_at is null and new.gate_swept_at is not null then
    insert into credit_rollout_control.webhook_events (kind, data_center, code, since)
      values ('signups.swept', new.id, 'swept', new.gate_swept_at);
  end if;
  return null;
end $$;
${checkTextsSql('credit_rollout_control', CONTROL_LIMITS)}`,
};
