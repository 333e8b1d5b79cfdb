// Why: an allotment that was edited past our commands keeps a rollout from being verified, and only the owner's SQL
// could put it back. What is put back is computed here, from the record and the rule: nobody chooses a number.
import type { Migration } from '../migration.js';

/** What was edited by hand since we last wrote the row. */
const FIRST_EDIT = `
      select c.before from credit_rollout.allotment_changes c
      where c.org_id = a.org_id and c.cause = 'manual edit' and c.operation = 'update'
        and c.change_id > coalesce((select max(x.change_id) from credit_rollout.allotment_changes x
          where x.org_id = a.org_id and x.cause <> 'manual edit'), 0)
      order by c.change_id limit 1`;

/**
 * Why: a repair is one transaction while nothing else writes. Raises need one person, since they can only be what the
 * rule gives; where a paid org would fall, the seal of control proves that two people agreed on exactly these rows.
 */
export const restoreEdited: Migration = {
  name: '20261129213000_pre_restore_edited',
  up: `
create table credit_rollout.repairs (
  repair_id bigint generated always as identity primary key,
  reason text not null check (reason <> ''),
  author text not null,
  login text not null default session_user,
  nonce text not null default gen_random_uuid()::text,
  proposed_at timestamptz not null default clock_timestamp(),
  approver text,
  decided_at timestamptz,
  state text not null default 'proposed' check (state in ('proposed', 'applying', 'applied', 'withdrawn')),
  constraint repairs_two_people_check check (approver is null or approver <> author)
);
comment on table credit_rollout.repairs is
  'who had allotments put back that broke the rule, and who agreed; approver null: nobody that pays lost anything';
create table credit_rollout.repaired_orgs (
  repair_id bigint not null references credit_rollout.repairs,
  org_id credit_rollout.org_id not null,
  lowers boolean not null,
  before jsonb not null,
  after jsonb not null,
  primary key (repair_id, org_id)
);
comment on table credit_rollout.repaired_orgs is 'the rows of a repair, as they were found and as they are put back';
comment on column credit_rollout.repaired_orgs.lowers is 'a paid org loses credits, calls at once or a part of its floor: two people agree';
create trigger repairs_kept before delete or truncate on credit_rollout.repairs
  for each statement execute function credit_rollout.refuse_change();
create trigger repaired_orgs_append_only before update or delete or truncate on credit_rollout.repaired_orgs
  for each statement execute function credit_rollout.refuse_change();

-- What the record and the rule say of the allotments of these orgs: inputs and floor as before the first manual edit,
-- or as stored where nothing was recorded; the terms from them, under the card of the row. Orgs of which the rule says
-- nothing are left out.
create function credit_rollout.repair_targets(ids credit_rollout.org_id[]) returns setof credit_rollout.allotments
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select t.org_id, t.edition, t.paid, t.agents, t.light_agents, t.negotiated_limit, t.base, t.variable::bigint,
    t.additional_credits, t.formula_limit::bigint, t.kept_floor::bigint,
    case when t.kept_floor is null then null when t.promised then t.edition
      else coalesce(t.floor_edition, t.edition) end,
    case when not t.paid then coalesce(t.unpaid_since, (
      select (now() at time zone c.zone)::date from credit_rollout.cell c)) end,
    t.top_up::bigint, (t.plan + t.top_up + t.additional_credits)::bigint, t.concurrency,
    case t.top_up when 0 then 'credits' else 'legacy' end, t.origin, t.rate_card, null::bigint, t.stored_version,
    clock_timestamp(), null::bigint
  from (
    select f.*, case when not f.paid or f.kept_floor is null or f.kept_floor <= f.plan then 0
      else f.kept_floor - f.plan end as top_up
    from (
      select l.*, case when l.promised then l.formula_limit else l.floor end as kept_floor
      from (
        select n.*, n.paid and not n.armed
          and (n.floor is null or not n.recorded and n.origin = 'migrated' and n.stored_version = 1) as promised
        from (
          select r.*, pays.base, pays.concurrency, u.variable, pays.base + u.variable as plan,
            case
              when r.negotiated_limit is not null then r.negotiated_limit
              when own.legacy_flat is not null then own.legacy_flat
              else greatest(own.legacy_min, least(own.legacy_max, own.legacy_per_user * u.users)) end as formula_limit,
            (select g.effective_at is not null from credit_rollout.gate g)
              or exists (select from credit_rollout.reversals) as armed
          from (
            select (coalesce(jsonb_populate_record(null::credit_rollout.allotments, e.before), a)).*,
              a.version as stored_version, e.before is not null as recorded
            from credit_rollout.allotments a
            left join lateral (${FIRST_EDIT}) e on true
            where a.org_id = any (ids)
          ) r
          join credit_rollout.rate_cards c on c.card_hash = r.rate_card
          join credit_rollout.rates own on own.card_hash = r.rate_card and own.edition = r.edition
          join credit_rollout.rates pays on pays.card_hash = r.rate_card
            and pays.edition = case when r.paid then r.edition else c.unpaid_edition end
          cross join lateral (select pays.per_agent::numeric * r.agents as variable,
            r.agents::numeric + case when c.light_agents_count_as_users then r.light_agents else 0 end as users) u
        ) n
      ) l
    ) f
  ) t
  where greatest(t.plan + t.top_up + t.additional_credits, t.formula_limit) <= 9223372036854775807
$$;

-- Proposes to put these allotments back; one that waits already gives way. Null: there is nothing to put back.
create function credit_rollout.propose_repair(author text, reason text, ids credit_rollout.org_id[]) returns bigint
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  number bigint;
begin
  if cardinality(ids) > 1000 then
    raise exception 'a repair has at most 1000 orgs' using errcode = 'invalid_parameter_value';
  end if;
  update credit_rollout.repairs p set state = 'withdrawn', decided_at = clock_timestamp() where p.state = 'proposed';
  insert into credit_rollout.repairs (author, reason) values (author, reason) returning repair_id into number;
  insert into credit_rollout.repaired_orgs (repair_id, org_id, lowers, before, after)
    select number, a.org_id, (a.paid or t.paid) and (t.total_credits < a.total_credits
        or t.concurrency_limit < a.concurrency_limit
        or a.floor is not null and (t.floor is null or t.floor < a.floor)), to_jsonb(a), to_jsonb(t)
    from credit_rollout.repair_targets(ids) t join credit_rollout.allotments a on a.org_id = t.org_id
    where not credit_rollout.is_intact(a) or to_jsonb(a) - '{run_id,version,computed_at,checksum}'::text[]
      <> to_jsonb(t) - '{run_id,version,computed_at,checksum}'::text[];
  if not found then
    update credit_rollout.repairs p set state = 'withdrawn', decided_at = clock_timestamp() where p.repair_id = number;
    return null;
  end if;
  return number;
end $$;

-- What control gets to know of it: nobody can guess what it is made of.
create function credit_rollout.digest_repair(proposal bigint) returns text language sql stable begin atomic
select encode(sha256(convert_to(jsonb_build_array('credit-rollout repair 1', p.repair_id, p.reason, p.author, p.nonce,
  (select jsonb_agg(jsonb_build_array(o.org_id::text, o.before, o.after) order by o.org_id)
   from credit_rollout.repaired_orgs o where o.repair_id = p.repair_id))::text, 'UTF8')), 'hex')
from credit_rollout.repairs p where p.repair_id = proposal;
end;

-- Writes a proposed repair, while nothing else may write: how many allotments. The seal is needed where one falls.
create function credit_rollout.apply_repair(proposal bigint, document jsonb) returns integer language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  found_state text; agreed text; written integer;
begin
  if current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then
    raise exception 'allotments are written at read committed' using errcode = 'object_not_in_prerequisite_state',
      constraint = 'allotments_need_open_work';
  end if;
  perform pg_advisory_xact_lock(1129467724, 0);
  if exists (select from credit_rollout.freezes z where z.lifted_at is null)
     or exists (select from credit_rollout.fence f where f.state <> 'closed')
     or exists (select from credit_rollout.runs r where r.state = 'open') then
    raise exception 'allotments are put back while no run is open, and nothing is frozen'
      using errcode = 'object_not_in_prerequisite_state', constraint = 'repairs_need_rest';
  end if;
  select p.state into found_state from credit_rollout.repairs p where p.repair_id = proposal for update;
  if found_state is distinct from 'proposed' then
    raise exception 'the repair was decided already' using errcode = 'restrict_violation',
      constraint = 'repairs_decided_once';
  end if;
  perform from credit_rollout.allotments a
    where a.org_id in (select o.org_id from credit_rollout.repaired_orgs o where o.repair_id = proposal)
    order by a.org_id for update;
  if exists (
      select from credit_rollout.repaired_orgs o left join credit_rollout.allotments a on a.org_id = o.org_id
      where o.repair_id = proposal and to_jsonb(a) is distinct from o.before) then
    raise exception 'an allotment has changed since the repair was proposed'
      using errcode = 'restrict_violation', constraint = 'repairs_outdated';
  end if;
  if exists (select from credit_rollout.repaired_orgs o where o.repair_id = proposal and o.lowers) then
    perform credit_rollout.check_seal(document, 'repair');
    if (document ->> 'number')::bigint is distinct from proposal
       or document ->> 'digest' is distinct from credit_rollout.digest_repair(proposal)
       or document ->> 'author' is distinct from (
         select p.author from credit_rollout.repairs p where p.repair_id = proposal) then
      raise exception 'the repair is not the one that was approved'
        using errcode = 'restrict_violation', constraint = 'seal_wrong';
    end if;
    perform credit_rollout.record_seal(document);
    agreed := document ->> 'approver';
  end if;
  update credit_rollout.repairs p set state = 'applying' where p.repair_id = proposal;
  perform set_config('credit_rollout.cause', 'repair', true), set_config('credit_rollout.run_id', '', true);
  update credit_rollout.allotments a set edition = t.edition, paid = t.paid, agents = t.agents,
      light_agents = t.light_agents, negotiated_limit = t.negotiated_limit, base_credits = t.base_credits,
      variable_credits = t.variable_credits, additional_credits = t.additional_credits,
      legacy_limit = t.legacy_limit, floor = t.floor, floor_edition = t.floor_edition,
      unpaid_since = t.unpaid_since, grandfathered_credits = t.grandfathered_credits,
      total_credits = t.total_credits, concurrency_limit = t.concurrency_limit, winner = t.winner,
      origin = t.origin, rate_card = t.rate_card, run_id = null, computed_at = clock_timestamp()
    from credit_rollout.repaired_orgs o
    cross join lateral jsonb_populate_record(null::credit_rollout.allotments, o.after) t
    where o.repair_id = proposal and a.org_id = o.org_id;
  get diagnostics written = row_count;
  perform set_config('credit_rollout.cause', '', true);
  update credit_rollout.repairs p set state = 'applied', approver = agreed, decided_at = clock_timestamp()
    where p.repair_id = proposal;
  return written;
end $$;`,
};
