// Why: a control that was restored to before an undo called the data center done, and put everything back by night.
import type { Migration } from '../migration.js';

/** Old schedulers do not look, and leave such a data center as it is. */
export const forgetUndos: Migration = {
  name: '20261207040200_pre_forget_undos',
  up: `
insert into credit_rollout_control.stage_transitions values
  ('baking', 'failed', 'the cell has an undo that control does not know'),
  ('done', 'failed', 'the cell has an undo that control does not know');`,
};
