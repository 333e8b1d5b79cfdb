// One org's row in the source, and what the product enforces for it today. Reads only; numbers stay exact.
import type { OrgInputs } from '../../../domain/source/org-inputs.js';
import { isRowFailure } from '../../postgres-failure.js';
import { findRow, selectRows } from '../../query.js';
import { toBigint } from '../allotment-row.js';
import type { CellTransaction } from '../cell-database.js';

/** The source row of an org: what the rule reads, and more. */
export interface SourceOrg extends OrgInputs {
  /** ISO 8601 in UTC, or Postgres's own `infinity`; `createdAt` is the nearest instant that a Date can hold. */
  readonly createdAtText: string | null;
  readonly updatedAtText: string | null;
  /** Highest day's use of the last 30 days, in credits. */
  readonly peakCredits: bigint | null;
}

/** What the product enforces today; `capacity` null: the org is undecidable, and its old capacity stays. */
export interface OrgCapacity {
  readonly model: 'credits' | 'legacy';
  /** Credits or calls a day. */
  readonly capacity: bigint | null;
}

export type SourceReading =
  | { readonly kind: 'present'; readonly org: SourceOrg; readonly capacity: OrgCapacity | null }
  | { readonly kind: 'gone' }
  /** Reading its columns raises an error of class 22. */
  | { readonly kind: 'unreadable' };

const instantText = (column: string): string => `case when isfinite(${column})
  then to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') else ${column}::text end`;

const SOURCE = `
select s.edition, s.paid, s.agents, s.light_agents, s.additional_credits, s.negotiated_limit, s.duplicated,
  s.peak_credits, floor(extract(epoch from s.created_at) * 1000)::text as created_ms,
  ${instantText('s.created_at')} as created_at_text, ${instantText('s.updated_at')} as updated_at_text
from credit_rollout.source_orgs s where s.org_id = :org_id::credit_rollout.org_id limit 1`;

const CAPACITY = `
select model, capacity from credit_rollout.org_capacity where org_id = :org_id::credit_rollout.org_id limit 1`;

/** The source row of an org now; for an id that occurs twice, one of its rows, marked as duplicated. */
export async function findSourceOrg(tx: CellTransaction, orgId: string): Promise<SourceReading> {
  try {
    return await tx.transaction(async (nested): Promise<SourceReading> => {
      const row = await findRow<SourceRow>(nested, SOURCE, { org_id: orgId });
      if (row === undefined) return { kind: 'gone' };
      const enforced = await findRow<CapacityRow>(nested, CAPACITY, { org_id: orgId });
      return {
        kind: 'present',
        org: toSourceOrg(row),
        capacity: enforced === undefined ? null : { model: enforced.model, capacity: toBigint(enforced.capacity) },
      };
    });
  } catch (error) {
    if (isRowFailure(error)) return { kind: 'unreadable' };
    throw error;
  }
}

/** When orgs were made, by id; without those that left the source, that say nothing, or that cannot be read. */
export async function readCreatedAt(
  tx: CellTransaction,
  orgIds: readonly string[],
): Promise<ReadonlyMap<string, Date>> {
  try {
    const rows = await tx.transaction((nested) => selectRows<CreatedRow>(nested, CREATED, { org_ids: orgIds }));
    return new Map(rows.map(({ orgId, createdMs }) => [orgId, toDate(createdMs)]));
  } catch (error) {
    if (!isRowFailure(error)) throw error;
    if (orgIds.length <= 1) return new Map();
    const middle = Math.floor(orgIds.length / 2);
    const first = await readCreatedAt(tx, orgIds.slice(0, middle));
    return new Map([...first, ...(await readCreatedAt(tx, orgIds.slice(middle)))]);
  }
}

const CREATED = `
select s.org_id::text, floor(extract(epoch from s.created_at) * 1000)::text as created_ms
from credit_rollout.source_orgs s
where s.org_id = any (:org_ids::credit_rollout.org_id[]) and s.created_at is not null`;

interface CreatedRow {
  readonly orgId: string;
  readonly createdMs: string;
}

type CapacityRow = Pick<OrgCapacity, 'model'> & { readonly capacity: string | null };

interface SourceRow {
  readonly edition: string | null;
  readonly paid: boolean | null;
  readonly agents: string | null;
  readonly lightAgents: string | null;
  readonly additionalCredits: string | null;
  readonly negotiatedLimit: string | null;
  readonly duplicated: boolean;
  readonly peakCredits: string | null;
  /** May be `Infinity`, or beyond what a Date can hold. */
  readonly createdMs: string | null;
  readonly createdAtText: string | null;
  readonly updatedAtText: string | null;
}

const GREATEST_DATE_MS = 8.64e15;

const toDate = (ms: string): Date => new Date(Math.max(-GREATEST_DATE_MS, Math.min(GREATEST_DATE_MS, Number(ms))));

const toSourceOrg = (row: SourceRow): SourceOrg => ({
  edition: row.edition,
  paid: row.paid,
  agents: toBigint(row.agents),
  lightAgents: toBigint(row.lightAgents),
  additionalCredits: toBigint(row.additionalCredits),
  negotiatedLimit: toBigint(row.negotiatedLimit),
  createdAt: row.createdMs === null ? null : toDate(row.createdMs),
  createdAtText: row.createdAtText,
  updatedAtText: row.updatedAtText,
  duplicated: row.duplicated,
  peakCredits: toBigint(row.peakCredits),
});
