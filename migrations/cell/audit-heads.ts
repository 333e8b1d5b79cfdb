// Why: who owns control could cut the tail of its audit, or put an older copy in its place, and nothing told. Cells lie
// elsewhere: they keep which entries there were.
import { checkInstantsSql } from '../instants.js';
import type { Migration } from '../migration.js';
import { checkTextsSql } from '../texts.js';
import { MANY_INSTANTS } from './instants.js';
import { CELL_LIMITS_NOW } from './texts.js';

/** Why: as many rows as the audit has entries that stay, or fewer. Old schedulers give none. */
export const keepAuditHeads: Migration = {
  name: '20261206045000_pre_keep_audit_heads',
  up: `
create table credit_rollout.audit_heads (
  link bigint primary key check (link > 0),
  hash text not null check (hash ~ '^[0-9a-f]{64}$'),
  kept_at timestamptz not null default clock_timestamp()
);
comment on table credit_rollout.audit_heads is
  'what control had in its audit, as it sealed it: links of the chain and their hashes. Numbers and hashes only';
create trigger audit_heads_append_only before update or delete or truncate on credit_rollout.audit_heads
  for each statement execute function credit_rollout.refuse_change();
create trigger audit_heads_read_committed before insert or update or delete on credit_rollout.audit_heads
  for each statement execute function credit_rollout.require_read_committed();

-- Keeps a head that control sealed. False: it is not later than what is kept.
create function credit_rollout.keep_audit_head(document jsonb) returns boolean language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform credit_rollout.check_seal(document, 'audit_head');
  insert into credit_rollout.audit_heads (link, hash)
    select (document ->> 'link')::bigint, document ->> 'hash'
    where (document ->> 'link')::bigint > coalesce((select max(h.link) from credit_rollout.audit_heads h), 0)
    on conflict do nothing;
  return found;
end $$;
revoke all on function credit_rollout.keep_audit_head from public;
${checkInstantsSql('credit_rollout', [...MANY_INSTANTS, 'undone_allotments'])}
${checkTextsSql('credit_rollout', CELL_LIMITS_NOW)}`,
};
