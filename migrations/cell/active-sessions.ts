// Why: where nobody else works, our own batches wait for each other, and the brake slowed them for nothing.
import { checkInstantsSql } from '../instants.js';
import type { Migration } from '../migration.js';
import { boundNumbersSql } from '../numbers.js';
import { MANY_NUMBERS } from './bounded-numbers.js';
import { MANY_INSTANTS } from './instants.js';

/** Old workers count no sessions, and are slowed as before. */
export const countActiveSessions: Migration = {
  name: '20261208000000_pre_count_active_sessions',
  up: `
alter table credit_rollout.throttle
  add column active_mark float8,
  add column active_at timestamptz,
  add column others_active float8 constraint throttle_others_active_check check (others_active >= 0);
comment on column credit_rollout.throttle.active_mark is
  'how long the sessions of the server had worked at active_at, in ms: what a later look compares with';
comment on column credit_rollout.throttle.active_at is 'when active_mark was read';
comment on column credit_rollout.throttle.others_active is
  'sessions of others that worked at a time, the mean of some seconds; null: not known';
${checkInstantsSql('credit_rollout', [...MANY_INSTANTS, 'undone_allotments'])}
${boundNumbersSql('credit_rollout', MANY_NUMBERS)}`,
};
