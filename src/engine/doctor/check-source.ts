// Checks of `doctor` on the source: found, fitting, readable, indexed, attached, and how long a sign-up takes on it.
// Shows no org.

import {
  areSignUpsFollowed,
  countFollowed,
  type GivenUpSignUps,
  type GivenUpWhy,
  longestSignUpWaitMs,
} from '../../domain/cutover/sign-up-writing.js';
import type { RateCard } from '../../domain/rate-card/rate-card.js';
import { nameReading } from '../../domain/source/read-times.js';
import { checkSourceColumns } from '../../domain/source/source-contract.js';
import { type Advice, advise, command } from '../../kernel/advice.js';
import { toPastedSql } from '../../kernel/pasted-sql.js';
import { type CellDatabase, type CellRole, cellRoleName } from '../../stores/cell/cell-database.js';
import { readWaitingSignUps } from '../../stores/cell/cutover/pending-sign-ups.js';
import { rejectChangedSource } from '../../stores/cell/identity.js';
import { findUnpopulated, probeRelation, probeSource } from '../../stores/cell/setup/doctor-queries.js';
import { keepDefinersIfOwner } from '../../stores/cell/setup/ownership.js';
import { readSourceAs, type SourceReader } from '../../stores/cell/setup/read-source-as.js';
import { measureOneOrg, readReadTimes } from '../../stores/cell/setup/read-times.js';
import { isAttached } from '../../stores/cell/setup/schema.js';
import { hasSignUpFunction, hasSignUpTrigger } from '../../stores/cell/setup/sign-up-trigger.js';
import type { Source } from '../../stores/cell/setup/source.js';
import { type MeasureSource, measureWithin, toAttached } from '../setup/init-cell.js';
import type { OpenCell } from './check-cell.js';
import type { Check, Finding, FindingRecorder } from './finding.js';

/** A cell whose source was found. */
export interface CellWithSource {
  readonly cell: CellDatabase;
  readonly source: Source;
  readonly card: RateCard | undefined;
}

/** A check of a source that was found; it has nothing to report where it was not. */
export const ofSource =
  (run: Check<CellWithSource>['run']): Check<OpenCell>['run'] =>
  ({ cell, source, card }, record) =>
    'failure' in source ? [] : run({ cell, source, card }, record);

/** Throws why it cannot be used. */
export function checkSource({ source }: Pick<OpenCell, 'source'>, record: FindingRecorder): Finding {
  if ('failure' in source) throw source.failure;
  if (!source.populated)
    return record.error(
      `${source.relation}, a materialized view that was never refreshed`,
      `As its owner run: REFRESH MATERIALIZED VIEW ${source.relation};`,
      'source_not_populated',
    );
  return record.ok(`${source.relation}, a ${source.kind}`);
}

/** Every fault of the columns, not only the first. */
export function checkColumns(
  { source, card }: Pick<CellWithSource, 'source' | 'card'>,
  record: FindingRecorder,
): readonly Finding[] {
  const { relation, columns } = source;
  const faults = checkSourceColumns(columns, card?.lightAgentsCountAsUsers ?? false);
  if (faults.length === 0) return [record.ok('as the source contract requires')];
  const has = [...columns.keys()].join(', ');
  return faults.map(({ kind, column, expected, found }) =>
    kind === 'missing'
      ? record.error(
          `${relation} has no column ${column} (${expected}); it has: ${has}`,
          'Add the column, or create a view that has it.',
          'source_column_missing',
        )
      : record.error(
          `${relation} has ${column} as ${found}; it must be ${expected}`,
          'Cast it in a view.',
          'source_column_type',
        ),
  );
}

/**
 * How long the rule takes for one org: workers write sign-ups with it, and from 10 ms on many with one read. And
 * whether the sign-up trigger, where there is one, is on the source.
 */
export async function checkSignUps(
  { cell, source }: Pick<CellWithSource, 'cell' | 'source'>,
  record: FindingRecorder,
): Promise<readonly Finding[]> {
  const lost = await cell.asOwner(
    async (tx) => (await hasSignUpFunction(tx)) && !(await hasSignUpTrigger(tx, source.relation)),
  );
  const found = [await checkSignUpTime(cell, record), ...(await checkWaitingSignUps(cell, record))];
  if (!lost) return found;
  const missing = `the trigger that records sign-ups is not on ${source.relation}, or disabled`;
  return [...found, record.warning(missing, INIT)];
}

/** Those that no worker has written: nothing where none waits for longer than workers need, or was given up. */
async function checkWaitingSignUps(cell: CellDatabase, record: FindingRecorder): Promise<readonly Finding[]> {
  const { count, since, oldestMs, failure, givenUp } = await cell.inTransaction('state', readWaitingSignUps, {
    source: 'unread',
  });
  const found: Finding[] = givenUp === null ? [] : [describeGivenUp(givenUp, cell.dataCenter, record)];
  if (since === null || (oldestMs <= LONG_WAIT_MS && failure === null)) return found;
  const orgs = count === 1 ? '1 sign-up waits to be written' : `${count} sign-ups wait to be written`;
  const why = failure === null ? '' : `; reading the source for them failed (${failure})`;
  return [
    record.warning(
      `${orgs}, the oldest since ${since.toISOString()}${why}`,
      failure === null
        ? advise`They are written while nothing else writes in the cell and a worker runs: ${command('status')}`
        : 'The nightly run writes them. What would help is what is said of the source above.',
    ),
    ...found,
  ];
}

function describeGivenUp({ count, since, why }: GivenUpSignUps, dc: string, record: FindingRecorder): Finding {
  const orgs = count === 1 ? '1 sign-up was' : `${count} sign-ups were`;
  return record.warning(
    `${orgs} not written in five tries, the oldest since ${since.toISOString()}: ${GIVEN_UP[why]}`,
    HELP[why](dc),
  );
}

const GIVEN_UP: Readonly<Record<GivenUpWhy, string>> = {
  undecidable: 'what the source says of most of them cannot be decided',
  absent: 'the source does not have most of them',
  left_to_night: 'most of them had a floor or a cut-over before, with which the nightly run decides them',
  unreadable: 'the rows of most of them cannot be read',
  too_slow: 'the source cannot be read for most of them in 10 s',
};
const READ = (): string =>
  'They are tried again every 10 minutes. What would help is what is said of the source above.';
const HELP: Readonly<Record<GivenUpWhy, (dc: string) => string | Advice>> = {
  undecidable: (dc) => advise`Correct what the nightly run lists: ${command`quarantine --dc ${dc}`}`,
  absent: () => 'Call onboard_org after the org is inserted. What left the source is forgotten after a day.',
  left_to_night: (dc) => advise`Wait for the nightly run, or run: ${command`reconcile --dc ${dc} --execute`}`,
  unreadable: READ,
  too_slow: READ,
};

/** A run, a night or a slow view may take this long; workers write what waits in seconds. */
const LONG_WAIT_MS = 60_000;

async function checkSignUpTime(cell: CellDatabase, record: FindingRecorder): Promise<Finding> {
  const measured = await measureOnSource(cell, MEASURE_LIMIT_MS, measureOneOrg);
  const { oneOrgMs, orgListMs } = await cell.inTransaction('reader', readReadTimes, { source: 'unread' });
  if (measured === null) return record.ok('not measured: the source has no org, or its first ones cannot be read');
  const took = `a worker reads it in ${formatReadMs(measured)} for a sign-up`;
  const reading = nameReading({ oneOrgMs, orgListMs });
  if (reading === 'alone' && nameReading({ oneOrgMs: measured, orgListMs: null }) !== 'alone')
    return record.warning(
      `${took}, for each of them alone: init measured ${formatReadMs(oneOrgMs ?? 0)}`,
      advise`Run: ${command('init')} (it measures again, and lets workers read for many sign-ups at once)`,
    );
  if (!areSignUpsFollowed(measured)) {
    const wait = Math.ceil(longestSignUpWaitMs(measured) / 1_000);
    const late = `an allotment follows up to ${wait} s after its sign-up, not within 5 s`;
    return record.warning(`${took}, and rests after it: ${late}`, FASTER_VIEW);
  }
  if (reading === 'lists' && countFollowed(measured) < FEW)
    return record.warning(
      `${took}, and as long for each other: of more than ${countFollowed(measured)} at once some follow later than 5 s`,
      INDEXED_VIEW,
    );
  return record.ok(`${took}${reading === 'together' ? ', and for many at once' : ''}`);
}

// what keeps an id from the inside of a view: a window, or a grouped query that is computed for all orgs
export const FASTER_VIEW =
  'Let the view find one org by an index: a lateral query for each org, in the place of a window or a grouped query ' +
  'over all of them. Or let source name a table. Until then org_capacity answers by what the sign-up recorded.';

export const INDEXED_VIEW =
  'Create an index by which the view finds the rows of one org, on the columns as the view compares them: a cast there ' +
  'needs its own. Until then org_capacity answers by what the sign-up recorded.';
/** Sign-ups at once that are nothing unusual. */
const FEW = 100;

/** As `init` measures it, also where an earlier version left its functions to their caller's rights. */
export const measureOnSource = (cell: CellDatabase, limitMs: number, measure: MeasureSource): Promise<number | null> =>
  measureWithin(cell, limitMs, async (tx, within) => {
    await keepDefinersIfOwner(tx);
    return measure(tx, within);
  });

const INIT = advise`Run: ${command('init')}`;

const MEASURE_LIMIT_MS = 10_000;
export const formatReadMs = (ms: number): string =>
  ms >= MEASURE_LIMIT_MS ? 'more than 10 s' : `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;

/** Whether this login may read the source, and the GRANT when it may not. */
export function checkPrivilege({ source }: Pick<CellWithSource, 'source'>, record: FindingRecorder): Finding {
  if (source.selectable) return record.ok('this login may read it');
  const found = `this login may not read ${source.relation}`;
  return record.error(found, `As its owner run: ${source.grant}`, 'not_permitted');
}

const isTable = ({ kind }: Pick<Source, 'kind'>): boolean => kind !== 'view' && kind !== 'foreign table';

/** Whether ids can be told apart without counting them. */
export function checkUniqueIds({ source }: Pick<CellWithSource, 'source'>, record: FindingRecorder): Finding {
  const { relation, kind, unique } = source;
  if (unique) return record.ok('an index proves that org_id is unique');
  const found = `no index proves that org_id is unique (${kind}): ids are checked for duplicates at a cost`;
  const advice = isTable(source)
    ? `If they are unique, run: CREATE UNIQUE INDEX CONCURRENTLY ON ${toPastedSql(relation)} (org_id);`
    : 'Where that is possible, let source name the table itself; else nothing needs to be done.';
  return record.warning(found, advice);
}

/** Whether a batch reads only its own range. */
export function checkKeyRanges({ source }: Pick<CellWithSource, 'source'>, record: FindingRecorder): Finding {
  const { relation, kind, indexed } = source;
  if (indexed || !isTable(source))
    return record.ok(kind === 'view' ? 'a view: as fast as what it reads' : 'an index begins with org_id');
  const found = `no index of ${relation} begins with org_id: every batch reads all of it`;
  return record.warning(found, `Run: CREATE INDEX CONCURRENTLY ON ${toPastedSql(relation)} (org_id);`);
}

/** Before `init`: whether policies would hide rows from this login. Throws source_row_security. */
export async function checkRelationPolicies(
  { cell, source }: CellWithSource,
  record: FindingRecorder,
): Promise<Finding> {
  // the code of a view would run as this login, which may be the one of `init`
  if (source.kind === 'view') return checkUnread({ cell, source }, record);
  await cell.asOwner((tx) => probeRelation(tx, source.relation));
  return describePolicies(source, record);
}

async function checkUnread({ cell, source }: Omit<CellWithSource, 'card'>, record: FindingRecorder): Promise<Finding> {
  const unpopulated = await cell.asOwner((tx) => findUnpopulated(tx, source.relation));
  if (unpopulated === undefined) return record.ok('a view: it is read once init has made our roles');
  return record.error(
    `it reads ${unpopulated}, a materialized view that was never refreshed`,
    `As its owner run: REFRESH MATERIALIZED VIEW ${unpopulated};`,
    'source_not_populated',
  );
}

/** After `init`: whether policies hide rows from our views. Throws source_row_security. */
export async function checkViewPolicies({ cell, source }: CellWithSource, record: FindingRecorder): Promise<Finding> {
  await readAs(cell, 'worker', probeSource);
  return describePolicies(source, record);
}

const describePolicies = ({ rowSecurity }: Source, record: FindingRecorder): Finding =>
  record.ok(rowSecurity ? 'it has policies, and every row is read past them' : 'no policy hides rows');

/** Whether our views were created from the source as it is now, and read it. Throws source_changed. */
export async function checkAttachment({ cell, source }: CellWithSource, record: FindingRecorder): Promise<Finding> {
  const attached = await cell.asOwner(async (tx) => {
    await rejectChangedSource(tx, cell.dataCenter);
    return isAttached(tx, toAttached(source), source.signature);
  });
  if (attached) return record.ok('our views were created from the source as it is now');
  const found = `${source.relation} is not what init read, or our views are detached`;
  return record.error(found, INIT, 'source_changed');
}

/** As one of our roles. */
export const readAs = <T>(
  cell: CellDatabase,
  role: CellRole,
  fn: (reader: SourceReader) => Promise<T>,
  limits?: { readonly statementMs: number },
): Promise<T> => readSourceAs(cell, cellRoleName(cell.dataCenter, role), fn, limits);
