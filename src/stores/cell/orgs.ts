// One org as its cell knows it: source row, allotment, sign-up, batch, quarantine, history. Read only; numbers stay exact text.
// jsonb is never handed to the driver, which would round its numbers: Postgres turns a before-image back into a row.
import type { Allotment } from '../../domain/org/allotment.js';
import type { OrgInputs } from '../../domain/org/org-inputs.js';
import { classifyFailure } from '../postgres-failure.js';
import type { CellTransaction } from './cell-database.js';

/** The source row of an org, with what the rule does not read beside it. */
export interface SourceOrg extends OrgInputs {
  /** ISO 8601 in UTC, or Postgres's own `infinity`; `createdAt` holds the nearest instant that a Date can. */
  readonly createdAtText: string | null;
  readonly updatedAtText: string | null;
  /** Highest day's use of the last 30 days, in credits. */
  readonly peakCredits: bigint | null;
}

export type SourceReading =
  | { readonly kind: 'present'; readonly org: SourceOrg; readonly capacity: Capacity | null }
  | { readonly kind: 'gone' }
  /** Its columns raise an error of class 22 when they are read. */
  | { readonly kind: 'unreadable' };

/** What the product enforces today; null capacity: undecidable, what it had stays. */
export interface Capacity {
  readonly model: 'credits' | 'legacy';
  readonly capacity: bigint | null;
}

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

/** What our own tables hold about an org. */
export interface OrgRecord {
  readonly stored: StoredOrg | null;
  readonly signUp: { readonly model: 'credits' | 'legacy'; readonly decidedAt: Date } | null;
  /** The batch that wrote the allotment. */
  readonly batch: { runId: bigint; batchNo: number; epoch: bigint; doneAt: Date } | null;
  /** The newest quarantine row, current or not. */
  readonly quarantine: { readonly runId: bigint; readonly reason: string; readonly recordedAt: Date } | null;
  readonly gate: { readonly armedAt: Date | null; readonly effectiveAt: Date | null; readonly sweptAt: Date | null };
  /** The newest changes first. */
  readonly history: readonly AllotmentChange[];
}

/** One read-only snapshot for the whole transaction: what is compared belongs together. Must come before any query. */
export async function readOneSnapshot(tx: CellTransaction): Promise<void> {
  await tx.raw('set transaction isolation level repeatable read, read only');
}

/** The id as the cell spells it; undefined when the text does not fit the cell's id type. */
export async function parseOrgId(tx: CellTransaction, text: string): Promise<string | undefined> {
  try {
    const { rows } = await tx.transaction((nested) => nested.raw('select (?::credit_rollout.org_id)::text as id', [text]));
    return rows[0].id;
  } catch (error) {
    if (classifyFailure(error).kind === 'bad_value') return undefined;
    throw error;
  }
}

const instantText = (column: string): string => `case when isfinite(${column})
  then to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') else ${column}::text end`;

const SOURCE = `
select s.edition, s.paid, s.agents, s.light_agents, s.additional_credits, s.negotiated_limit, s.duplicated, s.peak_credits,
  floor(extract(epoch from s.created_at) * 1000)::text as created_ms, ${instantText('s.created_at')} as created_at_text,
  ${instantText('s.updated_at')} as updated_at_text
from credit_rollout.source_orgs s where s.org_id = ?::credit_rollout.org_id limit 1`;

/** What the source says of an org now. */
export async function findSourceOrg(tx: CellTransaction, orgId: string): Promise<SourceReading> {
  try {
    return await tx.transaction(async (nested) => {
      const [row] = (await nested.raw(SOURCE, [orgId])).rows;
      if (row === undefined) return { kind: 'gone' };
      return { kind: 'present', org: toSourceOrg(row), capacity: await readCapacity(nested, orgId) };
    });
  } catch (error) {
    if (classifyFailure(error).kind === 'bad_value') return { kind: 'unreadable' };
    throw error;
  }
}

async function readCapacity(tx: CellTransaction, orgId: string): Promise<Capacity | null> {
  const { rows } = await tx.raw(
    'select model, capacity from credit_rollout.org_capacity where org_id = ?::credit_rollout.org_id limit 1',
    [orgId],
  );
  return rows[0] === undefined ? null : { model: rows[0].model, capacity: toBigint(rows[0].capacity) };
}

const GREATEST_DATE_MS = 8.64e15;

type Text = string | null;
interface SourceRow {
  readonly edition: Text;
  readonly paid: boolean | null;
  readonly agents: Text;
  readonly light_agents: Text;
  readonly additional_credits: Text;
  readonly negotiated_limit: Text;
  readonly duplicated: boolean;
  readonly peak_credits: Text;
  /** May be `Infinity` or lie beyond what a Date can hold. */
  readonly created_ms: Text;
  readonly created_at_text: Text;
  readonly updated_at_text: Text;
}

const toBigint = (text: Text): bigint | null => (text === null ? null : BigInt(text));

const toDate = (ms: string): Date => new Date(Math.max(-GREATEST_DATE_MS, Math.min(GREATEST_DATE_MS, Number(ms))));

const toSourceOrg = (row: SourceRow): SourceOrg => ({
  edition: row.edition,
  paid: row.paid,
  agents: toBigint(row.agents),
  lightAgents: toBigint(row.light_agents),
  additionalCredits: toBigint(row.additional_credits),
  negotiatedLimit: toBigint(row.negotiated_limit),
  createdAt: row.created_ms === null ? null : toDate(row.created_ms),
  createdAtText: row.created_at_text,
  updatedAtText: row.updated_at_text,
  duplicated: row.duplicated,
  peakCredits: toBigint(row.peak_credits),
});

const RECORD = `
select a.*, a.unpaid_since::text as unpaid_since, (a.computed_at at time zone c.zone)::date::text as computed_on,
  s.model as signed_up_as, s.decided_at, b.run_id as batch_run, b.batch_no, b.epoch, b.done_at,
  z.run_id as quarantine_run, z.reason, z.recorded_at, g.armed_at, g.effective_at, g.swept_at
from (select ?::credit_rollout.org_id as id) q
cross join credit_rollout.gate g
cross join credit_rollout.cell c
left join credit_rollout.allotments a on a.org_id = q.id
left join credit_rollout.sign_ups s on s.org_id = q.id
left join lateral (
  select x.run_id, x.batch_no, x.epoch, x.done_at from credit_rollout.batches x
  where x.run_id = a.run_id and x.state = 'done' and (x.lower_id is null or q.id >= x.lower_id)
    and (x.upper_id is null or q.id < x.upper_id) limit 1) b on true
left join lateral (
  select x.run_id, x.reason, x.recorded_at from credit_rollout.quarantine x where x.org_id = q.id
  order by x.recorded_at desc, x.run_id desc limit 1) z on true`;

const HISTORY = `
select h.operation, h.cause, h.changed_at, h.run_id as changed_by_run, h.version as before_version,
  b.*, b.unpaid_since::text as unpaid_since
from credit_rollout.allotment_changes h
cross join lateral jsonb_populate_record(null::credit_rollout.allotments, h.before) b
where h.org_id = ?::credit_rollout.org_id order by h.change_id desc limit 20`;

/** What our tables hold of an org; `stored` is null when it has no allotment. */
export async function findOrg(tx: CellTransaction, orgId: string): Promise<OrgRecord> {
  const row = (await tx.raw(RECORD, [orgId])).rows[0];
  const changes: readonly ChangeRow[] = (await tx.raw(HISTORY, [orgId])).rows;
  return {
    stored: row.org_id === null ? null : toStoredOrg(row),
    signUp: row.decided_at === null ? null : { model: row.signed_up_as, decidedAt: row.decided_at },
    batch:
      row.batch_no === null
        ? null
        : { runId: BigInt(row.batch_run), batchNo: row.batch_no, epoch: BigInt(row.epoch), doneAt: row.done_at },
    quarantine:
      row.reason === null
        ? null
        : { runId: BigInt(row.quarantine_run), reason: row.reason, recordedAt: row.recorded_at },
    gate: { armedAt: row.armed_at, effectiveAt: row.effective_at, sweptAt: row.swept_at },
    history: changes.map(toChange),
  };
}
