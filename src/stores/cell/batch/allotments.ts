// Writes the allotments of a range: a plain INSERT where it holds none yet, insert and raise elsewhere. Calls the rule
// and never restates it.
import { execute, selectRow, selectRows } from '../../query.js';
import type { CellTransaction } from '../cell-database.js';
import { rowHash } from '../hashes.js';
import { type KeyRange, rangeCondition, storedRangeCondition } from '../key-range.js';
import {
  computedFrom,
  firstInsertedFrom,
  INSERTED_COLUMNS,
  insertedFrom,
  quarantinedInputs,
  UPDATE_UNLESS_FALLING,
} from './credit-terms.js';

export interface WriteCounts {
  readonly inserted: number;
  readonly raised: number;
  /** Sum over the written allotments, as decimal text. */
  readonly totalCredits: string;
}

export interface RangeOfRun extends KeyRange {
  readonly runId: bigint;
  readonly cardHash: string;
}

// arguments of `decided` and of `decided_first`
const RANGE = ':lower_id::credit_rollout.org_id, :upper_id::credit_rollout.org_id, null, :card_hash';

const rangeValues = (range: RangeOfRun): { lower_id: string | null; upper_id: string | null; card_hash: string } => ({
  lower_id: range.lowerId,
  upper_id: range.upperId,
  card_hash: range.cardHash,
});

/** More than a canary has in any range. */
const MAX_WRITTEN_BY_RUN = 512;

/**
 * The orgs of a range that have an allotment, when this run wrote all of these (its canary does); undefined when the
 * range holds any other allotment, or had one that was deleted. ORDER BY keeps it on the index.
 */
export async function listWrittenByThisRun(
  tx: CellTransaction,
  range: KeyRange & { readonly runId: bigint },
): Promise<readonly string[] | undefined> {
  const within = rangeCondition(range);
  const deleted = rangeCondition(range, 'c.org_id');
  const all = await selectRows<{ orgId: string; ofThisRun: boolean }>(
    tx,
    `(select org_id::text as org_id, run_id is not distinct from :run_id::bigint as of_this_run
      from credit_rollout.allotments where ${within.sql}
      order by allotments.org_id limit ${MAX_WRITTEN_BY_RUN})
     union all
     -- an org that is back is not decided for the first time; the view of the retired ones takes longer to plan
     select null, false where exists (select from credit_rollout.allotment_changes c
       where c.operation = 'delete' and c.cause <> 'undo' and ${deleted.sql})`,
    { run_id: range.runId, ...within.values, ...deleted.values },
  );
  return all.length < MAX_WRITTEN_BY_RUN && all.every(({ ofThisRun }) => ofThisRun)
    ? all.map(({ orgId }) => orgId)
    : undefined;
}

/**
 * Inserts the first decisions of a range that holds no allotment but those of `except`; returns how many. A sign-up
 * that comes in between raises 23505: then use `raiseAllotments`.
 */
export function insertAllotments(
  tx: CellTransaction,
  range: RangeOfRun,
  except: readonly string[] = [],
): Promise<number> {
  return execute(
    tx,
    `insert into credit_rollout.allotments (${INSERTED_COLUMNS})
     select ${firstInsertedFrom('d')}
     from ${computedFrom(`credit_rollout.decided_first(${RANGE})`)} d
     ${except.length === 0 ? '' : 'where d.org_id <> all (:except::credit_rollout.org_id[])'}`,
    { run_id: range.runId, ...rangeValues(range), ...(except.length > 0 && { except }) },
  );
}

export interface WrittenRange {
  readonly orgs: number;
  readonly written: number;
  /** Decimal text. */
  readonly totalCredits: string;
  /** The same without the orgs of `except`. */
  readonly addedCredits: string;
  /** Over what the run has in the range, as a plan's. */
  readonly digest: string;
}

/**
 * Reads back what a run has in a range, and how many orgs the source has there. Cheaper than RETURNING, and the sum is
 * over what is stored. `distinct` only where the source cannot prove that ids are unique.
 */
export function readWrittenRange(
  tx: CellTransaction,
  range: RangeOfRun,
  { unique, except = [] }: { readonly unique: boolean; readonly except?: readonly string[] },
): Promise<WrittenRange> {
  const within = rangeCondition(range);
  const stored = storedRangeCondition(range);
  return selectRow<WrittenRange>(
    tx,
    `select count(*)::int as written, coalesce(sum(total_credits), 0)::text as total_credits,
       (coalesce(sum(total_credits), 0) - (select coalesce(sum(e.total_credits), 0) from credit_rollout.allotments e
         where e.org_id = any (:except::credit_rollout.org_id[]) and e.run_id = :run_id::bigint))::text
        as added_credits,
       coalesce(sum(${rowHash('allotments')}), 0)::text as digest,
       (select count(${unique ? '*' : 'distinct org_id'})::int
        from credit_rollout.source_orgs where ${within.sql}) as orgs
     from credit_rollout.allotments where ${stored.sql} and run_id = :run_id::bigint`,
    { ...within.values, ...stored.values, run_id: range.runId, except },
  );
}

/** Sets the cause and the run that the before-images of this transaction's changes are stored with. */
export async function setCause(tx: CellTransaction, cause: string, runId: bigint): Promise<void> {
  await execute(
    tx,
    `select set_config('credit_rollout.cause', :cause, true), set_config('credit_rollout.run_id', :run_id, true)`,
    { cause, run_id: runId },
  );
}

/** Inserts what is missing and raises what rose. What fell stays as it is; `countDecisions` counts it. */
export async function raiseAllotments(tx: CellTransaction, range: RangeOfRun): Promise<WriteCounts> {
  await setCause(tx, 'apply', range.runId);
  return selectRow<WriteCounts>(
    tx,
    `with written as (
       insert into credit_rollout.allotments as a (${INSERTED_COLUMNS})
       select ${insertedFrom('d', "'migrated'", ':run_id::bigint')}
       from credit_rollout.decided(${RANGE}) d
       where d.reason is null and d.movement in ('first', 'raise')
       order by d.org_id
       ${UPDATE_UNLESS_FALLING}
       returning total_credits, xmax = 0 as fresh)
     select count(*) filter (where fresh)::int as inserted, count(*) filter (where not fresh)::int as raised,
       coalesce(sum(total_credits), 0)::text as total_credits
     from written`,
    { run_id: range.runId, ...rangeValues(range) },
  );
}

interface DecisionCounts {
  readonly orgs: number;
  readonly quarantined: number;
  readonly falls: number;
}

/**
 * What the rule decides for a range and was not written: orgs that it cannot decide, and falls.
 */
export function countDecisions(tx: CellTransaction, range: RangeOfRun): Promise<DecisionCounts> {
  return selectRow<DecisionCounts>(
    tx,
    `select count(distinct d.org_id)::int as orgs,
       count(distinct d.org_id) filter (where d.reason is not null)::int as quarantined,
       count(*) filter (where d.reason is null and d.movement = 'fall')::int as falls
     from credit_rollout.decided(${RANGE}) d`,
    rangeValues(range),
  );
}

/** Quarantines every undecidable org of a range with its reason and inputs; returns how many. Changes no allotment. */
export function quarantineOrgs(
  tx: CellTransaction,
  range: RangeOfRun,
  rule: 'decided' | 'decided_first',
): Promise<number> {
  return execute(
    tx,
    `insert into credit_rollout.quarantine (run_id, org_id, reason, inputs)
     select distinct on (d.org_id) :run_id::bigint, d.org_id, d.reason, ${quarantinedInputs('d')}
     from credit_rollout.${rule}(${RANGE}) d
     where d.reason is not null
     order by d.org_id
     on conflict (run_id, org_id) do nothing`,
    { run_id: range.runId, ...rangeValues(range) },
  );
}

/** Quarantines orgs whose columns cannot even be read; returns how many. Reads nothing of the source. */
export async function quarantineUnreadable(
  tx: CellTransaction,
  runId: bigint,
  orgIds: readonly string[],
): Promise<number> {
  if (orgIds.length === 0) return 0;
  return execute(
    tx,
    `insert into credit_rollout.quarantine (run_id, org_id, reason, inputs)
     select distinct :run_id::bigint, i.id, 'unreadable', '{}'::jsonb
     from unnest(:org_ids::credit_rollout.org_id[]) i (id)
     on conflict (run_id, org_id) do nothing`,
    { run_id: runId, org_ids: orgIds },
  );
}

/**
 * Locks the allotments of these orgs, in ascending order so that two transactions never wait for each other. Waits for
 * an override that is being approved. Read them in a later statement: only that one sees what the wait was for.
 */
export async function lockAllotments(tx: CellTransaction, orgIds: readonly string[]): Promise<void> {
  await execute(
    tx,
    `select from credit_rollout.allotments where org_id = any (:org_ids::credit_rollout.org_id[])
     order by org_id for update`,
    { org_ids: orgIds },
  );
}
