// Checks of `doctor` on what is in the source, read through our views: ids, editions, numbers. Each reads every org, so
// each has a time limit: what takes longer is not measured, and is a warning. Shows counts, never an org.
import { MAX_ORG_ID_BYTES } from '../../domain/source/org-id.js';
import { type Advice, advise, command } from '../../kernel/advice.js';
import { cutText, showName } from '../../kernel/printable.js';
import {
  countBadInputs,
  listSampledOrgs,
  listUnknownEditions,
  readOrg,
} from '../../stores/cell/setup/doctor-queries.js';
import type { SourceReader } from '../../stores/cell/setup/read-source-as.js';
import { countLongIdsAs, countNullIdsAs } from '../../stores/cell/setup/source.js';
import { ALIKE } from '../../stores/cell/unreadable.js';
import { classifyFailure, isRowFailure } from '../../stores/postgres-failure.js';
import type { OpenCell } from './check-cell.js';
import { readAs } from './check-source.js';
import type { Finding, FindingRecorder } from './finding.js';

/** Counting every org of a large source takes seconds. */
const COUNT_LIMIT_MS = 30_000;

type Counted = Pick<OpenCell, 'cell' | 'card' | 'countLimitMs'>;

/** What `count` reads, or the finding that it took too long. */
async function countWithin<T>(
  { cell, countLimitMs = COUNT_LIMIT_MS }: Counted,
  record: FindingRecorder,
  count: (reader: SourceReader) => Promise<T>,
): Promise<{ readonly kind: 'counted'; readonly value: T } | { readonly kind: 'slow'; readonly finding: Finding }> {
  try {
    return { kind: 'counted', value: await readAs(cell, 'reader', count, { statementMs: countLimitMs }) };
  } catch (error) {
    const { kind, raised } = classifyFailure(error);
    if (kind !== 'too_slow' || raised) throw error;
    return { kind: 'slow', finding: record.warning(`not measured: longer than ${countLimitMs / 1_000} s`, PLAN_FINDS) };
  }
}

const PLAN_FINDS: Advice = advise`Make the view faster, such as by an index below it, or leave it: ${command('plan')} \
reads every org range by range, without this limit, and quarantines what cannot be decided.`;

/** Rows without an id can be neither decided nor quarantined. Reads every org. */
export async function checkIds(subject: Counted, record: FindingRecorder): Promise<readonly Finding[]> {
  return [await checkNullIds(subject, record), ...(await checkLongIds(subject, record))];
}

/** Nothing where there is none: most sources cannot have one. */
async function checkLongIds(subject: Counted, record: FindingRecorder): Promise<readonly Finding[]> {
  const counted = await countWithin(subject, record, countLongIdsAs);
  if (counted.kind === 'slow') return [counted.finding];
  if (counted.value === '0') return [];
  const found = `${counted.value} orgs have ids of over ${MAX_ORG_ID_BYTES} bytes; they are left out, and keep what they have`;
  return [record.warning(found, 'Give them shorter ids in the view that is the source, or leave them out there.')];
}

async function checkNullIds(subject: Counted, record: FindingRecorder): Promise<Finding> {
  const counted = await countWithin(subject, record, countNullIdsAs);
  if (counted.kind === 'slow') return counted.finding;
  const nulls = counted.value;
  if (nulls === '0') return record.ok('every row has an id');
  return record.error(
    `${nulls} rows have no org_id`,
    'Leave them out in a view, or give them an id.',
    'source_null_ids',
  );
}

/** Of an edition that is shown, in characters: an edition may be a text of any length. */
const MAX_EDITION = 60;

/** Editions that the card does not have. Reads every org. */
export async function checkEditions(subject: Counted, record: FindingRecorder): Promise<readonly Finding[]> {
  const { card } = subject;
  if (card === undefined) return [];
  const known = [...card.editions.keys()];
  const counted = await countWithin(subject, record, (reader) => listUnknownEditions(reader, known));
  if (counted.kind === 'slow') return [counted.finding];
  const unknown = counted.value;
  if (unknown.length === 0) return [record.ok(`every edition is in ${card.name}`)];
  const name = (edition: string | null): string =>
    edition === null ? 'none at all' : showName(cutText(edition, MAX_EDITION));
  const listed = unknown.map(({ edition, orgs }) => `${name(edition)} (${orgs})`).join(', ');
  const found = `editions that ${card.name} does not have, with their orgs: ${listed}; these orgs are quarantined`;
  return [record.warning(found, 'Add them to the rate card, or correct them in the source.')];
}

/** Nulls and negative numbers that quarantine an org. Reads every org. */
export async function checkInputs(subject: Counted, record: FindingRecorder): Promise<readonly Finding[]> {
  const { card } = subject;
  if (card === undefined) return [];
  const question = {
    editions: [...card.editions.keys()],
    lightAgents: card.lightAgentsCountAsUsers ? 'counted' : 'uncounted',
  } as const;
  try {
    const counted = await countWithin(subject, record, (reader) => countBadInputs(reader, question));
    if (counted.kind === 'slow') return [counted.finding];
    const bad = counted.value;
    if (bad.length === 0) return [record.ok('no null or negative number quarantines an org')];
    const listed = bad.map(({ reason, orgs }) => `${reason} (${orgs})`).join(', ');
    const found = `nulls and negative numbers, with their orgs: ${listed}; these orgs are quarantined`;
    return [record.warning(found, 'Correct them in the source, or replace a null in a view by what it means there.')];
  } catch (error) {
    // a run quarantines such a row and goes on
    if (!isRowFailure(error) || (await isSourceBroken(subject))) throw error;
    const found = 'some row raises an error when its columns are read, so nulls were not counted; it is quarantined';
    return [record.warning(found, 'Correct it in the source or in its view.')];
  }
}

/** Not one of several orgs can be read, so the view is wrong. */
async function isSourceBroken({ cell }: Counted): Promise<boolean> {
  const sampled = await readAs(cell, 'reader', listSampledOrgs);
  if (sampled.length < ALIKE.leastOfSource) return false;
  for (const id of sampled)
    try {
      await readAs(cell, 'reader', (reader) => readOrg(reader, id));
      return false;
    } catch (error) {
      if (!isRowFailure(error)) throw error;
    }
  return true;
}
