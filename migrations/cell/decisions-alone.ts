// Why: whether limits refuse, and which orgs are protected, somebody decides alone: the cell itself keeps who did.
import type { Migration } from '../migration.js';

/**
 * Why: a login that switched limits off and on again left nothing behind, and one that ended a protection neither. Old
 * code does not know it.
 */
export const logDecisionsAlone: Migration = {
  name: '20261201080000_pre_log_decisions_alone',
  up: `
create table credit_rollout.decision_log (
  decision_id bigint generated always as identity primary key,
  about text not null check (about in ('enforcement', 'protected_orgs')),
  org_id credit_rollout.org_id,
  was jsonb,
  becomes jsonb,
  login text not null default session_user,
  decided_at timestamptz not null default clock_timestamp(),
  constraint decision_log_row_check check (was is not null or becomes is not null)
);
comment on table credit_rollout.decision_log is
  'what one person decides alone, with the login that did: whether limits refuse (org_id null: of all orgs), and which '
  'orgs are protected; only appended to, by triggers';

-- runs as the owner: whoever may decide may not write what is kept of it
create function credit_rollout.log_decision() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_op = 'UPDATE' and (to_jsonb(new) - 'changed_at') = (to_jsonb(old) - 'changed_at') then return null; end if;
  insert into credit_rollout.decision_log (about, org_id, was, becomes)
    values (tg_table_name, case tg_op when 'DELETE' then old.org_id else new.org_id end,
      case when tg_op <> 'INSERT' then to_jsonb(old) - 'org_id' end,
      case when tg_op <> 'DELETE' then to_jsonb(new) - 'org_id' end);
  return null;
end $$;
revoke all on function credit_rollout.log_decision from public;
create trigger enforcement_logged after insert or update or delete on credit_rollout.enforcement
  for each row execute function credit_rollout.log_decision();
create trigger protected_orgs_logged after insert or update or delete on credit_rollout.protected_orgs
  for each row execute function credit_rollout.log_decision();
drop trigger enforcement_dated on credit_rollout.enforcement;
create trigger enforcement_dated before insert or update on credit_rollout.enforcement
  for each row execute function credit_rollout.date_enforcement();`,
};
