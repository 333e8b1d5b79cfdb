// Checks of `doctor` on who owns our schemas: functions run with the rights of that role, so it must have no others.

import { advise, command } from '../../kernel/advice.js';
import { type CellDatabase, cellOwnerName, cellSourceRoleName } from '../../stores/cell/cell-database.js';
import { readOwnerMembers, readSourceRole } from '../../stores/cell/setup/ownership.js';
import { CONTROL_OWNER } from '../../stores/control/roles.js';
import { readSchemaOwner, type SchemaOwner, withoutPowers } from '../../stores/schema-owner.js';
import type { OpenCell } from './check-cell.js';
import type { OpenControl } from './check-control.js';
import type { Finding, FindingRecorder } from './finding.js';

/** Also whether it may read the source: our views belong to it. */
export async function checkCellOwner(
  { cell, source }: Pick<OpenCell, 'cell' | 'source'>,
  record: FindingRecorder,
): Promise<Finding> {
  const owner = await cell.asOwner((tx) => readSchemaOwner(tx, 'credit_rollout'));
  if (!('failure' in source) && source.ownerGrant !== null && owner.name === cellOwnerName(cell.dataCenter))
    return record.error(
      `${owner.name}, which owns our schema, may not read ${source.relation}`,
      `As its owner run: ${source.ownerGrant}`,
      'not_permitted',
    );
  const found = judge(owner, cellOwnerName(cell.dataCenter), record);
  return found.level === 'ok' ? checkReader(cell, found, record) : found;
}

/** The role whose functions read the source. */
async function checkReader(cell: CellDatabase, otherwise: Finding, record: FindingRecorder): Promise<Finding> {
  const { name, powers, others } = await cell.asOwner((tx) => readSourceRole(tx, cell.dataCenter));
  if (others.length > 0)
    return record.error(
      `functions that read the source do not belong to ${name}: ${others.join(', ')}`,
      advise`Run: ${command('init')} (it gives them to that role)`,
    );
  if (powers.length > 0) return rejectPowers(name, powers, 'whose functions read the source', record);
  return (await findOwnerMembers(cell, record)) ?? otherwise;
}

/** Whoever is a member of these roles can change everything of ours: only the login that runs init has to be one. */
async function findOwnerMembers(cell: CellDatabase, record: FindingRecorder): Promise<Finding | undefined> {
  const { others, own } = await cell.asOwner((tx) => readOwnerMembers(tx, cell.dataCenter));
  // another login's doctor cannot tell which one runs init
  if (others.length <= (own ? 0 : 1)) return undefined;
  const [owner, source] = [cellOwnerName(cell.dataCenter), cellSourceRoleName(cell.dataCenter)];
  return record.warning(
    `these can change everything of ours, as members of ${owner} or ${source}: ${others.join(', ')}`,
    `Leave only the login that runs init a member: REVOKE "${owner}", "${source}" FROM …;`,
  );
}

export async function checkControlOwner(
  { control }: Pick<OpenControl, 'control'>,
  record: FindingRecorder,
): Promise<Finding> {
  const owner = await control.inTransaction((tx) => readSchemaOwner(tx, 'credit_rollout_control'));
  return judge(owner, CONTROL_OWNER, record);
}

function judge({ name, powers }: SchemaOwner, expected: string, record: FindingRecorder): Finding {
  if (name !== expected)
    return record.error(
      `our schema belongs to ${name}, and functions of ours run with its rights`,
      advise`Run: ${command('init')} (it gives the schema to ${expected})`,
    );
  if (powers.length === 0) return record.ok(`it belongs to ${name}, which nobody can log in as`);
  return rejectPowers(name, powers, 'which owns our schema', record);
}

const rejectPowers = (name: string, powers: readonly string[], which: string, record: FindingRecorder): Finding =>
  record.error(`${name}, ${which}, has ${powers.join(', ')}`, `As a superuser run: ${withoutPowers(name, powers)};`);
