// Why: a fence is shut in a cell and recorded in control; a scheduler may die between the two. The record says which is missing.
import type { Migration } from '../migration.js';

/** Old code neither reads nor writes it: what it shuts is shut once more and recorded then. */
export const rememberShutFences: Migration = {
  name: '20261123070000_pre_remember_shut_fences',
  up: `
alter table credit_rollout_control.runs add shut_epoch bigint;
comment on column credit_rollout_control.runs.shut_epoch is
  'of a maintenance run: the newest epoch at which its fence was shut; written together with the audit row';`,
};
