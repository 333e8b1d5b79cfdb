// Doctor's look at rollout.bakeQuery: asked once, as it will be at the end of a bake, so that no rollout finds out then.
// Read only; never shows a server's own text.

import { type CellDatabase, cellRoleName } from '../../stores/cell/cell-database.js';
import { runBakeQuery } from '../../stores/cell/setup/bake-query.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import type { Examiner, Finding } from './finding.js';

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
