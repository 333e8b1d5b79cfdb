// The objects that depend on the product's table: init creates them; detach drops them so that the table can be
// altered.
import { createAssessed, createDecided } from './decided.js';
import { createOrgCapacity } from './org-capacity.js';
import { createRetired, createReturnedCapacity } from './retired.js';
import { type AttachedSource, createSourceOrgs } from './source-orgs.js';

export type { AttachedSource } from './source-orgs.js';

/** SQL that attaches our views to a source. Run `detachedSql` first. */
export function attachedSql(source: AttachedSource): string {
  return [
    createSourceOrgs(source),
    createAssessed,
    createRetired,
    createReturnedCapacity,
    createDecided,
    createOrgCapacity,
  ].join('\n');
}

/** SQL that removes them again; a no-op where nothing is attached. */
export const detachedSql = `
drop function if exists credit_rollout.plan_key_ranges;
drop view if exists credit_rollout.org_capacity;
drop view if exists credit_rollout.decided;
drop function if exists credit_rollout.decided;
drop function if exists credit_rollout.decided_first;
drop function if exists credit_rollout.measure_one_org;
drop function if exists credit_rollout.decided_stored;
drop function if exists credit_rollout.decided_one;
drop function if exists credit_rollout.returned_capacity;
drop view if exists credit_rollout.retired;
drop view if exists credit_rollout.assessed;
drop function if exists credit_rollout.assessed;
drop function if exists credit_rollout.measure_look;
drop function if exists credit_rollout.list_updated;
drop view if exists credit_rollout.source_updates;
drop function if exists credit_rollout.note_left_out;
drop view if exists credit_rollout.source_left_out;
drop function if exists credit_rollout.count_null_ids;
drop view if exists credit_rollout.source_faults;
drop view if exists credit_rollout.source_orgs;`;
