// Plans of an undo in a cell: which run it takes back, what it does in each range of that run, and who agreed. The cell
// itself computes them: no number goes through the driver. Ids of orgs stay with the person who asks.
import { execute, findRow, selectRow, selectRows } from '../../query.js';
import type { Seal } from '../../seal.js';
import { toBigint } from '../allotment-row.js';
import type { CellTransaction } from '../cell-database.js';
import type { KeyRange } from '../key-range.js';

/** What an undo does, in one range or in all. Sums are decimal text. */
export interface UndoCounts {
  /** Orgs whose allotment the run wrote, and those that somebody else decided since. */
  readonly orgs: number;
  /** First decisions that are taken away: the number of the old model applies again. */
  readonly deletes: number;
  /** Raises that are taken back: the terms before them apply again. */
  readonly restores: number;
  /** Left as they are. */
  readonly conflicts: number;
  readonly falls: number;
  /** Of them those of orgs that pay: a second person approves them. */
  readonly paidFalls: number;
  readonly beforeCredits: string;
  readonly afterCredits: string;
}

/** An org that falls, or that an undo leaves as it is. Credits a day, as decimal text. */
export interface UndoneOrg {
  readonly orgId: string;
  /** `delete`, `restore`, or why it is left: the cause of the change since, or what keeps it from being undone. */
  readonly verdict: string;
  readonly paid: boolean;
  readonly totalCredits: string;
  /** Null: not known. */
  readonly becomes: string | null;
  /** What the run wrote; null where that is what it has, or the run wrote nothing. */
  readonly writtenTotal: string | null;
}

/** The newest rollout run of the cell that wrote and is not undone; undefined: there is nothing to undo. */
export async function findUndoableRun(tx: CellTransaction): Promise<bigint | undefined> {
  const { runId } = await selectRow<{ readonly runId: string | null }>(
    tx,
    'select credit_rollout.undoable_run() as run_id',
  );
  return toBigint(runId) ?? undefined;
}

/** The newest such run before this one. */
export async function findOlderRun(tx: CellTransaction, before: bigint): Promise<bigint | undefined> {
  const { runId } = await selectRow<{ readonly runId: string | null }>(
    tx,
    'select max(r) as run_id from credit_rollout.undoable_runs() r where r < :before::bigint',
    { before },
  );
  return toBigint(runId) ?? undefined;
}

/** The orgs of a range that have what such runs before this one wrote. */
export async function countOlder(
  tx: CellTransaction,
  before: bigint,
  { lowerId, upperId }: Omit<KeyRange, 'onlyIds'>,
): Promise<number> {
  const { orgs } = await selectRow<{ readonly orgs: number }>(
    tx,
    `select count(*)::int as orgs from credit_rollout.allotments a
     where a.run_id = any (array(select r from credit_rollout.undoable_runs() r where r < :before::bigint))
       and (:lower_id::credit_rollout.org_id is null or a.org_id >= :lower_id)
       and (:upper_id::credit_rollout.org_id is null or a.org_id < :upper_id)`,
    { before, lower_id: lowerId, upper_id: upperId },
  );
  return orgs;
}

/** The ranges of a run, which cover every org. */
export function listRangesOf(tx: CellTransaction, runId: bigint): Promise<readonly Omit<KeyRange, 'onlyIds'>[]> {
  return selectRows(
    tx,
    `select lower_id::text, upper_id::text from credit_rollout.batches
     where run_id = :run_id::bigint and kind = 'range' order by batch_no`,
    { run_id: runId },
  );
}

const OURS = `t.verdict in ('delete', 'restore')`;
const FALLS = `${OURS} and t.becomes < t.total_credits`;
const TARGETS = `credit_rollout.undo_targets(:run_id::bigint, :lower_id::credit_rollout.org_id,
  :upper_id::credit_rollout.org_id) t`;
const ORG = `t.org_id::text, t.verdict, t.paid, t.total_credits::text, t.becomes::text, t.written_total::text`;

/** What an undo of the run would do in a range now, with up to so many orgs of each list. Writes nothing. */
export async function previewUndoRange(
  tx: CellTransaction,
  runId: bigint,
  { lowerId, upperId }: Omit<KeyRange, 'onlyIds'>,
  wanted: { readonly falling: number; readonly left: number },
): Promise<{
  readonly counts: UndoCounts;
  readonly falling: readonly UndoneOrg[];
  readonly left: readonly UndoneOrg[];
}> {
  const values = { run_id: runId, lower_id: lowerId, upper_id: upperId };
  const counts = await selectRow<UndoCounts>(
    tx,
    `select count(*)::int as orgs, count(*) filter (where t.verdict = 'delete')::int as deletes,
       count(*) filter (where t.verdict = 'restore')::int as restores,
       count(*) filter (where not ${OURS})::int as conflicts,
       count(*) filter (where ${FALLS})::int as falls,
       count(*) filter (where ${FALLS} and t.paid)::int as paid_falls,
       coalesce(sum(t.total_credits) filter (where ${OURS}), 0)::text as before_credits,
       coalesce(sum(t.becomes) filter (where ${OURS}), 0)::text as after_credits
     from ${TARGETS}`,
    values,
  );
  const list = (where: string, limit: number): Promise<readonly UndoneOrg[]> =>
    selectRows<UndoneOrg>(tx, `select ${ORG} from ${TARGETS} where ${where} order by t.org_id limit :limit::int`, {
      ...values,
      limit,
    });
  return {
    counts,
    falling: wanted.falling === 0 || counts.paidFalls === 0 ? [] : await list(`${FALLS} and t.paid`, wanted.falling),
    left: wanted.left === 0 || counts.conflicts === 0 ? [] : await list(`not ${OURS}`, wanted.left),
  };
}

export interface UndoPlan {
  readonly undoId: bigint;
  readonly undoes: bigint;
  readonly author: string;
  readonly reason: string;
  readonly approver: string | null;
  readonly state: 'making' | 'made' | 'accepted' | 'running' | 'withdrawn';
  /** Null: it is still being made. */
  readonly digest: string | null;
}

interface StoredPlan extends Omit<UndoPlan, 'undoId' | 'undoes'> {
  readonly undoId: string;
  readonly undoes: string;
}

/** The plan, with what it does in all ranges. */
export async function findUndoPlan(
  tx: CellTransaction,
  undoId: bigint,
): Promise<{ readonly plan: UndoPlan; readonly counts: UndoCounts } | undefined> {
  const row = await findRow<StoredPlan>(
    tx,
    `select undo_id, undoes, author, reason, approver, state, digest from credit_rollout.undo_plans
     where undo_id = :undo_id::bigint`,
    { undo_id: undoId },
  );
  if (row === undefined) return undefined;
  const counts = await selectRow<UndoCounts>(
    tx,
    `select coalesce(sum(orgs), 0)::int as orgs, coalesce(sum(deletes), 0)::int as deletes,
       coalesce(sum(restores), 0)::int as restores, coalesce(sum(conflicts), 0)::int as conflicts,
       coalesce(sum(falls), 0)::int as falls, coalesce(sum(paid_falls), 0)::int as paid_falls,
       coalesce(sum(before_credits), 0)::text as before_credits,
       coalesce(sum(after_credits), 0)::text as after_credits
     from credit_rollout.undo_ranges where undo_id = :undo_id::bigint`,
    { undo_id: undoId },
  );
  return { plan: { ...row, undoId: BigInt(row.undoId), undoes: BigInt(row.undoes) }, counts };
}

/** The plan that waits for its approval or its turn; plans that gave way to it are not among them. */
export async function findWaitingUndo(tx: CellTransaction): Promise<bigint | undefined> {
  const row = await findRow<{ readonly undoId: string }>(
    tx,
    `select undo_id from credit_rollout.undo_plans where state in ('made', 'accepted') order by undo_id desc limit 1`,
  );
  return row && BigInt(row.undoId);
}

/** The paid orgs that the newest plan lets fall, as it found them. */
export function listPlannedFalls(tx: CellTransaction, undoId: bigint, limit: number): Promise<readonly UndoneOrg[]> {
  return selectRows(
    tx,
    `select f.org_id::text, 'delete' as verdict, true as paid, f.total_credits::text, f.becomes::text,
       null as written_total
     from credit_rollout.undo_falls f where f.undo_id = :undo_id::bigint order by f.org_id limit :limit::int`,
    { undo_id: undoId, limit },
  );
}

/** Whether the cell may run this plan. As the scheduler: names no org. */
export async function isUndoAccepted(
  tx: CellTransaction,
  { undoId, digest }: { readonly undoId: bigint; readonly digest: string },
): Promise<boolean> {
  const row = await findRow(
    tx,
    `select undo_id from credit_rollout.undo_plans
     where undo_id = :undo_id::bigint and digest = :digest and state = 'accepted'
       and undoes = credit_rollout.undoable_run() and decided_at > clock_timestamp() - interval '71 hours'`,
    { undo_id: undoId, digest },
  );
  return row !== undefined;
}

/** Begins a plan; one that waits is withdrawn. Undefined: there is nothing to undo. */
export async function beginUndoPlan(
  tx: CellTransaction,
  { author, reason }: Pick<UndoPlan, 'author' | 'reason'>,
): Promise<{ readonly undoId: bigint; readonly ranges: number } | undefined> {
  const { undoId } = await selectRow<{ readonly undoId: string | null }>(
    tx,
    'select credit_rollout.begin_undo_plan(:author, :reason) as undo_id',
    { author, reason },
  );
  if (undoId === null) return undefined;
  const { ranges } = await selectRow<{ readonly ranges: number }>(
    tx,
    'select count(*)::int as ranges from credit_rollout.undo_ranges where undo_id = :undo_id::bigint',
    { undo_id: undoId },
  );
  return { undoId: BigInt(undoId), ranges };
}

export async function planUndoRange(tx: CellTransaction, undoId: bigint, range: number): Promise<void> {
  await execute(tx, 'select credit_rollout.plan_undo_range(:undo_id::bigint, :range::int)', {
    undo_id: undoId,
    range,
  });
}

/** The digest of a plan whose ranges are all planned; undefined: another one took its place meanwhile. */
export async function finishUndoPlan(tx: CellTransaction, undoId: bigint): Promise<string | undefined> {
  const { digest } = await selectRow<{ readonly digest: string | null }>(
    tx,
    'select credit_rollout.finish_undo_plan(:undo_id::bigint) as digest',
    { undo_id: undoId },
  );
  return digest ?? undefined;
}

/** Raises `undo_outdated`, and what `readSealFailure` reads; without a seal no paid org may fall. */
export async function acceptUndo(tx: CellTransaction, undoId: bigint, seal: Seal | null): Promise<void> {
  await execute(tx, 'select credit_rollout.accept_undo(:undo_id::bigint, :seal::jsonb)', { undo_id: undoId, seal });
}

/** False: it runs, or was withdrawn before. */
export async function withdrawUndo(tx: CellTransaction, undoId: bigint): Promise<boolean> {
  const { withdrawn } = await selectRow<{ readonly withdrawn: boolean }>(
    tx,
    'select credit_rollout.withdraw_undo(:undo_id::bigint) as withdrawn',
    { undo_id: undoId },
  );
  return withdrawn;
}
