// The roles of a cell: made by `init`, and given what each needs.
import { RolloutError } from '../../../kernel/rollout-error.js';
import { classifyFailure } from '../../postgres-failure.js';
import { execute, runVerbatim, selectRow, selectRows } from '../../query.js';
import { createRoleSql } from '../../schema-owner.js';
import {
  CELL_ROLES,
  type CellRole,
  type CellTransaction,
  cellOwnerName,
  cellRoleName,
  cellSourceRoleName,
} from '../cell-database.js';
import { GRANTS, SOURCE_GRANTS } from './grants.js';

/**
 * Makes the roles, those that own what is ours too, and this login a member of them; throws roles_missing with the SQL
 * when it may not.
 */
export async function ensureRoles(tx: CellTransaction, dataCenter: string): Promise<void> {
  rejectControlRoles(dataCenter);
  const names = listRoleNames(dataCenter);
  const missing = await listMissingRoles(tx, names);
  const create = missing.map((name) => `create role "${name}" nologin`);
  const join = await listMissingMemberships(tx, names, missing);
  if (create.length + join.length === 0) return;
  try {
    await tx.transaction((nested) => runVerbatim(nested, [...missing.map(createRoleSql), ...join].join(';\n')));
  } catch (error) {
    if (classifyFailure(error).kind !== 'not_permitted') throw error;
    throw new RolloutError('roles_missing', {
      message: `The login of data center "${dataCenter}" may not create roles (CREATEROLE is needed once).`,
      next: `As a superuser run:\n${[...create, ...join].join(';\n')};\nthen run init again.`,
      cause: error,
    });
  }
}

/** Throws invalid_config for an id whose roles would be those of the control database: roles belong to the server. */
function rejectControlRoles(dataCenter: string): void {
  if (dataCenter !== 'control') return;
  throw new RolloutError('invalid_config', {
    message: `The id of data center "${dataCenter}" is reserved: the roles of its cell would be those of control.`,
    next: 'Give the data center another id.',
  });
}

/** Every role of a cell: what our transactions run as, and both that own what is ours. */
export const listRoleNames = (dataCenter: string): readonly string[] => [
  ...CELL_ROLES.map((role) => cellRoleName(dataCenter, role)),
  cellOwnerName(dataCenter),
  cellSourceRoleName(dataCenter),
];

/**
 * What the owner of a source runs once, so that the role that owns our schema can read it: with the role, which `init`
 * makes otherwise. `relation`: quoted, with its schema.
 */
export function letOwnerReadSql(dataCenter: string, relation: string): string {
  const owner = cellOwnerName(dataCenter);
  return `${createRoleSql(owner)};\ngrant select on ${relation} to "${owner}"`;
}

interface RoleRow {
  readonly role: string;
}

async function listMissingRoles(tx: CellTransaction, names: readonly string[]): Promise<readonly string[]> {
  const rows = await selectRows<RoleRow>(
    tx,
    `select role from unnest(:names::text[]) role where not exists (select from pg_roles r where r.rolname = role)`,
    { names },
  );
  return rows.map(({ role }) => role);
}

/** The GRANTs that make this login a member of the roles. */
// from 16 on, who made a role is a member that may give it to others, and not become it
const MAY_BECOME = `pg_has_role(session_user, r.oid,
       case when current_setting('server_version_num')::integer >= 160000 then 'set' else 'member' end)`;

async function listMissingMemberships(
  tx: CellTransaction,
  names: readonly string[],
  missing: readonly string[],
): Promise<readonly string[]> {
  const { login } = await selectRow<{ login: string }>(tx, `select format('%I', session_user) as login`);
  const rows = await selectRows<RoleRow>(
    tx,
    `select r.rolname as role from pg_roles r
     where r.rolname = any (:existing::text[]) and not ${MAY_BECOME}`,
    { existing: names.filter((name) => !missing.includes(name)) },
  );
  return [...missing, ...rows.map(({ role }) => role)].map((name) => `grant "${name}" to ${login}`);
}

/**
 * Leaves each role exactly what it needs: what an older version granted goes. Safe to repeat. Every object is written
 * once for all roles, since a schema with many functions takes long otherwise.
 */
export async function grantRoles(tx: CellTransaction, dataCenter: string): Promise<void> {
  const nameOf = (role: CellRole): string => `"${cellRoleName(dataCenter, role)}"`;
  const source = `"${cellSourceRoleName(dataCenter)}"`;
  const everyone = [...CELL_ROLES.map(nameOf), source].join(', ');
  const statements = [
    `revoke all on all tables in schema credit_rollout from ${everyone}`,
    `revoke all on all sequences in schema credit_rollout from ${everyone}`,
    // PUBLIC may execute every new function until it is revoked; a trigger function could be put on anybody's table
    `revoke all on all functions in schema credit_rollout from public, ${everyone}`,
    `grant usage on schema credit_rollout to ${everyone}`,
    ...CELL_ROLES.flatMap((role) => GRANTS[role].map((grant) => `grant ${grant} to ${nameOf(role)}`)),
    ...SOURCE_GRANTS.map((grant) => `grant ${grant} to ${source}`),
  ];
  await execute(tx, statements.join(';\n'));
}

/** `init --grant ROLE`: records a role of the product; `grantProduct` gives it its rights. */
export async function recordProductRole(tx: CellTransaction, role: string): Promise<void> {
  const { found } = await selectRow<{ found: boolean }>(
    tx,
    'select exists (select from pg_roles where rolname = :role) as found',
    { role },
  );
  if (!found)
    throw new RolloutError('invalid_argument', {
      message: `--grant names the role "${role}", which does not exist in the cell.`,
      next: 'Correct the name, or create the role first; other data centers are named with --dc.',
    });
  await execute(
    tx,
    `update credit_rollout.cell set product_roles = array_append(product_roles, :role)
     where not :role = any (product_roles)`,
    { role },
  );
}

/**
 * Grants what the product reads and calls to every recorded role that still exists; recreated views have lost their
 * grants.
 */
export async function grantProduct(tx: CellTransaction): Promise<void> {
  const roles = await selectRows<{ name: string }>(
    tx,
    `select quote_ident(r.rolname) as name
     from credit_rollout.cell c join pg_roles r on r.rolname = any (c.product_roles)`,
  );
  for (const { name } of roles)
    await runVerbatim(
      tx,
      `grant usage on schema credit_rollout to ${name};
       grant select on credit_rollout.org_capacity, credit_rollout.allotments to ${name};
       grant execute on function credit_rollout.signup_model, credit_rollout.onboard_org,
         credit_rollout.returned_capacity, credit_rollout.api_details, credit_rollout.ask_exception to ${name}`,
    );
}
