// Why: that a database is the moved cell of a data center is proposed by one person and approved by another.
import type { Migration } from '../migration.js';

/** Why: an adoption is what two people agree on for a cell, as an override is. Old code never writes this kind. */
export const createAdoptions: Migration = {
  name: '20261130033600_pre_create_adoptions',
  up: `
alter table credit_rollout_control.cell_proposals
  drop constraint cell_proposals_kind_check,
  add constraint cell_proposals_kind_check
    check (kind in ('override', 'undo', 'repair', 'settings', 'exception', 'adoption'));`,
};
