// Why: where the follow-up of a run was skipped since its source had been replaced after the plan, people saw orgs that
// were left out, and nothing said why.
import { checkInstantsSql } from '../instants.js';
import type { Migration } from '../migration.js';
import { MANY_INSTANTS } from './instants.js';

/** Why: the run keeps when that was found. Old code skips and says nothing, as before. */
export const recordSkippedFollowUps: Migration = {
  name: '20261206020100_pre_record_skipped_follow_ups',
  up: `
alter table credit_rollout.runs add follow_up_skipped_at timestamptz
  constraint runs_skipped_check check (follow_up_skipped_at is null or follow_up_at is not null);
comment on column credit_rollout.runs.follow_up_skipped_at is
  'when its source was found to be defined otherwise than when it was planned, so that its stale orgs stay; null: never';
do $do$
declare
  old constant text := pg_get_functiondef('credit_rollout.add_follow_up(bigint)'::regprocedure);
  new constant text := replace(old, 'update credit_rollout.runs set follow_up_at = clock_timestamp() where run_id = run;
    return 0;', 'update credit_rollout.runs set follow_up_at = clock_timestamp(), follow_up_skipped_at = clock_timestamp()
    where run_id = run;
    return 0;');
begin
  if new = old then raise exception 'add_follow_up is not as it was released'; end if;
  execute new;
end $do$;
${checkInstantsSql('credit_rollout', [...MANY_INSTANTS, 'undone_allotments'])}`,
};
