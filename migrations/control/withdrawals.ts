// Why: who looked at a proposal that was withdrawn saw neither who withdrew it nor why.
import type { Migration } from '../migration.js';
import { checkTextsSql } from '../texts.js';
import { CONTROL_LIMITS } from './texts.js';

const PROPOSALS = ['postponements', 'reversals', 'policy_changes', 'reconcile_requests', 'cell_proposals'] as const;

/** Why: the reason was in the audit only. It is written with the withdrawal, and stays. Old code writes none. */
export const keepWithdrawalReasons: Migration = {
  name: '20261203020400_pre_keep_withdrawal_reasons',
  up: `
${PROPOSALS.map(
  (table) => `alter table credit_rollout_control.${table} add withdrawn_reason text;
comment on column credit_rollout_control.${table}.withdrawn_reason is
  'why it was withdrawn; null: it was not, or by an earlier version';`,
).join('\n')}
create or replace function credit_rollout_control.sign_withdrawal() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  new.withdrawn_by := case when old.state = 'withdrawn' then old.withdrawn_by
    when new.state = 'withdrawn' then credit_rollout_control.person() end;
  new.withdrawn_reason := case when old.state = 'withdrawn' then old.withdrawn_reason
    when new.state = 'withdrawn' then new.withdrawn_reason end;
  return new;
end $$;
${checkTextsSql('credit_rollout_control', CONTROL_LIMITS)}`,
};
