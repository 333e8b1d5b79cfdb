// Why: the audit is append-only for everybody but the owner of its schema, who could change an entry without a trace.
import type { Migration } from '../migration.js';

/**
 * SQL: the canonical text of an entry. What it says never changes: the hashes of all entries are made of it.
 * `entry`: an alias of the audit; `link`: one of what has link, kept and routine.
 */
export const entryTextSql = (entry: string, link: string): string => `jsonb_build_array('audit-1',
    ${link}.link, ${link}.kept, ${link}.routine, ${entry}.seq, (extract(epoch from ${entry}.at) * 1000000)::bigint,
    ${entry}.actor, ${entry}.action, ${entry}.data_center, ${entry}.run_id, ${entry}.epoch, ${entry}.reason,
    ${entry}.details)::text`;

/** SQL: the hash of an entry's text and the hash before it. */
export const hashSql = (before: string, text: string): string =>
  `encode(sha256(convert_to(${before} || ' ' || ${text}, 'UTF8')), 'hex')`;

/**
 * Why: each entry gets the next link and a hash over itself and the hash before it. At the commit, so that nobody waits
 * for a transaction that goes on after its entry; SET CONSTRAINTS is refused, since it would hold the head, and so is a
 * prepared transaction. The head is locked as a row: a snapshot that is old fails instead of forking the chain.
 */
export const chainAudit: Migration = {
  name: '20261201030000_pre_chain_audit',
  up: `
create table credit_rollout_control.audit_links (
  link bigint primary key,
  seq bigint not null unique,
  kept bigint not null,
  routine boolean not null,
  hash text not null
);
comment on table credit_rollout_control.audit_links is 'the chain over the audit: one link for each entry, without gaps';

create table credit_rollout_control.audit_gaps (
  first_link bigint primary key,
  last_link bigint not null unique,
  hash text not null,
  constraint audit_gaps_order_check check (first_link <= last_link)
);
comment on table credit_rollout_control.audit_gaps is
  'links whose entries the retention deleted, joined where they follow each other, with the hash of the last one';

create table credit_rollout_control.audit_head (
  one boolean primary key default true check (one),
  link bigint not null default 0,
  kept bigint not null default 0,
  hash text not null default ''
);
insert into credit_rollout_control.audit_head default values;
comment on table credit_rollout_control.audit_head is 'the newest link of the chain over the audit; one row';

create function credit_rollout_control.append_link(entry credit_rollout_control.audit) returns void
  language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  routine constant boolean := credit_rollout_control.is_routine(entry);
  n record;
begin
  select h.link + 1 as link, h.kept + (not routine)::integer as kept, routine as routine, h.hash as before
    into strict n from credit_rollout_control.audit_head h for update;
  insert into credit_rollout_control.audit_links (link, seq, kept, routine, hash)
    values (n.link, entry.seq, n.kept, n.routine, ${hashSql('n.before', entryTextSql('entry', 'n'))});
  update credit_rollout_control.audit_head h set link = l.link, kept = l.kept, hash = l.hash
    from credit_rollout_control.audit_links l where l.link = n.link;
end $$;

do $$
declare
  entry credit_rollout_control.audit;
begin
  for entry in select * from credit_rollout_control.audit a order by a.seq loop
    perform credit_rollout_control.append_link(entry);
  end loop;
end $$;

create function credit_rollout_control.chain_entry() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_relid <> 'credit_rollout_control.audit'::regclass then
    raise exception 'this is the trigger of the audit' using errcode = 'insufficient_privilege';
  end if;
  perform set_config('credit_rollout_control.immediate', 'no', true);
  insert into credit_rollout_control.decision_probes (name) values (tg_name);
  delete from credit_rollout_control.decision_probes;
  if current_setting('credit_rollout_control.immediate') <> 'no' then
    raise exception 'an entry is chained when its transaction commits, and not before'
      using errcode = 'restrict_violation', constraint = 'decided_at_commit';
  end if;
  perform credit_rollout_control.append_link(new);
  return null;
end $$;
create constraint trigger audit_chained after insert on credit_rollout_control.audit
  deferrable initially deferred for each row execute function credit_rollout_control.chain_entry();
create constraint trigger audit_chained after insert on credit_rollout_control.decision_probes
  deferrable initially deferred for each row when (new.name = 'audit_chained')
  execute function credit_rollout_control.note_immediate();
create trigger audit_refuse_prepare before insert on credit_rollout_control.audit
  for each statement execute function credit_rollout_control.refuse_prepare();

-- What the retention deletes leaves one gap for all links that follow each other.
create function credit_rollout_control.leave_gaps() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  l record; beyond record;
begin
  for l in
    with deleted as (
      delete from credit_rollout_control.audit_links k using gone where k.seq = gone.seq returning k.link, k.hash)
    select d.link, d.hash from deleted d order by d.link
  loop
    beyond := null;
    delete from credit_rollout_control.audit_gaps g where g.first_link = l.link + 1
      returning g.last_link, g.hash into beyond;
    update credit_rollout_control.audit_gaps g
      set last_link = coalesce(beyond.last_link, l.link), hash = coalesce(beyond.hash, l.hash)
      where g.last_link = l.link - 1;
    if not found then
      insert into credit_rollout_control.audit_gaps (first_link, last_link, hash)
        values (l.link, coalesce(beyond.last_link, l.link), coalesce(beyond.hash, l.hash));
    end if;
  end loop;
  return null;
end $$;
create trigger audit_leaves_gaps after delete on credit_rollout_control.audit
  referencing old table as gone for each statement execute function credit_rollout_control.leave_gaps();

revoke all on function credit_rollout_control.append_link, credit_rollout_control.chain_entry,
  credit_rollout_control.leave_gaps from public;`,
};
