// Why: a sweep repeats until a pass finds nothing, so a run must know where its current pass begins.
import type { Migration } from '../migration.js';

export const createMaintenance: Migration = {
  name: '20261123040000_pre_create_maintenance',
  up: `
alter table credit_rollout.runs add pass_from integer not null default 0;
comment on column credit_rollout.runs.pass_from is 'batches above this number are of the present pass';`,
};
