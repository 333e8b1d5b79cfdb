// Why: where every processor is busy, a small read of 1 ms still gets one at once; a batch does not. So each batch
// measures for itself how long it waits for a processor.
import type { Migration } from '../migration.js';

/** Old workers measure nothing here, and begin with every lane. */
export const measureSlowdown: Migration = {
  name: '20261204060001_pre_measure_slowdown',
  up: `
alter table credit_rollout.batches add column slowdown float8
  constraint batches_slowdown_check check (slowdown >= 1 and slowdown < 'infinity');
comment on column credit_rollout.batches.slowdown is
  'how many times as long as on an idle processor it took; null: not measured';
alter table credit_rollout.throttle add column slowed boolean not null default false;
comment on column credit_rollout.throttle.slowed is 'a check has slowed this work: lanes grow slowly';

-- Forty pieces of the same work: all of them against the quick ones, which nothing interrupted. 1: nothing waits.
create function credit_rollout.slowdown() returns float8 language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  times float8[] := '{}';
  began timestamptz := clock_timestamp();
  ended timestamptz;
  done bigint := 0;
begin
  for piece in 1..40 loop
    for step in 1..400 loop done := done + step; end loop;
    ended := clock_timestamp();
    times[piece] := extract(epoch from ended - began);
    began := ended;
  end loop;
  return (select greatest(1, avg(t) / nullif(percentile_cont(0.25) within group (order by t), 0))
    from unnest(times) t);
end $$;
revoke all on function credit_rollout.slowdown from public;

-- as before, with fewer reads: a look must be cheap
create or replace function credit_rollout.probe_ms() returns float8 language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  times float8[] := '{}';
  began timestamptz;
begin
  for round in 1..5 loop
    began := clock_timestamp();
    for read in 1..36 loop
      perform count(*) from pg_catalog.pg_attribute a where a.attrelid = 'pg_catalog.pg_class'::regclass;
    end loop;
    times := times || extract(epoch from clock_timestamp() - began)::float8 * 1000;
  end loop;
  return (select percentile_cont(0.5) within group (order by t) from unnest(times) t);
end $$;`,
};
