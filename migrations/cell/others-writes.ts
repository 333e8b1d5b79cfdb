// Why: processors are busy whether others lose by us or not; how many transactions they write tells it.
import { checkInstantsSql } from '../instants.js';
import type { Migration } from '../migration.js';
import { boundNumbersSql } from '../numbers.js';
import { MANY_NUMBERS } from './bounded-numbers.js';
import { MANY_INSTANTS } from './instants.js';

/** Old workers know no such number, and are slowed by the other checks. */
export const countOthersWrites: Migration = {
  name: '20261206060000_pre_count_others_writes',
  up: `
alter table credit_rollout.throttle
  add column writes_mark bigint,
  add column writes_at timestamptz,
  add column calm_writes float8 constraint throttle_calm_writes_check check (calm_writes >= 0);
comment on column credit_rollout.throttle.writes_mark is
  'transactions that the server had written at writes_at: what the next look compares with';
comment on column credit_rollout.throttle.writes_at is 'when writes_mark was read';
comment on column credit_rollout.throttle.calm_writes is
  'transactions a second that were written before our work began, or the most since then; null: not known';
${checkInstantsSql('credit_rollout', [...MANY_INSTANTS, 'undone_allotments'])}
${boundNumbersSql('credit_rollout', MANY_NUMBERS)}`,
};
