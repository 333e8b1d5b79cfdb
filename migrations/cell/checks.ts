// Why: our batches must slow down before the product feels them. What is measured, and how many lanes may work, is in
// the cell, so that no worker gets past it.
import type { Migration } from '../migration.js';
import { CODE_FORM } from '../plain-texts.js';

/**
 * Why: the scheduler writes which checks there are, a worker what it measured. Old workers read none of it: they write
 * in every lane until they are upgraded.
 */
export const createChecks: Migration = {
  name: '20261201060100_pre_create_checks',
  up: `
create table credit_rollout.checks (
  name text primary key check (name ~ '^[a-z][A-Za-z0-9_-]{0,30}$'),
  query text,
  limit_value float8 check (limit_value > 0 and limit_value < 'infinity'),
  value float8 check (value >= 0 and value < 'infinity'),
  error text check (error ~ ${CODE_FORM}),
  sampled_at timestamptz,
  calm_ms float8[] not null default '{}' check (cardinality(calm_ms) <= 15),
  mark_lsn pg_lsn,
  mark_at timestamptz
);
comment on table credit_rollout.checks is 'what is measured while we write here, and the newest reading of each';
comment on column credit_rollout.checks.query is 'null: the check is built in';
comment on column credit_rollout.checks.limit_value is 'in ms for a time; null: the query returns true or false';
comment on column credit_rollout.checks.value is 'null: it could not be read; of true and false 0 and 2';
comment on column credit_rollout.checks.error is 'code of why it could not be read';
comment on column credit_rollout.checks.calm_ms is 'of the probe: how long it took while nothing of ours ran';
comment on column credit_rollout.checks.mark_lsn is 'of lag and wal: a place in the WAL that is compared with';

create table credit_rollout.throttle (
  scope text primary key check (scope in ('write', 'read')),
  lanes float8 check (lanes >= 0 and lanes < 'infinity'),
  good_samples integer not null default 0,
  changed_at timestamptz,
  sampled_at timestamptz,
  looked_at timestamptz
);
comment on table credit_rollout.throttle is
  'how many lanes may work at once, as the checks say: for batches that write, and for those that only read';
comment on column credit_rollout.throttle.lanes is '0: none; below 1: one that rests after each batch';
comment on column credit_rollout.throttle.looked_at is 'when a worker began to look; others wait for what it finds';
insert into credit_rollout.throttle (scope) values ('write'), ('read');

-- A small read that takes the same work each time: the median of five, in ms. What the product's reads would feel.
create function credit_rollout.probe_ms() returns float8 language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  times float8[] := '{}';
  began timestamptz;
begin
  for round in 1..5 loop
    began := clock_timestamp();
    for read in 1..60 loop
      perform count(*) from pg_catalog.pg_attribute a where a.attrelid = 'pg_catalog.pg_class'::regclass;
    end loop;
    times := times || extract(epoch from clock_timestamp() - began)::float8 * 1000;
  end loop;
  return (select percentile_cont(0.5) within group (order by t) from unnest(times) t);
end $$;
revoke all on function credit_rollout.probe_ms from public;`,
};
