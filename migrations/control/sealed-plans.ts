// Why: whoever registers a plan must not choose its digest, its card, or what guard-rails measure.
import { type Migration, macSql } from '../migration.js';

/** Why: only the cell knows what its plan counts, and only its owner's functions and control's owner have the key. */
export const checkPlanSeals: Migration = {
  name: '20261129180000_pre_check_plan_seals',
  up: `
alter table credit_rollout_control.plans add cell_seal jsonb;
comment on column credit_rollout_control.plans.cell_seal is
  'what the cell sealed: number, digest, card, instant and counts; null: registered by an earlier version';

create function credit_rollout_control.check_plan_seal() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  document constant jsonb := new.cell_seal;
  expected text;
begin
  if tg_relid <> 'credit_rollout_control.plans'::regclass then
    raise exception 'this is not the table of plans' using errcode = 'object_not_in_prerequisite_state';
  end if;
  if jsonb_typeof(document) is distinct from 'object' then
    raise exception 'no seal of the cell was given' using errcode = 'restrict_violation', constraint = 'seal_wrong';
  end if;
  select ${macSql("(document - 'mac')")}
    into expected from credit_rollout_control.seal_keys k where k.data_center = new.data_center;
  if not found then
    raise exception 'data center % has no key for seals: run init', new.data_center
      using errcode = 'object_not_in_prerequisite_state', constraint = 'seal_key_missing';
  end if;
  if document ->> 'mac' is distinct from expected or document ->> 'kind' is distinct from 'plan'
     or document ->> 'data_center' is distinct from new.data_center
     or document ->> 'plan_id' is distinct from new.plan_id then
    raise exception 'the cell did not seal this plan' using errcode = 'restrict_violation', constraint = 'seal_wrong';
  end if;
  if (document ->> 'expires_at')::timestamptz <= clock_timestamp() then
    raise exception 'the seal has expired' using errcode = 'restrict_violation', constraint = 'seal_expired';
  end if;
  new.digest := document ->> 'digest';
  new.card_hash := document ->> 'card_hash';
  new.snapshot_at := (document ->> 'snapshot_at')::timestamptz;
  new.counts := new.counts || (document -> 'counts');
  return new;
end $$;
create trigger plans_check_seal before insert on credit_rollout_control.plans
  for each row execute function credit_rollout_control.check_plan_seal();`,
};
