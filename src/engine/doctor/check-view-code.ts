// The check of `doctor` on the code of the product's view: one org is read as every role that reads it, since such code
// runs with the rights of the reader. Shows no org.
import type { CellDatabase, CellRole } from '../../stores/cell/cell-database.js';
import { readSourceAs } from '../../stores/cell/setup/read-source-as.js';
import {
  findSomeOrg,
  listOtherReaders,
  listVolatileCode,
  type OtherReader,
  readOneOrg,
} from '../../stores/cell/setup/view-grants.js';
import { explainViewGrants } from '../setup/view-grants.js';
import type { OpenCell } from './check-cell.js';
import { readAs } from './check-source.js';
import type { Finding, FindingRecorder } from './finding.js';

const READERS: readonly CellRole[] = ['worker', 'planner', 'reader', 'override'];
/** A view that is slow is the finding of another check. */
const LIMIT = { statementMs: 30_000 } as const;

/**
 * Throws not_permitted with the GRANTs for all of them. What else fails is the finding of the checks that read every
 * org.
 */
export async function checkViewCode(
  { cell }: Pick<OpenCell, 'cell'>,
  record: FindingRecorder,
): Promise<readonly Finding[]> {
  try {
    return [record.ok(await readAsEach(cell)), ...(await findVolatileCode(cell, record))];
  } catch (error) {
    const denied = await explainViewGrants(cell, error);
    if (denied !== undefined) throw denied;
    return [];
  }
}

/** An org for which such a function fails is set aside alone, as any other, but each reading of ids runs it too. */
async function findVolatileCode(cell: CellDatabase, record: FindingRecorder): Promise<readonly Finding[]> {
  const called = await cell.asOwner(listVolatileCode);
  if (called.length === 0) return [];
  const found = `Postgres runs a VOLATILE function for every row, whatever is read of it: ${called.join(', ')}`;
  const statements = called.map((name) => `ALTER FUNCTION ${name} STABLE;`).join(' ');
  return [record.warning(found, `If it changes nothing, as a function of a view should, run: ${statements}`)];
}

async function readAsEach(cell: CellDatabase): Promise<string> {
  const id = await readAs(cell, 'worker', findSomeOrg, LIMIT);
  if (id === undefined) return 'the source has no org to read';
  for (const role of READERS) await readAs(cell, role, (reader) => readOneOrg(reader, 'source_orgs', id), LIMIT);
  const others = await cell.asOwner((tx) => listOtherReaders(tx, cell.dataCenter));
  for (const { role, view } of others.filter(({ usable }) => usable))
    await readSourceAs(cell, role, (reader) => readOneOrg(reader, view, id), LIMIT);
  return describe(others);
}

function describe(others: readonly OtherReader[]): string {
  const untried = others.filter(({ usable }) => !usable).map(({ role }) => role);
  return untried.length === 0
    ? 'every role that reads it can run it'
    : `our roles can run it; not tried as ${untried.join(', ')}: this login may not act as that role`;
}
