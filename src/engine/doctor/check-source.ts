// Doctor's look at the source: found, fitting, readable, indexed; and, through our views, what is in it. Counts only.
import type { RateCard } from '../../domain/rate-card/rate-card.js';
import { checkSourceColumns } from '../../domain/source/source-contract.js';
import type { CellDatabase } from '../../stores/cell/cell-database.js';
import { readFeedFacts } from '../../stores/cell/setup/change-triggers.js';
import {
  countBadInputs,
  listUnknownEditions,
  probeRelation,
  probeSource,
  readSourceGrant,
} from '../../stores/cell/setup/doctor-queries.js';
import { isAttached } from '../../stores/cell/setup/schema.js';
import { countNullIds, type Source } from '../../stores/cell/setup/source.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import { toAttached } from '../setup/init-cell.js';
import type { Finding, FindingRecorder } from './finding.js';

/** Counting every org of a large source takes seconds. */
const COUNT_MS = 120_000;

/** Every fault of the columns, not only the first. */
export function checkColumns(
  recorder: FindingRecorder,
  source: Source,
  card: RateCard | undefined,
): readonly Finding[] {
  const faults = checkSourceColumns(source.columns, card?.lightAgentsCountAsUsers ?? false);
  if (faults.length === 0) return [recorder.ok('columns', 'as the source contract asks')];
  const has = [...source.columns.keys()].join(', ');
  return faults.map(({ kind, column, expected, found }) =>
    kind === 'missing'
      ? recorder.error(
          'columns',
          `${source.relation} has no column ${column} (${expected}); it has: ${has}`,
          'Add the column, or make a view that has it.',
          'source_column_missing',
        )
      : recorder.error(
          'columns',
          `${source.relation} has ${column} as ${found}; it must be ${expected}`,
          'Cast it in a view.',
          'source_column_type',
        ),
  );
}

/** Whether this login may read the source, and the GRANT when it may not. */
export async function checkPrivilege(recorder: FindingRecorder, cell: CellDatabase, source: Source): Promise<Finding> {
  if (source.selectable) return recorder.ok('readable', 'this login may read it');
  const found = `${source.relation} may not be read by this login`;
  const fix = `As its owner run: ${await cell.asOwner((tx) => readSourceGrant(tx, source.relation))}`;
  return recorder.error('readable', found, fix, 'not_permitted');
}

/** How ids can be told apart and walked. */
export function checkIndexes(
  recorder: FindingRecorder,
  { relation, kind, unique, indexed }: Source,
): readonly Finding[] {
  const isTable = kind !== 'view' && kind !== 'foreign table';
  const check = 'unique ids';
  const ids = `no index proves that org_id is unique (${kind}): ids are checked for duplicates at a cost`;
  const advice = isTable
    ? `If they are unique, run: CREATE UNIQUE INDEX CONCURRENTLY ON ${relation} (org_id);`
    : 'Where that is possible, let source name the table itself; else nothing needs to be done.';
  const walk = `no index of ${relation} begins with org_id: every batch reads all of it`;
  return [
    unique ? recorder.ok(check, 'an index proves that org_id is unique') : recorder.warning(check, ids, advice),
    indexed || !isTable
      ? recorder.ok('key ranges', kind === 'view' ? 'a view: as fast as what it reads' : 'an index begins with org_id')
      : recorder.warning('key ranges', walk, `Run: CREATE INDEX CONCURRENTLY ON ${relation} (org_id);`),
  ];
}

/** Whether policies would hide rows: before `init` from this login, afterwards from what our views read as. */
export async function checkRowSecurity(
  recorder: FindingRecorder,
  cell: CellDatabase,
  source: Source,
  through: 'relation' | 'views',
): Promise<readonly Finding[]> {
  return recorder.run('row-level security', async () => {
    if (through === 'views') await cell.inTransaction('worker', probeSource);
    else await cell.asOwner((tx) => probeRelation(tx, source.relation));
    const found = source.rowSecurity ? 'it has policies, and every row is read past them' : 'no policy hides rows';
    return [recorder.ok('row-level security', found)];
  });
}

/** Whether our views were made from the source as it is now. */
export async function checkAttachment(recorder: FindingRecorder, cell: CellDatabase, source: Source): Promise<Finding> {
  const attached = await cell.asOwner((tx) => isAttached(tx, toAttached(source), source.signature));
  if (attached) return recorder.ok('attached', 'our views were made from the source as it is now');
  const found = `${source.relation} is not what init read, or our views are detached`;
  return recorder.error('attached', found, 'Run: credit-rollout init', 'source_changed');
}

/** Rows that cannot be decided whatever we do: without an id, of an edition that the card lacks, with nulls. Reads every org. */
export async function checkContents(
  recorder: FindingRecorder,
  cell: CellDatabase,
  card: RateCard | undefined,
): Promise<readonly Finding[]> {
  const ids = recorder.run('null ids', async () => {
    const nulls = await cell.inTransaction('reader', countNullIds, { statementMs: COUNT_MS });
    if (nulls === '0') return [recorder.ok('null ids', 'every row has an id')];
    const fix = 'Leave them out in a view, or give them an id.';
    return [recorder.error('null ids', `${nulls} rows have no org_id`, fix, 'source_null_ids')];
  });
  if (card === undefined) return await ids;
  return [...(await ids), ...(await checkEditions(recorder, cell, card)), ...(await checkInputs(recorder, cell, card))];
}

async function checkEditions(
  recorder: FindingRecorder,
  cell: CellDatabase,
  card: RateCard,
): Promise<readonly Finding[]> {
  return recorder.run('editions', async () => {
    const known = [...card.editions.keys()];
    const unknown = await cell.inTransaction('reader', (tx) => listUnknownEditions(tx, known), {
      statementMs: COUNT_MS,
    });
    if (unknown.length === 0) return [recorder.ok('editions', `every edition is in ${card.name}`)];
    const listed = unknown.map(({ edition, orgs }) => `${edition ?? 'none at all'} (${orgs})`).join(', ');
    const found = `editions that ${card.name} does not have, with their orgs: ${listed}; these orgs are quarantined`;
    return [recorder.warning('editions', found, 'Add them to the rate card, or correct them in the source.')];
  });
}

async function checkInputs(recorder: FindingRecorder, cell: CellDatabase, card: RateCard): Promise<readonly Finding[]> {
  return recorder.run('inputs', async () => {
    const asked = {
      editions: [...card.editions.keys()],
      lightAgents: card.lightAgentsCountAsUsers ? 'counted' : 'uncounted',
    } as const;
    try {
      const bad = await cell.inTransaction('reader', (tx) => countBadInputs(tx, asked), { statementMs: COUNT_MS });
      if (bad.length === 0) return [recorder.ok('inputs', 'no null or negative number sets an org aside')];
      const listed = bad.map(({ reason, orgs }) => `${reason} (${orgs})`).join(', ');
      const found = `nulls and negative numbers, with their orgs: ${listed}; these orgs are quarantined`;
      return [
        recorder.warning('inputs', found, 'Correct them in the source, or say in a view what a null means there.'),
      ];
    } catch (error) {
      // such a row is set aside by a run, which goes on
      if (classifyFailure(error).kind !== 'bad_value') throw error;
      const found = 'some row raises an error when its columns are read, so nulls were not counted; it is quarantined';
      return [recorder.warning('inputs', found, 'Correct it in the source or in its view.')];
    }
  });
}

// Doctor's look at the change feed: whether edits are seen within seconds, and what they cost to find.

const CHECK = 'change feed';

/** After `init`; never an error: without the feed, the night follows. */
export async function checkFeed(
  recorder: FindingRecorder,
  cell: CellDatabase,
  source: Source,
): Promise<readonly Finding[]> {
  return recorder.run(CHECK, async () => {
    const { triggers, indexed, failure } = await cell.asOwner((tx) => readFeedFacts(tx, source.relation));
    const failed =
      failure === null
        ? []
        : [recorder.warning(CHECK, `its last attempt failed (${failure})`, 'What it missed, the nightly run brings.')];
    if (triggers) return [recorder.ok(CHECK, 'triggers note edited orgs: raises follow within seconds'), ...failed];
    return [describeUpdates(recorder, source, indexed), ...failed];
  });
}

function describeUpdates(recorder: FindingRecorder, { relation, kind, columns }: Source, indexed: boolean): Finding {
  if (!columns.has('updated_at'))
    return recorder.ok(CHECK, 'neither updated_at nor triggers: edited orgs follow in the nightly run');
  if (kind !== 'table' && kind !== 'materialized view')
    return recorder.ok(CHECK, `by updated_at of a ${kind}: as fast as what it reads`);
  if (indexed) return recorder.ok(CHECK, 'by updated_at, with an index: raises follow within seconds');
  const found = `no index of ${relation} begins with updated_at: finding edited orgs reads all of it, so it is done seldom`;
  return recorder.warning(CHECK, found, `Run: CREATE INDEX CONCURRENTLY ON ${relation} (updated_at);`);
}
