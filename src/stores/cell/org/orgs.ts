// One org as our tables have it: allotment, sign-up, batch, quarantine, history. Reads only.
// jsonb never reaches the driver, which would round its numbers: Postgres turns a before-image back into a row.
import type { Allotment } from '../../../domain/org/allotment.js';
import { classifyFailure, isRowFailure } from '../../postgres-failure.js';
import { execute, findRow, selectRow, selectRows } from '../../query.js';
import { type AllotmentRow, allotmentColumns, toAllotment, toBigint } from '../allotment-row.js';
import type { CellTransaction } from '../cell-database.js';
import { listReversedCutovers, type ReversedCutover } from '../cutover/reversals.js';

export interface StoredOrg {
  readonly allotment: Allotment;
  readonly origin: 'migrated' | 'signup';
  /** Hash of the rate card that it was computed with. */
  readonly rateCard: string;
  /** Null where no run wrote. */
  readonly runId: bigint | null;
  readonly version: number;
  readonly computedAt: Date;
  /** Local date of `computedAt` in the data center, YYYY-MM-DD. */
  readonly computedOn: string;
}

export interface AllotmentChange {
  readonly operation: 'update' | 'delete';
  readonly cause: string;
  readonly changedAt: Date;
  readonly runId: bigint | null;
  /** Version of the row that `before` shows. */
  readonly version: number;
  readonly before: Allotment;
}

export interface WritingBatch {
  readonly runId: bigint;
  readonly batchNo: number;
  readonly epoch: bigint;
  readonly doneAt: Date;
}

export interface OrgRecord {
  /** Null: it has no allotment. */
  readonly stored: StoredOrg | null;
  readonly signUp: { readonly model: 'credits' | 'legacy'; readonly decidedAt: Date } | null;
  /** The batch that wrote the allotment; null where no batch did. */
  readonly batch: WritingBatch | null;
  /** The newest quarantine row; the org may have been decided since. */
  readonly quarantine: { readonly runId: bigint; readonly reason: string; readonly recordedAt: Date } | null;
  readonly gate: { readonly armedAt: Date | null; readonly effectiveAt: Date | null; readonly sweptAt: Date | null };
  /** Cut-overs that were reversed, the oldest first. */
  readonly reversals: readonly ReversedCutover[];
  /** The override that set its floor last; null: none was applied. */
  readonly override: { readonly author: string; readonly approver: string; readonly reason: string } | null;
  /** The newest 20 changes, newest first. */
  readonly history: readonly AllotmentChange[];
}

/** One read-only snapshot for the whole transaction, so that what is compared belongs together. Before any query. */
export async function startSnapshot(tx: CellTransaction): Promise<void> {
  await execute(tx, 'set transaction isolation level repeatable read, read only');
}

/** The lowest id of the source; undefined: it has no org. */
export async function findFirstOrg(tx: CellTransaction): Promise<string | undefined> {
  const first = await findRow<{ readonly id: string }>(
    tx,
    'select org_id::text as id from credit_rollout.source_orgs order by org_id limit 1',
  );
  return first?.id;
}

/** The id as the cell writes it; undefined when the text does not fit the cell's id type. */
export async function parseOrgId(tx: CellTransaction, text: string): Promise<string | undefined> {
  try {
    const parse = 'select (:id::credit_rollout.org_id)::text as id';
    const parsed = await tx.transaction((nested) => selectRow<{ readonly id: string }>(nested, parse, { id: text }));
    return parsed.id;
  } catch (error) {
    if (classifyFailure(error).kind === 'bad_value') return undefined;
    throw error;
  }
}

/**
 * An id as its row has it, where ids that differ as texts are equal: `Acme` for `ACME`. As it is where no row can be
 * read.
 */
export async function spellOrgId(tx: CellTransaction, orgId: string): Promise<string> {
  const rows = `select a.org_id::text as id from credit_rollout.allotments a
      where a.org_id = :org_id::credit_rollout.org_id
    union all
    select s.org_id::text from credit_rollout.source_orgs s where s.org_id = :org_id::credit_rollout.org_id limit 1`;
  try {
    const row = await tx.transaction((nested) => findRow<{ readonly id: string }>(nested, rows, { org_id: orgId }));
    return row?.id ?? orgId;
  } catch (error) {
    if (isRowFailure(error)) return orgId;
    throw error;
  }
}

const RECORD = `
select a.org_id is not null as found, ${allotmentColumns('a')}, a.origin, a.rate_card, a.run_id, a.version,
  a.computed_at, (a.computed_at at time zone c.zone)::date::text as computed_on, s.model, s.decided_at,
  b.batch_no, b.epoch, b.done_at, z.run_id as quarantine_run, z.reason, z.recorded_at,
  o.author, o.approver, o.reason as override_reason, g.armed_at, g.effective_at, g.swept_at
from (select :org_id::credit_rollout.org_id as id) q
cross join credit_rollout.gate g
cross join credit_rollout.cell c
left join credit_rollout.allotments a on a.org_id = q.id
left join credit_rollout.sign_ups s on s.org_id = q.id
left join lateral (
  select x.batch_no, x.epoch, x.done_at from credit_rollout.batches x
  where x.run_id = a.run_id and x.state = 'done' and case when x.org_ids is not null then q.id = any (x.org_ids)
    else (x.lower_id is null or q.id >= x.lower_id) and (x.upper_id is null or q.id < x.upper_id) end
  -- a range leaves alone what the canary wrote, and leaves to the follow-up what the canary or it left out
  order by x.org_ids is null, x.batch_no desc limit 1) b on true
left join lateral (
  select x.run_id, x.reason, x.recorded_at from credit_rollout.quarantine x where x.org_id = q.id
  order by x.recorded_at desc, x.run_id desc limit 1) z on true
left join lateral (
  select x.author, x.approver, x.reason from credit_rollout.overrides x where x.org_id = q.id and x.state = 'applied'
  order by x.override_id desc limit 1) o on true`;

/** Where `found` is false, the columns of the allotment are null. */
interface RecordRow extends StoredRow {
  readonly found: boolean;
  readonly model: 'credits' | 'legacy';
  readonly decidedAt: Date | null;
  readonly batchNo: number | null;
  readonly epoch: string;
  readonly doneAt: Date;
  readonly quarantineRun: string;
  readonly reason: string | null;
  readonly recordedAt: Date;
  readonly author: string | null;
  readonly approver: string;
  readonly overrideReason: string;
  readonly armedAt: Date | null;
  readonly effectiveAt: Date | null;
  readonly sweptAt: Date | null;
}

interface StoredRow
  extends AllotmentRow,
    Pick<StoredOrg, 'origin' | 'rateCard' | 'version' | 'computedAt' | 'computedOn'> {
  readonly runId: string | null;
}

const HISTORY = `
select h.operation, h.cause, h.changed_at, h.run_id, h.version, ${allotmentColumns('b')}
from credit_rollout.org_changes h
cross join lateral jsonb_populate_record(null::credit_rollout.allotments, h.before) b
where h.org_id = :org_id::credit_rollout.org_id order by h.change_id desc limit 20`;

interface ChangeRow extends AllotmentRow, Pick<AllotmentChange, 'operation' | 'cause' | 'changedAt' | 'version'> {
  readonly runId: string | null;
}

/** What our tables hold of an org; nulls where they hold nothing. */
export async function findOrg(tx: CellTransaction, orgId: string): Promise<OrgRecord> {
  const row = await selectRow<RecordRow>(tx, RECORD, { org_id: orgId });
  const changes = await selectRows<ChangeRow>(tx, HISTORY, { org_id: orgId });
  const reversals = await listReversedCutovers(tx);
  const { armedAt, effectiveAt, sweptAt } = row;
  return {
    stored: row.found ? toStoredOrg(row) : null,
    signUp: row.decidedAt === null ? null : { model: row.model, decidedAt: row.decidedAt },
    batch: toWritingBatch(row),
    quarantine:
      row.reason === null ? null : { runId: BigInt(row.quarantineRun), reason: row.reason, recordedAt: row.recordedAt },
    override: row.author === null ? null : { author: row.author, approver: row.approver, reason: row.overrideReason },
    gate: { armedAt, effectiveAt, sweptAt },
    reversals,
    history: changes.map(toChange),
  };
}

const toStoredOrg = (row: StoredRow): StoredOrg => ({
  allotment: toAllotment(row),
  origin: row.origin,
  rateCard: row.rateCard,
  runId: toBigint(row.runId),
  version: row.version,
  computedAt: row.computedAt,
  computedOn: row.computedOn,
});

const toWritingBatch = ({ runId, batchNo, epoch, doneAt }: RecordRow): WritingBatch | null =>
  runId === null || batchNo === null ? null : { runId: BigInt(runId), batchNo, epoch: BigInt(epoch), doneAt };

const toChange = (row: ChangeRow): AllotmentChange => ({
  operation: row.operation,
  cause: row.cause,
  changedAt: row.changedAt,
  runId: toBigint(row.runId),
  version: row.version,
  before: toAllotment(row),
});
