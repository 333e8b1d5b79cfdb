// Why: whoever enters a lot in the audit at once holds its head, and everybody's commits, while it is chained.
import type { Migration } from '../migration.js';
import { entryTextSql, hashSql } from './audit-chain.js';

/** More than any transaction of the program enters. */
export const MOST_ENTRIES = 200;

/**
 * Why: 5,000 entries of one transaction took fourteen seconds at its commit, and each next one took longer. All other
 * commits waited, and a decision that was checked before them was as old. The owner, who restores, is not asked.
 */
export const boundEntries: Migration = {
  name: '20261204040000_pre_bound_entries',
  up: `
alter table credit_rollout_control.audit_head add entries integer not null default 0;
comment on column credit_rollout_control.audit_head.entries is 'of the transaction that wrote the newest link';

create or replace function credit_rollout_control.append_link(entry credit_rollout_control.audit) returns void
  language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  routine constant boolean := credit_rollout_control.is_routine(entry);
  n record;
begin
  select h.link + 1 as link, h.kept + (not routine)::integer as kept, routine as routine, h.hash as before,
      case when h.xmin = pg_current_xact_id()::xid then h.entries + 1 else 1 end as entries
    into strict n from credit_rollout_control.audit_head h for update;
  if n.entries > ${MOST_ENTRIES} and not pg_has_role(session_user,
      (select c.relowner from pg_class c where c.oid = 'credit_rollout_control.audit'::regclass), 'usage') then
    raise exception 'a transaction enters at most ${MOST_ENTRIES} rows in the audit' using errcode = 'restrict_violation',
      constraint = 'audit_entries_check';
  end if;
  insert into credit_rollout_control.audit_links (link, seq, kept, routine, hash)
    values (n.link, entry.seq, n.kept, n.routine, ${hashSql('n.before', entryTextSql('entry', 'n'))});
  update credit_rollout_control.audit_head h set link = l.link, kept = l.kept, hash = l.hash, entries = n.entries
    from credit_rollout_control.audit_links l where l.link = n.link;
end $$;`,
};
