// Why: when something was found, in which run and why, was for a worker's login to say, and the reason left the cell.
import type { Migration } from '../migration.js';

/** What the rule, and a range that cannot be read, quarantine for: a test compares it with src/domain. */
export const KNOWN_REASONS = [
  ...['duplicate_id', 'null_edition', 'unknown_edition', 'null_paid', 'null_agents', 'null_light_agents'],
  ...['null_additional_credits', 'null_created_at', 'negative_agents', 'negative_light_agents'],
  ...['negative_additional_credits', 'negative_legacy_limit', 'overflow', 'unreadable', 'other'],
] as const;

const OWNER = `pg_has_role((select c.relowner from pg_class c where c.oid = tg_relid), 'usage')`;
const CHECKED = [
  ['quarantine', 'insert'],
  ['stale_orgs', 'insert'],
  ['stale_orgs', 'update'],
  ['detections', 'insert'],
  ['detections', 'update'],
] as const;

/**
 * Why: a worker wrote findings into runs that were over, with times of its own, and a name as the reason. Batches write
 * many rows, so the run is checked once a statement, and a row that says nothing odd calls no function.
 */
export const signFindings: Migration = {
  name: '20261201110000_pre_sign_findings',
  up: `
create function credit_rollout.check_findings_run() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if ${OWNER} then return null; end if;
  if exists (select from written w where not exists (
      select from credit_rollout.fence f join credit_rollout.runs r on r.run_id = f.run_id
      where r.run_id = w.run_id and r.state = 'open')) then
    raise exception 'findings belong to the run that is open' using errcode = 'object_not_in_prerequisite_state',
      constraint = 'drift_needs_open_run';
  end if;
  return null;
end $$;
${CHECKED.map(
  ([table, event]) => `create trigger ${table}_${event}_in_run after ${event} on credit_rollout.${table}
  referencing new table as written for each statement execute function credit_rollout.check_findings_run();`,
).join('\n')}

create function credit_rollout.sign_quarantine() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if not (new.reason = any ('{${KNOWN_REASONS.join(',')}}')) then new.reason := 'other'; end if;
  if not ${OWNER} then new.recorded_at := now(); end if;
  return new;
end $$;
create trigger quarantine_signed before insert on credit_rollout.quarantine for each row
  when (new.recorded_at is distinct from now() or not (new.reason = any ('{${KNOWN_REASONS.join(',')}}')))
  execute function credit_rollout.sign_quarantine();

-- as of quarantine: the start of the transaction, which a trigger compares without a call
alter table credit_rollout.stale_orgs alter recorded_at set default now();
create function credit_rollout.sign_stale() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if ${OWNER} then return new; end if;
  if tg_op = 'INSERT' then
    new.recorded_at := now();
    new.settled_at := null;
    new.settled := null;
  elsif old.settled_at is not null then
    raise exception 'an org is settled once' using errcode = 'restrict_violation';
  elsif new.settled_at is not null then
    new.settled_at := clock_timestamp();
  end if;
  return new;
end $$;
create trigger stale_orgs_signed before insert on credit_rollout.stale_orgs for each row
  when (new.recorded_at is distinct from now() or new.settled_at is not null)
  execute function credit_rollout.sign_stale();
create trigger stale_orgs_signed_end before update on credit_rollout.stale_orgs for each row
  execute function credit_rollout.sign_stale();

create function credit_rollout.sign_detection() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if ${OWNER} then return new; end if;
  if tg_op = 'INSERT' then
    new.orgs := 0;
    new.allotments := 0;
    new.ended_at := null;
  end if;
  if new.pass is distinct from (select r.pass from credit_rollout.runs r where r.run_id = new.run_id)
     or tg_op = 'UPDATE' and ((new.run_id, new.pass) is distinct from (old.run_id, old.pass)
       or new.orgs < old.orgs or new.allotments < old.allotments or old.ended_at is not null) then
    raise exception 'a search for drift goes on in its own pass' using errcode = 'restrict_violation';
  end if;
  if new.ended_at is not null then new.ended_at := clock_timestamp(); end if;
  return new;
end $$;
create trigger detections_signed before insert or update on credit_rollout.detections
  for each row execute function credit_rollout.sign_detection();
revoke all on function credit_rollout.check_findings_run, credit_rollout.sign_quarantine, credit_rollout.sign_stale,
  credit_rollout.sign_detection from public;`,
};

const AHEAD = {
  // the longest rest: src/domain/feed/decide-pace.ts
  "interval '5 minutes'": ['rest_until', 'backlog_rest_until'],
  // the clocks of the product may be ahead of the cell's
  "interval '1 minute'": ['read_from', 'read_at', 'read_past', 'bulk_from', 'bulk_to', 'bulk_again_from'],
} as const;

/**
 * Why: with instants at infinity no worker read edits again, whatever was started anew. An instant that is too far
 * ahead is brought back and not refused, so that the feed goes on after a clock was put back.
 */
export const boundFeed: Migration = {
  name: '20261201110100_pre_bound_feed',
  up: `
create function credit_rollout.bound_feed() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  moment timestamptz := clock_timestamp();
  known record;
begin
${Object.entries(AHEAD)
  .flatMap(([most, columns]) =>
    columns.map(
      (column) => `  new.${column} := case when new.${column} is not null
    then greatest(least(new.${column}, moment + ${most}), timestamptz '1900-01-01Z') end;`,
    ),
  )
  .join('\n')}
  new.changed_at := moment;
  if new.open_then is distinct from old.open_then then
    if jsonb_typeof(new.open_then) <> 'object' then
      raise exception 'open transactions are an object' using errcode = 'check_violation';
    end if;
    -- raises where one is no instant: the next reading would
    for known in select o.value::timestamptz as since from jsonb_each_text(new.open_then) o loop
      if known.since is null or not isfinite(known.since) then
        raise exception 'an open transaction has an instant' using errcode = 'check_violation';
      end if;
    end loop;
  end if;
  return new;
end $$;
create trigger feed_bounded before update on credit_rollout.feed
  for each row execute function credit_rollout.bound_feed();
-- what is there too far ahead
update credit_rollout.feed set changed_at = clock_timestamp();
revoke all on function credit_rollout.bound_feed from public;`,
};
