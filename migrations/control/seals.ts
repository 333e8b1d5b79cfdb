// Why: a cell must not believe a program that two people agreed. What control's tables and triggers prove, a seal says
// to the cell: HMAC-SHA256 with a key that only the owners of both schemas read.
import { type Migration, macSql, randomPads } from '../migration.js';

/**
 * Why: an override is a row of its cell; that two people agreed on it is known by control alone. Counts and hashes
 * only.
 */
export const createCellProposals: Migration = {
  name: '20261129030000_pre_create_cell_proposals',
  up: `
create table credit_rollout_control.cell_proposals (
  data_center text not null references credit_rollout_control.data_centers,
  kind text not null check (kind in ('override', 'undo', 'repair', 'settings', 'exception')),
  number bigint not null,
  digest text not null check (digest ~ '^[0-9a-f]{64}$'),
  author text not null,
  proposed_at timestamptz not null,
  approver text,
  decided_at timestamptz,
  state text not null default 'proposed' check (state in ('proposed', 'approved', 'withdrawn')),
  -- with the digest: a number that somebody took in advance keeps nobody from it
  primary key (data_center, kind, number, digest),
  constraint cell_proposals_two_people_check check (approver is null or approver <> author),
  constraint cell_proposals_approved_check check ((state = 'approved') = (approver is not null)),
  constraint cell_proposals_decided_check check ((state = 'proposed') = (decided_at is null))
);
comment on table credit_rollout_control.cell_proposals is
  'what one person proposed in a cell and another approves: a number and a hash, nothing of an org';

create function credit_rollout_control.bind_cell_proposal() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  -- init registers proposals that a cell has and control has not: only the owner may name an author
  if new.author is null or not pg_has_role((select c.relowner from pg_class c where c.oid = tg_relid), 'usage') then
    new.author := credit_rollout_control.person();
  end if;
  new.proposed_at := clock_timestamp();
  new.approver := null;
  new.decided_at := null;
  new.state := 'proposed';
  return new;
end $$;
create trigger cell_proposals_bind before insert on credit_rollout_control.cell_proposals
  for each row execute function credit_rollout_control.bind_cell_proposal();

-- An approval may be given again, since its seal is valid for an hour only.
create function credit_rollout_control.keep_cell_proposal() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if tg_op <> 'UPDATE' or old.state = 'withdrawn' or new.state = 'proposed'
     or old.state = 'approved' and new.state = 'withdrawn'
     or (new.data_center, new.kind, new.number, new.digest, new.author, new.proposed_at)
       is distinct from (old.data_center, old.kind, old.number, old.digest, old.author, old.proposed_at) then
    raise exception 'a proposal is decided once, and never changed' using errcode = 'restrict_violation';
  end if;
  if new.state = 'approved' and not credit_rollout_control.has_role('approver') then
    raise exception 'this login may not approve' using errcode = 'insufficient_privilege';
  end if;
  new.decided_at := clock_timestamp();
  new.approver := case new.state when 'approved' then credit_rollout_control.person() end;
  return new;
end $$;
create trigger cell_proposals_kept before update or delete on credit_rollout_control.cell_proposals
  for each row execute function credit_rollout_control.keep_cell_proposal();
create trigger cell_proposals_refuse_truncate before truncate on credit_rollout_control.cell_proposals
  for each statement execute function credit_rollout_control.refuse_change();`,
};

/**
 * Why: who can read the rows of an approval is not who may make a cell believe it. Each function makes the seal of what
 * the rows say now, and of nothing else; a seal is valid for an hour and can be made again.
 */
export const createSeals: Migration = {
  name: '20261129030100_pre_create_seals',
  up: `
create table credit_rollout_control.seal_keys (
  data_center text primary key references credit_rollout_control.data_centers on delete cascade,
  inner_pad bytea not null check (length(inner_pad) = 64),
  outer_pad bytea not null check (length(outer_pad) = 64),
  made_at timestamptz not null default clock_timestamp()
);
comment on table credit_rollout_control.seal_keys is
  'the key that a data center shares with control: the two pads of HMAC-SHA256. Only the owner reads it; dumps have it.';

-- A new key for a data center, unless it has one. Returns nothing, so that no key is in a log of results.
create function credit_rollout_control.make_seal_key(dc text) returns void language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  ${randomPads.declare}
begin
  ${randomPads.fill}
  insert into credit_rollout_control.seal_keys (data_center, inner_pad, outer_pad) values (dc, inner_pad, outer_pad)
    on conflict do nothing;
end $$;

-- Shows whether a cell has the same key, and nothing of it.
create function credit_rollout_control.seal_key_fingerprint(dc text) returns text language sql stable
  security definer set search_path = pg_catalog, pg_temp as $$
  select left(encode(sha256('fingerprint'::bytea || k.outer_pad || k.inner_pad), 'hex'), 16)
  from credit_rollout_control.seal_keys k where k.data_center = dc
$$;

-- The document with what it is for, until when it is valid, and its HMAC. Never granted: it seals whatever it is given.
create function credit_rollout_control.seal(dc text, action text, content jsonb) returns jsonb language plpgsql stable
  set search_path = pg_catalog, pg_temp as $$
declare
  document jsonb := content || jsonb_build_object('data_center', dc, 'kind', action,
    'expires_at', clock_timestamp() + interval '1 hour');
  sealed jsonb;
begin
  select document || jsonb_build_object('mac',
      ${macSql('document')})
    into sealed from credit_rollout_control.seal_keys k where k.data_center = dc;
  if not found then
    raise exception 'data center % has no key for seals: run init', dc
      using errcode = 'object_not_in_prerequisite_state', constraint = 'seal_key_missing';
  end if;
  return sealed;
end $$;

-- Whether a row that this transaction sees was written by one that has committed: a seal of what is rolled back would
-- stay valid. Every row that is visible and not yet committed is the transaction's own.
create function credit_rollout_control.is_committed(written xid) returns boolean language plpgsql stable
  set search_path = pg_catalog, pg_temp as $$
declare
  newest numeric := pg_snapshot_xmax(pg_current_snapshot())::text::numeric;
  wrap constant numeric := 4294967296;
  full_id numeric := newest - newest % wrap + written::text::numeric;
begin
  if full_id > newest + 1000000 then full_id := full_id - wrap; end if;
  -- so old that its outcome is no longer kept: it has committed, or nobody would see it
  return full_id < 3 or coalesce(pg_xact_status(full_id::text::xid8) = 'committed', true);
exception when invalid_parameter_value then
  return false;
end $$;

-- Null: no used approval of an open run.
create function credit_rollout_control.seal_run(run bigint) returns jsonb language sql stable
  security definer set search_path = pg_catalog, pg_temp as $$
  select credit_rollout_control.seal(a.data_center, 'run', jsonb_build_object(
    'run_id', a.used_by_run, 'plan_id', substring(a.plan_id from '[0-9]+$')::bigint, 'digest', a.digest,
    'card_hash', p.card_hash, 'batch_size', d.plan -> 'batchSize', 'lanes', d.plan -> 'lanes',
    'rails', d.plan -> 'guardRails', 'approval', a.kind, 'author', a.author, 'approver', a.approver))
  from credit_rollout_control.approvals a
  join credit_rollout_control.runs r on r.run_id = a.used_by_run and r.data_center = a.data_center
  join credit_rollout_control.data_centers d on d.id = a.data_center
  join credit_rollout_control.plans p on p.plan_id = a.plan_id and p.digest = a.digest
  where a.used_by_run = run and r.state = 'open' and r.kind = 'migrate' and r.plan_id = a.plan_id
    and d.run_id = run and d.plan_id = a.plan_id and d.stage in ('canary', 'migrating', 'verifying')
    and credit_rollout_control.is_committed(a.xmin) and credit_rollout_control.is_committed(d.xmin)
$$;

-- The limits of a night or a sweep, as the policy has them. Null: no such run is open.
create function credit_rollout_control.seal_maintenance(run bigint) returns jsonb language sql stable
  security definer set search_path = pg_catalog, pg_temp as $$
  select credit_rollout_control.seal(r.data_center, 'maintenance', jsonb_build_object(
    'run_id', r.run_id, 'of', r.kind, 'batch_size', d.plan -> 'batchSize', 'lanes', d.plan -> 'lanes',
    'max_changed', credit_rollout_control.setting('reconcile.maxChanged'),
    'max_lapsed', credit_rollout_control.setting('reconcile.maxLapsed'),
    'allow_falls', exists (select from credit_rollout_control.reconcile_requests q
      where q.run_id = r.run_id and q.data_center = r.data_center and q.ended_at is null and q.allow_falls)))
  from credit_rollout_control.runs r join credit_rollout_control.data_centers d on d.id = r.data_center
  where r.run_id = run and r.state = 'open' and credit_rollout_control.is_committed(r.xmin)
    and (r.kind = 'sweep' or r.kind = 'reconcile' and (
      exists (select from credit_rollout_control.reconcile_requests q
        where q.run_id = r.run_id and q.data_center = r.data_center and q.ended_at is null)
      or exists (select from credit_rollout_control.due_work w
        where w.run_id = r.run_id and w.data_center = r.data_center and w.kind = 'reconcile' and w.state = 'running')))
$$;

-- The pinned instant of a cut-over. Null: none is pinned.
create function credit_rollout_control.seal_cutover(dc text) returns jsonb language sql stable
  security definer set search_path = pg_catalog, pg_temp as $$
  select credit_rollout_control.seal(d.id, 'cutover', jsonb_build_object(
    'at', d.cutover_at, 'local', d.cutover_local, 'set_at', d.cutover_set_at))
  from credit_rollout_control.data_centers d where d.id = dc and d.cutover_at is not null
$$;

-- Null: nobody approved it.
create function credit_rollout_control.seal_reversal(reversal bigint) returns jsonb language sql stable
  security definer set search_path = pg_catalog, pg_temp as $$
  select credit_rollout_control.seal(r.data_center, 'reversal', jsonb_build_object(
    'reversal_id', r.reversal_id, 'at', r.to_at, 'local', r.to_local, 'author', r.author, 'approver', r.approver))
  from credit_rollout_control.reversals r where r.reversal_id = reversal and r.state = 'applied'
$$;

-- Null: nobody approved it, or the approval is older than an hour.
create function credit_rollout_control.seal_cell_proposal(dc text, action text, num bigint, hash text) returns jsonb
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select credit_rollout_control.seal(p.data_center, p.kind, jsonb_build_object(
    'number', p.number, 'digest', p.digest, 'author', p.author, 'approver', p.approver))
  from credit_rollout_control.cell_proposals p
  where p.data_center = dc and p.kind = action and p.number = num and p.state = 'approved'
    and p.digest = hash and p.decided_at > clock_timestamp() - interval '1 hour'
    and credit_rollout_control.is_committed(p.xmin)
$$;

-- A request of a reconciliation is given to one run of its data center, and ends once.
create function credit_rollout_control.keep_reconcile_request() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if old.ended_at is not null or old.run_id is not null and new.run_id is distinct from old.run_id
     or new.run_id is not null and not exists (select from credit_rollout_control.runs r
       where r.run_id = new.run_id and r.data_center = new.data_center and r.kind = 'reconcile') then
    raise exception 'a request is carried out once' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger reconcile_requests_kept before update on credit_rollout_control.reconcile_requests
  for each row execute function credit_rollout_control.keep_reconcile_request();

-- Only the failed run that a data center is at goes on.
create function credit_rollout_control.check_reopened_run() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if new.kind <> 'migrate' or not exists (select from credit_rollout_control.data_centers d
      where d.id = new.data_center and d.run_id = new.run_id and d.stage = 'failed') then
    raise exception 'only the failed run of a data center goes on' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger runs_check_reopened before update on credit_rollout_control.runs for each row
  when (old.state = 'failed' and new.state = 'open')
  execute function credit_rollout_control.check_reopened_run();

-- The first instant of a rollout is the database's to keep, whatever a scheduler decides.
create function credit_rollout_control.check_not_before() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  raise exception 'data center % does not start before %', new.id, new.not_before_at
    using errcode = 'restrict_violation';
end $$;
create trigger data_centers_check_not_before before update on credit_rollout_control.data_centers for each row
  when (new.stage = 'canary' and old.stage = 'pending' and new.not_before_at > clock_timestamp())
  execute function credit_rollout_control.check_not_before();`,
};
