// Why: a cell whose failover lost the end of an undo has allotments again, and control went on calling it undone.
import type { Migration } from '../migration.js';

/** Old schedulers do not look, and leave such a data center as it is. */
export const loseUndos: Migration = {
  name: '20261206045100_pre_lose_undos',
  up: `
insert into credit_rollout_control.stage_transitions values
  ('undone', 'failed', 'the cell is not what was undone: some of it came back');`,
};
