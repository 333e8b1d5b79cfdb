// Why: a fence is closed in a cell and recorded in control, and a scheduler may die in between. The record shows what is
// missing.
import type { Migration } from '../migration.js';

/** Old code neither reads nor writes it: a fence that it closes is closed once more, and recorded then. */
export const recordClosedFences: Migration = {
  name: '20261123070000_pre_remember_shut_fences',
  up: `
alter table credit_rollout_control.runs add shut_epoch bigint;
comment on column credit_rollout_control.runs.shut_epoch is
  'of a maintenance run: the newest epoch at which its fence was shut; written together with the audit row';`,
};
