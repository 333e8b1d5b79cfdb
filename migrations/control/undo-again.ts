// Why: what an older run wrote is taken back after the newer one, from the stage where that undo ended.
import type { Migration } from '../migration.js';

/** Old schedulers do not start an undo there, and leave the request alone. */
export const undoAgain: Migration = {
  name: '20261207040100_pre_undo_again',
  up: `
insert into credit_rollout_control.stage_transitions values
  ('undone', 'undoing', 'an undo of an older run was asked for');`,
};
