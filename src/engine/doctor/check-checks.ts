// Whether each check of `rollout.checks` can be read, as the role that reads it: a check that cannot holds what it
// holds. Reads once what a run would read again and again; writes nothing.
import { type CellCheck, type CheckHold, isBuiltIn, toCheck } from '../../domain/checks/check.js';
import { parseQueryValue, showCheckLimit, showReading } from '../../domain/checks/reading.js';
import { beginReadOnly, readBuiltIn } from '../../stores/cell/batch/built-in-checks.js';
import { type CellDatabase, type CellRole, cellRoleName } from '../../stores/cell/cell-database.js';
import { readSourceAs } from '../../stores/cell/setup/read-source-as.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import type { OpenCell } from './check-cell.js';
import type { Finding, FindingRecorder } from './finding.js';

/** A worker measures what holds writes, a scheduler asks what holds a start or a bake. */
const ROLES: Readonly<Record<CheckHold, CellRole>> = { write: 'worker', start: 'reader', bake: 'reader' };

/** One finding for each that cannot be read; one for all together where every one can. */
export async function checkChecks(
  { cell, config }: Pick<OpenCell, 'cell' | 'config'>,
  record: FindingRecorder,
): Promise<readonly Finding[]> {
  const findings: Outcome[] = [];
  for (const check of config.rollout.checks.map(toCheck))
    for (const role of new Set(check.holds.map((hold) => ROLES[hold])))
      findings.push(await checkOne(cell, check, role, record));
  const failed = findings.filter((outcome) => outcome.kind === 'failed');
  if (failed.length > 0) return failed.map(({ finding }) => finding);
  const read = findings.flatMap((outcome) => (outcome.kind === 'read' ? [outcome.shown] : []));
  return read.length === 0 ? [] : [record.ok(read.join('; '))];
}

type Outcome =
  | { readonly kind: 'read'; readonly shown: string }
  | { readonly kind: 'failed'; readonly finding: Finding };

async function checkOne(
  cell: CellDatabase,
  check: CellCheck,
  role: CellRole,
  record: FindingRecorder,
): Promise<Outcome> {
  const { value, code } = await measureOnce(cell, check, role).catch((error: unknown) => {
    const { sqlstate, kind } = classifyFailure(error);
    return { value: null, code: sqlstate ?? kind };
  });
  const { name } = check;
  if (value !== null && code === null) {
    const shown = showReading({ check, value, error: null, sampledAt: new Date(0) });
    return { kind: 'read', shown: `${shown}, limit ${showCheckLimit(check)}` };
  }
  const found = `${name} of rollout.checks cannot be read (${code ?? 'missing'}): it would hold ${check.holds.join(', ')}`;
  return { kind: 'failed', finding: record.error(found, nameFix(check, code, cellRoleName(cell.dataCenter, role))) };
}

async function measureOnce(
  cell: CellDatabase,
  { name, query, limit }: CellCheck,
  role: CellRole,
): Promise<{ readonly value: number | null; readonly code: string | null }> {
  if (query === null && isBuiltIn(name))
    return cell.inTransaction(
      role,
      async (tx) => {
        await beginReadOnly(tx);
        return (await readBuiltIn(tx, name)).reading;
      },
      { source: 'unread' },
    );
  const rows = await readSourceAs(cell, cellRoleName(cell.dataCenter, role), (reader) =>
    reader.foreign(query ?? '', 2),
  );
  const value = rows.length === 1 ? parseQueryValue(Object.values(rows[0] ?? {})[0], limit) : undefined;
  return value === undefined ? { value: null, code: 'not_a_number' } : { value, code: null };
}

function nameFix({ name, query, limit }: CellCheck, code: string | null, role: string): string {
  if (code === '42501' && query === null) return `As a superuser run: GRANT pg_read_all_stats TO ${role};`;
  if (code === '42501') return `Grant what it reads to its role, such as: GRANT SELECT ON … TO ${role};`;
  if (code === '42P01') return `Create what it reads in this cell too, and grant it to ${role}.`;
  if (code === 'no_standby') return `Connect a standby of this cell, or take ${name} out of rollout.checks.`;
  if (code === 'archive_off') return `Turn archive_mode on, or take ${name} out of rollout.checks.`;
  if (code === 'not_a_number')
    return limit === null
      ? 'Without a limit, let it return one row with true or false; or give it a limit.'
      : 'Let it return one row whose first column is a number.';
  return `Correct ${name} of rollout.checks; it runs as ${role}, for a second at most.`;
}
