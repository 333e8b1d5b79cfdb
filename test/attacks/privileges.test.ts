// Who may do what in a cell and in control, object by object and role by role, compared with the lists that lie beside
// this file. Whoever grants more must change a list, where a reviewer sees it.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addSignUpTrigger, installChangeFeed } from '../../src/engine/setup/triggers.js';
import { CONTROL_ROLES, controlRoleName } from '../../src/stores/control/roles.js';
import { createFleet, type Fleet } from '../support/fleet.js';
import { type CellLogins, createCellLogins } from './cell-logins.js';
import { listFunctions, type PrivilegesOf, showPrivileges } from './list-privileges.js';

let fleet: Fleet;
let logins: CellLogins;
beforeAll(async () => {
  fleet = await createFleet({ cells: [{ orgs: [] }] });
  const { cell, dataCenter } = fleet.cell(0);
  const { clock } = fleet.engine;
  logins = await createCellLogins(fleet.cell(0));
  await addSignUpTrigger(cell, { dataCenter, clock, trigger: 'wanted' });
  await installChangeFeed(cell, { dataCenter, clock, feed: 'wanted' });
});
afterAll(async () => {
  await logins.drop();
  await fleet.drop();
});

const inCell = (): PrivilegesOf => ({ schema: 'credit_rollout', roles: logins.names });
const inControl: PrivilegesOf = {
  schema: 'credit_rollout_control',
  roles: new Map(CONTROL_ROLES.map((role) => [controlRoleName(role), role])),
};

describe('privileges', () => {
  test('of a cell are those of the list, and no others', async () => {
    const { sql } = fleet.cell(0);
    await expect(await showPrivileges(sql, inCell())).toMatchFileSnapshot('privileges-cell.txt');
  });

  test('of control are those of the list, and no others', async () => {
    await expect(await showPrivileges(fleet.control, inControl)).toMatchFileSnapshot('privileges-control.txt');
  });

  test('one more grant, to anybody, shows in the text', async () => {
    const before = await showPrivileges(fleet.control, inControl);
    await fleet.control('grant update (action) on credit_rollout_control.audit to public');
    expect(await showPrivileges(fleet.control, inControl)).toBe(
      before.replace(/^PUBLIC\n(.*)/mu, 'PUBLIC\n$1\n  table audit: UPDATE of action'),
    );
    await fleet.control('revoke update (action) on credit_rollout_control.audit from public');
  });
});

describe.each([
  ['a cell', () => fleet.cell(0).sql, 'credit_rollout'],
  ['control', () => fleet.control, 'credit_rollout_control'],
] as const)('functions of %s', (_where, sql, schema) => {
  const BOUND = 'search_path=pg_catalog, pg_temp';

  test('that are procedural or run as their owner have their own search path', async () => {
    const functions = await listFunctions(sql(), schema);
    expect(functions.length).toBeGreaterThan(10);
    const unbound = functions.filter(
      ({ language, definer, settings }) => (language !== 'sql' || definer) && !settings.includes(BOUND),
    );
    expect(unbound).toEqual([]);
  });

  test('in SQL have their own search path, or names that were resolved when they were made', async () => {
    const open = (await listFunctions(sql(), schema)).filter(
      ({ language, parsed, settings }) => language === 'sql' && !parsed && !settings.includes(BOUND),
    );
    expect(open).toEqual([]);
  });

  test('are none that PUBLIC may execute', async () => {
    const open = await sql()(
      `select p.oid::regprocedure from pg_proc p cross join aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) g
       where p.pronamespace = $1::regnamespace and g.grantee = 0`,
      [schema],
    );
    expect(open).toEqual([]);
  });
});
