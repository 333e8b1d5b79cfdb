// One org as our tables know it: allotment, sign-up, batch, quarantine, history. Read only.
// jsonb never reaches the driver, which would round its numbers: Postgres turns a before-image back into a row.
import type { Allotment } from '../../../domain/org/allotment.js';
import { classifyFailure } from '../../postgres-failure.js';
import { type AllotmentRow, allotmentColumns, toAllotment, toBigint } from '../allotment-row.js';
import type { CellTransaction } from '../cell-database.js';
import { listReversedCutovers, type ReversedCutover } from '../cutover/reversals.js';

export interface StoredOrg {
  readonly allotment: Allotment;
  readonly origin: 'migrated' | 'signup';
  /** Hash of the card that it was computed with. */
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
  /** Cut-overs that were taken back, the oldest first. */
  readonly reversals: readonly ReversedCutover[];
  /** The override that set its floor last; null: none was applied. */
  readonly override: { readonly author: string; readonly approver: string; readonly reason: string } | null;
  /** The newest 20 changes, newest first. */
  readonly history: readonly AllotmentChange[];
}

/** One read-only snapshot for the whole transaction, so that what is compared belongs together. Before any query. */
export async function startSnapshot(tx: CellTransaction): Promise<void> {
  await tx.raw('set transaction isolation level repeatable read, read only');
}

/** The lowest id of the source; undefined: it has no org. */
export async function findFirstOrg(tx: CellTransaction): Promise<string | undefined> {
  const { rows } = await tx.raw('select org_id::text as id from credit_rollout.source_orgs order by org_id limit 1');
  return rows[0]?.id;
}

/** The id as the cell spells it; undefined when the text does not fit the cell's id type. */
export async function parseOrgId(tx: CellTransaction, text: string): Promise<string | undefined> {
  try {
    const parse = 'select (?::credit_rollout.org_id)::text as id';
    return (await tx.transaction((nested) => nested.raw(parse, [text]))).rows[0].id;
  } catch (error) {
    if (classifyFailure(error).kind === 'bad_value') return undefined;
    throw error;
  }
}

const RECORD = `
select a.org_id is not null as found, ${allotmentColumns('a')}, a.origin, a.rate_card, a.run_id, a.version, a.computed_at,
  (a.computed_at at time zone c.zone)::date::text as computed_on, s.model as signed_up_as, s.decided_at,
  b.batch_no, b.epoch, b.done_at, z.run_id as quarantine_run, z.reason, z.recorded_at,
  o.author as override_author, o.approver as override_approver, o.reason as override_reason, g.armed_at, g.effective_at, g.swept_at
from (select ?::credit_rollout.org_id as id) q
cross join credit_rollout.gate g
cross join credit_rollout.cell c
left join credit_rollout.allotments a on a.org_id = q.id
left join credit_rollout.sign_ups s on s.org_id = q.id
left join lateral (
  select x.batch_no, x.epoch, x.done_at from credit_rollout.batches x
  where x.run_id = a.run_id and x.state = 'done' and (x.lower_id is null or q.id >= x.lower_id)
    and (x.upper_id is null or q.id < x.upper_id) limit 1) b on true
left join lateral (
  select x.run_id, x.reason, x.recorded_at from credit_rollout.quarantine x where x.org_id = q.id
  order by x.recorded_at desc, x.run_id desc limit 1) z on true
left join lateral (
  select x.author, x.approver, x.reason from credit_rollout.overrides x where x.org_id = q.id and x.state = 'applied'
  order by x.override_id desc limit 1) o on true`;

const HISTORY = `
select h.operation, h.cause, h.changed_at, h.run_id, h.version, ${allotmentColumns('b')}
from credit_rollout.allotment_changes h
cross join lateral jsonb_populate_record(null::credit_rollout.allotments, h.before) b
where h.org_id = ?::credit_rollout.org_id order by h.change_id desc limit 20`;

/** What our tables hold of an org; of one that they do not know, nulls. */
export async function findOrg(tx: CellTransaction, orgId: string): Promise<OrgRecord> {
  const row = (await tx.raw(RECORD, [orgId])).rows[0];
  const changes: readonly ChangeRow[] = (await tx.raw(HISTORY, [orgId])).rows;
  const reversals = await listReversedCutovers(tx);
  return {
    stored: row.found ? toStoredOrg(row) : null,
    signUp: row.decided_at === null ? null : { model: row.signed_up_as, decidedAt: row.decided_at },
    batch:
      row.batch_no === null
        ? null
        : { runId: BigInt(row.run_id), batchNo: row.batch_no, epoch: BigInt(row.epoch), doneAt: row.done_at },
    quarantine:
      row.reason === null
        ? null
        : { runId: BigInt(row.quarantine_run), reason: row.reason, recordedAt: row.recorded_at },
    override:
      row.override_author === null
        ? null
        : { author: row.override_author, approver: row.override_approver, reason: row.override_reason },
    gate: { armedAt: row.armed_at, effectiveAt: row.effective_at, sweptAt: row.swept_at },
    reversals,
    history: changes.map(toChange),
  };
}

interface StoredRow extends AllotmentRow {
  readonly origin: StoredOrg['origin'];
  readonly rate_card: string;
  readonly run_id: string | null;
  readonly version: number;
  readonly computed_at: Date;
  readonly computed_on: string;
}

const toStoredOrg = (row: StoredRow): StoredOrg => ({
  allotment: toAllotment(row),
  origin: row.origin,
  rateCard: row.rate_card,
  runId: toBigint(row.run_id),
  version: row.version,
  computedAt: row.computed_at,
  computedOn: row.computed_on,
});

interface ChangeRow extends AllotmentRow {
  readonly operation: AllotmentChange['operation'];
  readonly cause: string;
  readonly changed_at: Date;
  readonly run_id: string | null;
  readonly version: number;
}

const toChange = (row: ChangeRow): AllotmentChange => ({
  operation: row.operation,
  cause: row.cause,
  changedAt: row.changed_at,
  runId: toBigint(row.run_id),
  version: row.version,
  before: toAllotment(row),
});
