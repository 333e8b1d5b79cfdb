// Why: who ends an approval or withdraws a proposal was recorded by the program only, and said why in any words.
import type { Migration } from '../migration.js';
import { checkTextsSql } from '../texts.js';
import { CONTROL_LIMITS } from './texts.js';

const PROPOSALS = ['postponements', 'reversals', 'policy_changes', 'reconcile_requests', 'cell_proposals'] as const;

/**
 * Why: an operator voided the approval of a colleague as if that colleague had lost the right to approve. What the
 * product itself gives as a reason must be so. Old code writes neither column.
 */
export const recordEnds: Migration = {
  name: '20261201180200_pre_record_ends',
  up: `
alter table credit_rollout_control.approvals add voided_by text;
comment on column credit_rollout_control.approvals.voided_by is
  'who control authenticated when it was voided; null: it was not, or by an earlier version';
create or replace function credit_rollout_control.sign_approval_end() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if old.used_at is null and new.used_at is not null then new.used_at := clock_timestamp(); end if;
  new.voided_by := old.voided_by;
  if old.voided_at is null and new.voided_at is not null then
    new.voided_at := clock_timestamp();
    new.voided_by := credit_rollout_control.person();
    if new.void_reason ~* 'its approver may no longer approve'
         and credit_rollout_control.is_still_approver(old.approver, old.approver_login)
       or new.void_reason ~* 'it expired' and old.expires_at > new.voided_at then
      raise exception 'an approval is not voided for what is not so' using errcode = 'check_violation',
        constraint = 'approvals_void_reason_check';
    end if;
  end if;
  return new;
end $$;

create function credit_rollout_control.sign_withdrawal() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  new.withdrawn_by := case when old.state = 'withdrawn' then old.withdrawn_by
    when new.state = 'withdrawn' then credit_rollout_control.person() end;
  return new;
end $$;
${PROPOSALS.map(
  (table) => `alter table credit_rollout_control.${table} add withdrawn_by text;
comment on column credit_rollout_control.${table}.withdrawn_by is
  'who control authenticated when it was withdrawn; null: it was not, or by an earlier version';
create trigger ${table}_sign_withdrawal before update on credit_rollout_control.${table}
  for each row execute function credit_rollout_control.sign_withdrawal();`,
).join('\n')}
revoke all on function credit_rollout_control.sign_withdrawal from public;
${checkTextsSql('credit_rollout_control', CONTROL_LIMITS)}`,
};
