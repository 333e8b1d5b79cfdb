// Why: one operator alone accepted that the audit lost its tail, which hides what everybody did in it.
import { checkInstantsSql } from '../instants.js';
import type { Migration } from '../migration.js';
import { boundNumbersSql } from '../numbers.js';
import { checkTextsSql } from '../texts.js';
import { CONTROL_LIMITS_NOW } from './texts.js';

/** A proposal has at most so many parts, and each fits in an entry of the audit. */
const [MOST_PARTS, MOST_HEADS] = [100, 500];

/**
 * Why: what one person proposes names each head that control has lost; a second person approves it as a whole. Only
 * then does a trigger enter it in the audit, where it was always accepted: what was accepted before stays. Old code
 * finds no function to accept anything with.
 */
export const createAuditCuts: Migration = {
  name: '20261208030000_pre_create_audit_cuts',
  up: `
drop function credit_rollout_control.accept_audit_cut(text, bigint, jsonb, text);
create table credit_rollout_control.audit_cuts (
  cut_id bigint generated always as identity primary key,
  parts jsonb not null,
  reason text not null check (reason <> ''),
  author text not null,
  author_login oid,
  proposed_at timestamptz not null default clock_timestamp(),
  approver text,
  decided_at timestamptz,
  decided_reason text,
  state text not null default 'proposed' check (state in ('proposed', 'accepted', 'withdrawn')),
  alone boolean not null default false,
  withdrawn_by text,
  constraint audit_cuts_two_people_check check (approver is null or approver <> author or alone),
  constraint audit_cuts_accepted_check check ((state = 'accepted') = (approver is not null)),
  constraint audit_cuts_decided_check check ((state = 'proposed') = (decided_at is null))
);
comment on table credit_rollout_control.audit_cuts is
  'proposals to accept what control has lost of its audit: accepted when a second person approves, or withdrawn';
create unique index audit_cuts_open_idx on credit_rollout_control.audit_cuts (state) where state = 'proposed';

-- Whether it names a data center and heads of its cell, and where the loss begins, if that is known.
create function credit_rollout_control.is_audit_cut(part jsonb) returns boolean language plpgsql stable
  set search_path = pg_catalog, pg_temp as $$
declare
  n record;
begin
  if jsonb_typeof(part) <> 'object' or part - '{data_center,from,heads}'::text[] <> '{}'
     or jsonb_typeof(part -> 'heads') is distinct from 'array' then
    return false;
  end if;
  select min(h.link) as lowest, count(*) as named into n
    from (select (e ->> 'link')::bigint as link, e ->> 'hash' as hash from jsonb_array_elements(part -> 'heads') e) h
    where h.link > 0 and h.hash ~ '^[0-9a-f]{64}$';
  return n.named between 1 and ${MOST_HEADS} and n.named = jsonb_array_length(part -> 'heads')
    and exists (select from credit_rollout_control.data_centers d where d.id = part ->> 'data_center')
    and coalesce((part ->> 'from')::bigint between 1 and least(n.lowest,
      (select h.link + 1 from credit_rollout_control.audit_head h)), true);
end $$;

create function credit_rollout_control.bind_audit_cut() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  fits boolean := jsonb_typeof(new.parts) = 'array';
begin
  if tg_relid <> 'credit_rollout_control.audit_cuts'::regclass then
    raise exception 'not for this table' using errcode = 'insufficient_privilege';
  end if;
  if fits then
    fits := jsonb_array_length(new.parts) between 1 and ${MOST_PARTS} and not exists (
      select from jsonb_array_elements(new.parts) p (part)
      where not coalesce(credit_rollout_control.is_audit_cut(p.part), false));
  end if;
  if fits is not true then
    raise exception 'a cut to accept names data centers and heads of their cells'
      using errcode = 'restrict_violation', constraint = 'audit_cut_form_check';
  end if;
  new.author := credit_rollout_control.person();
  new.proposed_at := clock_timestamp();
  new.approver := null;
  new.decided_at := null;
  new.decided_reason := null;
  new.state := 'proposed';
  new.alone := false;
  new.withdrawn_by := null;
  return new;
end $$;
create trigger audit_cuts_bind before insert on credit_rollout_control.audit_cuts
  for each row execute function credit_rollout_control.bind_audit_cut();

create function credit_rollout_control.keep_audit_cut() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if tg_op <> 'UPDATE' or old.state <> 'proposed' or new.state = 'proposed'
     or (new.cut_id, new.parts, new.reason, new.author, new.author_login, new.proposed_at) is distinct from
        (old.cut_id, old.parts, old.reason, old.author, old.author_login, old.proposed_at) then
    raise exception 'a proposal to accept a cut is decided once, and never changed' using errcode = 'restrict_violation';
  end if;
  new.decided_at := clock_timestamp();
  new.approver := case new.state when 'accepted' then credit_rollout_control.person() end;
  new.withdrawn_by := case new.state when 'withdrawn' then credit_rollout_control.person() end;
  new.alone := coalesce(new.approver = new.author, false)
    and (select r.embedded from credit_rollout_control.rollout r);
  return new;
end $$;
create trigger audit_cuts_kept before update or delete on credit_rollout_control.audit_cuts
  for each row execute function credit_rollout_control.keep_audit_cut();
create trigger audit_cuts_refuse_truncate before truncate on credit_rollout_control.audit_cuts
  for each statement execute function credit_rollout_control.refuse_change();
create trigger audit_cuts_read_committed before insert or update or delete on credit_rollout_control.audit_cuts
  for each statement execute function credit_rollout_control.require_read_committed();
create trigger audit_cuts_refuse_prepare before insert or update on credit_rollout_control.audit_cuts
  for each statement execute function credit_rollout_control.refuse_prepare();
revoke all on function credit_rollout_control.is_audit_cut, credit_rollout_control.bind_audit_cut,
  credit_rollout_control.keep_audit_cut from public;
${checkInstantsSql('credit_rollout_control', [])}
${boundNumbersSql('credit_rollout_control', [])}
${checkTextsSql('credit_rollout_control', CONTROL_LIMITS_NOW)}`,
};

/** Why: who approves is another person by name and by login, who still may at the commit, as with every proposal. */
export const acceptByTwo: Migration = {
  name: '20261208030100_pre_accept_cuts_by_two',
  up: `
create trigger audit_cuts_signed_author before insert on credit_rollout_control.audit_cuts
  for each row execute function credit_rollout_control.sign_author_login('author');
create trigger audit_cuts_check_approver before update on credit_rollout_control.audit_cuts for each row
  when (new.state = 'accepted') execute function credit_rollout_control.check_second_person();
create trigger audit_cuts_two_logins before update on credit_rollout_control.audit_cuts for each row
  when (new.state = 'accepted')
  execute function credit_rollout_control.check_two_logins('audit_cuts_two_people_check');
create constraint trigger audit_cuts_decider_stayed after update on credit_rollout_control.audit_cuts
  deferrable initially deferred for each row when (new.state = 'accepted')
  execute function credit_rollout_control.check_decider_stayed();
create constraint trigger audit_cuts_decider_stayed after insert on credit_rollout_control.decision_probes
  deferrable initially deferred for each row when (new.name = 'audit_cuts_decider_stayed')
  execute function credit_rollout_control.note_immediate();

-- One entry for each part. sign_audit looks for this function: nothing else enters that a cut is accepted.
create function credit_rollout_control.accept_audit_cut() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_relid <> 'credit_rollout_control.audit_cuts'::regclass then
    raise exception 'not for this table' using errcode = 'insufficient_privilege';
  end if;
  insert into credit_rollout_control.audit (action, data_center, reason, details)
    select 'accept_audit_cut', p.part ->> 'data_center', new.reason, jsonb_build_object('cut', 'h' || new.cut_id,
        'author', new.author, 'from', coalesce(p.part ->> 'from', h.lowest::text), 'to', h.highest::text,
        'entries', (h.highest - (p.part ->> 'from')::bigint + 1)::text, 'heads', h.heads)
      || case when new.alone then jsonb_build_object('alone', true) else '{}' end
      || case when new.decided_reason is null then '{}' else jsonb_build_object('approval', new.decided_reason) end
    from jsonb_array_elements(new.parts) with ordinality p (part, place)
    cross join lateral (
      select min((e ->> 'link')::bigint) as lowest, max((e ->> 'link')::bigint) as highest,
        jsonb_agg(jsonb_build_object('link', e ->> 'link', 'hash', e ->> 'hash') order by (e ->> 'link')::bigint) as heads
      from jsonb_array_elements(p.part -> 'heads') e) h
    order by p.place;
  return null;
end $$;
create trigger audit_cuts_accept after update on credit_rollout_control.audit_cuts for each row
  when (new.state = 'accepted') execute function credit_rollout_control.accept_audit_cut();

-- What is proposed and withdrawn is in the audit, whoever does it by which statement.
create function credit_rollout_control.enter_audit_cut() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_relid <> 'credit_rollout_control.audit_cuts'::regclass then
    raise exception 'not for this table' using errcode = 'insufficient_privilege';
  end if;
  insert into credit_rollout_control.audit (action, data_center, reason, details)
    select case new.state when 'proposed' then 'propose_audit_cut' else 'withdraw_audit_cut' end,
      case when cardinality(c.places) = 1 then c.places[1] end,
      case new.state when 'proposed' then new.reason else new.decided_reason end,
      jsonb_build_object('cut', 'h' || new.cut_id, 'author', new.author, 'data_centers', c.places, 'heads', c.heads::text,
        'digest', encode(sha256(convert_to(new.parts::text, 'UTF8')), 'hex'))
    from (select array_agg(distinct p ->> 'data_center') as places, sum(jsonb_array_length(p -> 'heads')) as heads
      from jsonb_array_elements(new.parts) p) c;
  return null;
end $$;
create trigger audit_cuts_entered after insert on credit_rollout_control.audit_cuts
  for each row execute function credit_rollout_control.enter_audit_cut();
create trigger audit_cuts_enter_withdrawal after update on credit_rollout_control.audit_cuts for each row
  when (new.state = 'withdrawn') execute function credit_rollout_control.enter_audit_cut();
revoke all on function credit_rollout_control.accept_audit_cut, credit_rollout_control.enter_audit_cut from public;`,
};

/** Why: a second person who is not told approves nothing. */
export const tellCuts: Migration = {
  name: '20261208030200_pre_tell_cuts',
  up: `
create function credit_rollout_control.tell_audit_cut() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_relid <> 'credit_rollout_control.audit_cuts'::regclass then
    raise exception 'not for this table' using errcode = 'insufficient_privilege';
  end if;
  if exists (select from credit_rollout_control.webhooks) then
    insert into credit_rollout_control.webhook_events (kind, code, value, needs_person, since)
      values ('approval.needed', 'audit_cut', 'h' || new.cut_id, true, clock_timestamp());
  end if;
  return null;
end $$;
create trigger audit_cuts_told after insert on credit_rollout_control.audit_cuts
  for each row execute function credit_rollout_control.tell_audit_cut();
revoke all on function credit_rollout_control.tell_audit_cut from public;`,
};
