// Why: what comes back to an org is bounded by what it used, and each org has one id, however it is written.
import type { Migration } from '../migration.js';
import { defineRecordUsage } from './usage.js';

const bound = (counter: string, most: string): string =>
  `case when g.${counter} > g.${most} then g.${most} else g.${counter} end as ${counter}`;
const GIVEN = `g.org_id, g.day, g.model, g.calls, g.credits, ${bound('calls_given_back', 'calls')},
      ${bound('credits_given_back', 'credits')}, g.refused_by_credits, g.refused_by_concurrency,
      g.peak_in_flight, g.kinds`;

/**
 * Why: a call id that was used twice gave more back than was ever charged. A meter's counter beyond that is recorded at
 * its bound rather than refused: a batch has the usage of other orgs too, and a counter that comes again with more
 * usage is raised. Old meters are bounded as well.
 */
export const boundGivenBack: Migration = {
  name: '20261201090000_pre_bound_given_back',
  up: `
update credit_rollout.usage_days set calls_given_back = least(calls_given_back, calls),
  credits_given_back = least(credits_given_back, credits)
  where calls_given_back > calls or credits_given_back > credits;
alter table credit_rollout.usage_days
  add constraint usage_days_given_back_check check (calls_given_back <= calls and credits_given_back <= credits);
create or replace ${defineRecordUsage(GIVEN)}`,
};

/**
 * Why: `20 ` is org 20 to whoever looks it up in the product, and was no org to the meter: it had no limit. No type of
 * ids cuts a text off, so each text that can be an id is one.
 */
export const readEverySpelling: Migration = {
  name: '20261201090100_pre_read_every_spelling',
  up: `
create or replace function credit_rollout.read_org_ids(texts text[]) returns credit_rollout.org_id[] language plpgsql
  immutable set search_path = pg_catalog, pg_temp as $$
declare
  ids credit_rollout.org_id[] := '{}';
begin
  return texts::credit_rollout.org_id[];
exception when data_exception or check_violation then
  for number in 1..cardinality(texts) loop
    begin
      ids[number] := texts[number]::credit_rollout.org_id;
    exception when data_exception or check_violation then
      ids[number] := null;
    end;
  end loop;
  return ids;
end $$;`,
};
