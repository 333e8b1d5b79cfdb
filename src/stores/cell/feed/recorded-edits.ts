// Edited orgs that wait in `changed_orgs`: triggers record them there, and the feed itself where it found more than it
// decides at once.
import { execute, selectRow } from '../../query.js';
import type { CellTransaction } from '../cell-database.js';

export interface RecordedEdits {
  /** Recorded edits that were deleted here, several of one org perhaps. */
  readonly edits: number;
  readonly orgIds: readonly string[];
  /** Many numbers were given out since the last one that is known to be read: where none is left, mark them. */
  readonly lags: boolean;
}

/** The newest number, of an edit that was recorded or of one whose transaction failed. */
const GIVEN = '(select s.last_value from credit_rollout.changed_orgs_change_no_seq s)';
const LAGS = `${GIVEN} - noted_to > 10000`;

/**
 * Deletes `limit` recorded edits and returns their orgs, ascending. They are back when the transaction fails. The
 * newest as well as the oldest, so that an edit does not wait behind many others, and none waits for ever.
 */
export function takeRecordedEdits(
  tx: CellTransaction,
  { limit, from }: { readonly limit: number; readonly from: 'newest' | 'oldest' },
): Promise<RecordedEdits> {
  // the triggers stop a million numbers after `noted_to`, so only what has nothing before it may move that
  const noted = from === 'oldest' ? '(select max(change_no) from taken)' : 'noted_to';
  return selectRow<RecordedEdits>(
    tx,
    `with taken as (
       select org_id, change_no from credit_rollout.take_changes(:limit::integer, ${from === 'newest'})),
     read as (
       update credit_rollout.feed set changed_at = clock_timestamp(), noted_to = greatest(noted_to, ${noted})
       where exists (select from taken))
     select count(*)::int as edits, coalesce(array_agg(distinct org_id)::text[], '{}') as org_ids,
       (select ${LAGS} from credit_rollout.feed) as lags
     from taken`,
    { limit },
  );
}

/** No edit is left: all numbers given out so far are read, also those of transactions that failed. */
export async function markEditsRead(tx: CellTransaction): Promise<void> {
  await execute(tx, `update credit_rollout.feed set noted_to = ${GIVEN} where ${LAGS}`);
}

/** Beyond so many the queue takes no more: whoever finds more edits leaves them to a reading by id. */
const MAX_QUEUED = 20_000;

export async function isQueueFull(tx: CellTransaction): Promise<boolean> {
  const { full } = await selectRow<{ readonly full: boolean }>(
    tx,
    `select count(*) >= ${MAX_QUEUED} as full
     from (select from credit_rollout.changed_orgs order by change_no limit ${MAX_QUEUED}) waiting`,
  );
  return full;
}

/** Adds orgs that are to be decided later, in this order, unless they wait already. */
export async function queueEdits(tx: CellTransaction, orgIds: readonly string[]): Promise<void> {
  if (orgIds.length === 0) return;
  await execute(
    tx,
    `insert into credit_rollout.changed_orgs (org_id)
     select i.id from unnest(:org_ids::credit_rollout.org_id[]) with ordinality i (id, place)
     where not exists (select from credit_rollout.changed_orgs c where c.org_id = i.id)
     order by i.place`,
    { org_ids: orgIds },
  );
}
