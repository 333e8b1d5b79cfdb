// Doctor's look at the cell's roles: there, usable by this login, and with no privilege beyond their work.
import { type CellDatabase, cellRoleName } from '../../stores/cell/cell-database.js';
import { listExcessGrants, listRoles, readLogin, runBakeQuery } from '../../stores/cell/setup/doctor-queries.js';
import type { Source } from '../../stores/cell/setup/source.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
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

// The checks that control and cells have in common: version, primary, durability. Pure.

export interface ServerReading {
  /** server_version_num, e.g. 180004. */
  readonly version: number;
  readonly standby: boolean;
  readonly synchronousCommit: string;
}

const OLDEST = 14;
const NEWEST = 18;

/** Whether the server's version is supported, and which it is. */
export function examineVersion(examiner: Examiner, { version }: Pick<ServerReading, 'version'>): Finding {
  const major = Math.trunc(version / 10_000);
  if (major >= OLDEST && major <= NEWEST) return examiner.ok('version', `PostgreSQL ${major}.${version % 10_000}`);
  const found = `PostgreSQL ${major}; supported are ${OLDEST} to ${NEWEST}`;
  return examiner.error('version', found, `Use PostgreSQL ${OLDEST} to ${NEWEST}.`, 'unsupported_version');
}

export function examinePrimary(examiner: Examiner, { standby }: ServerReading): Finding {
  return standby
    ? examiner.error('primary', 'a standby (in recovery)', 'Point the URL at the primary.', 'cell_is_standby')
    : examiner.ok('primary', 'a primary');
}

/** What is acknowledged must survive a crash: `off` loses it, `local` and `remote_write` may lose it in a failover. */
export function examineDurability(examiner: Examiner, { synchronousCommit }: ServerReading): Finding {
  const found = `synchronous_commit is ${synchronousCommit}`;
  const fix = 'As the owner run: ALTER DATABASE … SET synchronous_commit = on, and reconnect.';
  if (['on', 'remote_apply'].includes(synchronousCommit)) return examiner.ok('synchronous_commit', found);
  return synchronousCommit === 'off'
    ? examiner.error('synchronous_commit', `${found}: a crash loses batches that were reported done`, fix)
    : examiner.warning('synchronous_commit', `${found}: a failover may lose batches that were reported done`, fix);
}

// Doctor's look at rollout.bakeQuery: asked once, as it will be at the end of a bake, so that no rollout finds out then.
// Read only; never shows a server's own text.

const CHECK = 'bake query';

/** Nothing where there is none; after `init`. */
export async function examineBake(
  examiner: Examiner,
  cell: CellDatabase,
  bakeQuery: string | undefined,
): Promise<readonly Finding[]> {
  if (bakeQuery === undefined) return [];
  try {
    const fine = await cell.inTransaction('reader', (tx) => runBakeQuery(tx, bakeQuery));
    return [examiner.ok(CHECK, fine ? 'it returns true' : 'it can be run; now it does not return true')];
  } catch (error) {
    const { sqlstate, kind } = classifyFailure(error);
    const found = `rollout.bakeQuery cannot be run (${sqlstate ?? kind}): every bake would be held`;
    return [examiner.error(CHECK, found, nameFix(sqlstate, cellRoleName(cell.dataCenter, 'reader')))];
  }
}

function nameFix(sqlstate: string | undefined, reader: string): string {
  switch (sqlstate) {
    case '42501':
      return `Grant what it reads to its role, such as: GRANT SELECT ON … TO ${reader};`;
    case '42P01':
      return `Make what it reads in this cell too, and grant it to ${reader}.`;
    case '25006':
      return 'Write a query that only reads.';
    default:
      return `Correct rollout.bakeQuery in the configuration; it runs as ${reader}.`;
  }
}
