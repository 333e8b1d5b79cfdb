// Doctor's look at the cell's roles: there, usable by this login, and with no privilege beyond their work.
import type { CellDatabase } from '../../stores/cell/cell-database.js';
import { listExcessGrants, listRoles, readLogin } from '../../stores/cell/setup/doctor-queries.js';
import type { Source } from '../../stores/cell/setup/source.js';
import type { Examiner, Finding } from './finding.js';

export async function examineRoles(
  examiner: Examiner,
  cell: CellDatabase,
  source: Source | undefined,
): Promise<{ readonly usable: boolean; readonly findings: readonly Finding[] }> {
  try {
    const roles = await cell.asOwner((tx) => listRoles(tx, cell.dataCenter));
    const broken = roles.filter((role) => !role.usable);
    if (broken.length > 0) {
      const login = await cell.asOwner(readLogin);
      const findings = broken.map(({ role, exists }) => reportRole(examiner, role, exists, login));
      return { usable: false, findings };
    }
    const ok = examiner.ok('roles', 'they exist and this login is a member of each');
    return { usable: true, findings: [ok, ...(source ? await examineGrants(examiner, cell, source) : [])] };
  } catch (error) {
    return { usable: false, findings: [examiner.failure('roles', error)] };
  }
}

function reportRole(examiner: Examiner, role: string, exists: boolean, login: string): Finding {
  return exists
    ? examiner.error(
        'roles',
        `this login may not act as ${role}`,
        `As a superuser run: GRANT "${role}" TO ${login};`,
        'roles_missing',
      )
    : examiner.error(
        'roles',
        `the role ${role} does not exist`,
        'Run: credit-rollout init (it makes the role, or prints the SQL for a superuser)',
        'roles_missing',
      );
}

/** A worker must not be able to write the product's table, nor to take an allotment away. */
async function examineGrants(examiner: Examiner, cell: CellDatabase, source: Source): Promise<readonly Finding[]> {
  return examiner.run('grants', async () => {
    const excess = await cell.asOwner((tx) => listExcessGrants(tx, cell.dataCenter, source.relation));
    if (excess.length === 0) return [examiner.ok('grants', 'as tight as they should be')];
    return excess.map(({ role, privilege, relation }) => {
      const verb = privilege.toUpperCase();
      const fix = `As the owner run: REVOKE ${verb} ON ${relation} FROM "${role}", or from PUBLIC or the role that it comes by.`;
      return examiner.error('grants', `${role} holds ${verb} on ${relation} and must not`, fix);
    });
  });
}
