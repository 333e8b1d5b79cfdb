// Why: an entry that anybody could write in advance said of a whole range of links that nothing is missed there.
import type { Migration } from '../migration.js';
import { entryTextSql, hashSql } from './audit-chain.js';
import { MOST_ENTRIES } from './bounded-audit.js';

/** SQL: the chain has this head, also where the retention deleted its entry. */
export const hasHeadSql = (link: string, hash: string): string => `(
  exists (select from credit_rollout_control.audit_links k where k.link = ${link} and k.hash = ${hash})
  or exists (select from credit_rollout_control.audit_gaps g
    where ${link} between g.first_link and g.last_link and (g.last_link <> ${link} or g.hash = ${hash})))`;

/**
 * Why: an accepted cut names each head that a cell keeps and control has lost, by link and hash. Whether they are lost
 * is asked while the entry is chained, under the lock of the head: before that, they may still come.
 */
export const acceptExactHeads: Migration = {
  name: '20261207030000_pre_accept_exact_heads',
  up: `
create function credit_rollout_control.accept_audit_cut(dc text, first_lost bigint, heads jsonb, why text)
  returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  n record;
begin
  select min(h.link) as lowest, max(h.link) as highest, count(*) as named into n
    from (select (e ->> 'link')::bigint as link, e ->> 'hash' as hash from jsonb_array_elements(heads) e) h
    where h.link > 0 and h.hash ~ '^[0-9a-f]{64}$';
  if n.named = 0 or n.named <> jsonb_array_length(heads) or coalesce(why, '') = ''
     or not exists (select from credit_rollout_control.data_centers d where d.id = dc)
     or not coalesce(first_lost between 1 and least(n.lowest,
       (select h.link + 1 from credit_rollout_control.audit_head h)), true) then
    raise exception 'an accepted cut names a data center, heads of its cell and a reason'
      using errcode = 'restrict_violation', constraint = 'audit_cut_form_check';
  end if;
  insert into credit_rollout_control.audit (action, data_center, reason, details)
    values ('accept_audit_cut', dc, why, jsonb_build_object('from', coalesce(first_lost, n.lowest)::text,
      'to', n.highest::text, 'entries', (n.highest - first_lost + 1)::text, 'heads', (
        select jsonb_agg(jsonb_build_object('link', e ->> 'link', 'hash', e ->> 'hash') order by (e ->> 'link')::bigint)
        from jsonb_array_elements(heads) e)));
end $$;

-- Its owner alone could call itself so; the stack tells it from what the owner enters by hand.
create or replace function credit_rollout_control.sign_audit() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  stack text;
begin
  if jsonb_typeof(new.details) is distinct from 'object' or octet_length(new.details::text) > 100000
     or length(new.action) not between 1 and 100 or length(new.reason) > 20000 then
    raise exception 'no row of the audit is like this' using errcode = 'check_violation',
      constraint = 'audit_shape_check';
  end if;
  if new.action = 'accept_audit_cut' then
    get diagnostics stack = pg_context;
    if stack not like '%credit_rollout_control.accept_audit_cut(%' or current_user <>
       (select pg_get_userbyid(c.relowner) from pg_class c where c.oid = 'credit_rollout_control.audit'::regclass) then
      raise exception 'a cut is accepted by accept_audit_cut alone' using errcode = 'restrict_violation',
        constraint = 'audit_cut_function_check';
    end if;
  end if;
  new.actor := credit_rollout_control.person();
  new.at := clock_timestamp();
  return new;
end $$;

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
  if entry.action = 'accept_audit_cut' and exists (
      select from jsonb_path_query(entry.details, '$.heads[*]') e
      where ${hasHeadSql(`(e ->> 'link')::bigint`, `e ->> 'hash'`)}) then
    raise exception 'control has what is to be accepted as lost' using errcode = 'restrict_violation',
      constraint = 'audit_cut_lost_check';
  end if;
  insert into credit_rollout_control.audit_links (link, seq, kept, routine, hash)
    values (n.link, entry.seq, n.kept, n.routine, ${hashSql('n.before', entryTextSql('entry', 'n'))});
  update credit_rollout_control.audit_head h set link = l.link, kept = l.kept, hash = l.hash, entries = n.entries
    from credit_rollout_control.audit_links l where l.link = n.link;
end $$;
revoke all on function credit_rollout_control.accept_audit_cut from public;`,
};
