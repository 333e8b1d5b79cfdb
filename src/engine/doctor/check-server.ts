// Doctor's look at the cell's roles: there, usable by this login, and with no privilege beyond their work.
import { type CellDatabase, cellRoleName } from '../../stores/cell/cell-database.js';
import { listExcessGrants, listRoles, readLogin, runBakeQuery } from '../../stores/cell/setup/doctor-queries.js';
import type { Source } from '../../stores/cell/setup/source.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import type { Finding, FindingRecorder } from './finding.js';

export async function checkRoles(
  recorder: FindingRecorder,
  cell: CellDatabase,
  source: Source | undefined,
): Promise<{ readonly usable: boolean; readonly findings: readonly Finding[] }> {
  try {
    const roles = await cell.asOwner((tx) => listRoles(tx, cell.dataCenter));
    const broken = roles.filter((role) => !role.usable);
    if (broken.length > 0) {
      const login = await cell.asOwner(readLogin);
      const findings = broken.map(({ role, exists }) => reportRole(recorder, role, exists, login));
      return { usable: false, findings };
    }
    const ok = recorder.ok('roles', 'they exist and this login is a member of each');
    return { usable: true, findings: [ok, ...(source ? await checkGrants(recorder, cell, source) : [])] };
  } catch (error) {
    return { usable: false, findings: [recorder.failure('roles', error)] };
  }
}

function reportRole(recorder: FindingRecorder, role: string, exists: boolean, login: string): Finding {
  return exists
    ? recorder.error(
        'roles',
        `this login may not act as ${role}`,
        `As a superuser run: GRANT "${role}" TO ${login};`,
        'roles_missing',
      )
    : recorder.error(
        'roles',
        `the role ${role} does not exist`,
        'Run: credit-rollout init (it makes the role, or prints the SQL for a superuser)',
        'roles_missing',
      );
}

/** A worker must not be able to write the product's table, nor to take an allotment away. */
async function checkGrants(recorder: FindingRecorder, cell: CellDatabase, source: Source): Promise<readonly Finding[]> {
  return recorder.run('grants', async () => {
    const excess = await cell.asOwner((tx) => listExcessGrants(tx, cell.dataCenter, source.relation));
    if (excess.length === 0) return [recorder.ok('grants', 'as tight as they should be')];
    return excess.map(({ role, privilege, relation }) => {
      const verb = privilege.toUpperCase();
      const fix = `As the owner run: REVOKE ${verb} ON ${relation} FROM "${role}", or from PUBLIC or the role that it comes by.`;
      return recorder.error('grants', `${role} holds ${verb} on ${relation} and must not`, fix);
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
export function checkVersion(recorder: FindingRecorder, { version }: Pick<ServerReading, 'version'>): Finding {
  const major = Math.trunc(version / 10_000);
  if (major >= OLDEST && major <= NEWEST) return recorder.ok('version', `PostgreSQL ${major}.${version % 10_000}`);
  const found = `PostgreSQL ${major}; supported are ${OLDEST} to ${NEWEST}`;
  return recorder.error('version', found, `Use PostgreSQL ${OLDEST} to ${NEWEST}.`, 'unsupported_version');
}

export function checkPrimary(recorder: FindingRecorder, { standby }: ServerReading): Finding {
  return standby
    ? recorder.error('primary', 'a standby (in recovery)', 'Point the URL at the primary.', 'cell_is_standby')
    : recorder.ok('primary', 'a primary');
}

/** What is acknowledged must survive a crash: `off` loses it, `local` and `remote_write` may lose it in a failover. */
export function checkDurability(recorder: FindingRecorder, { synchronousCommit }: ServerReading): Finding {
  const found = `synchronous_commit is ${synchronousCommit}`;
  const fix = 'As the owner run: ALTER DATABASE … SET synchronous_commit = on, and reconnect.';
  if (['on', 'remote_apply'].includes(synchronousCommit)) return recorder.ok('synchronous_commit', found);
  return synchronousCommit === 'off'
    ? recorder.error('synchronous_commit', `${found}: a crash loses batches that were reported done`, fix)
    : recorder.warning('synchronous_commit', `${found}: a failover may lose batches that were reported done`, fix);
}

// Doctor's look at rollout.bakeQuery: asked once, as it will be at the end of a bake, so that no rollout finds out then.
// Read only; never shows a server's own text.

const CHECK = 'bake query';

/** Nothing where there is none; after `init`. */
export async function checkBake(
  recorder: FindingRecorder,
  cell: CellDatabase,
  bakeQuery: string | undefined,
): Promise<readonly Finding[]> {
  if (bakeQuery === undefined) return [];
  try {
    const fine = await cell.inTransaction('reader', (tx) => runBakeQuery(tx, bakeQuery));
    return [recorder.ok(CHECK, fine ? 'it returns true' : 'it can be run; now it does not return true')];
  } catch (error) {
    const { sqlstate, kind } = classifyFailure(error);
    const found = `rollout.bakeQuery cannot be run (${sqlstate ?? kind}): every bake would be held`;
    return [recorder.error(CHECK, found, nameFix(sqlstate, cellRoleName(cell.dataCenter, 'reader')))];
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
