// Checks of `doctor` on who owns our schemas: functions run with the rights of that role, so it must have no others.

import { advise, command } from '../../kernel/advice.js';
import { type CellDatabase, cellOwnerName } from '../../stores/cell/cell-database.js';
import { readSourceRole } from '../../stores/cell/setup/ownership.js';
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
  return powers.length === 0 ? otherwise : rejectPowers(name, powers, 'whose functions read the source', record);
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
