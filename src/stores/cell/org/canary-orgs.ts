// The orgs of a canary that a run wrote, with all that the rule decided them from: a few statements for all of them.
import type { Allotment } from '../../../domain/org/allotment.js';
import { selectRows } from '../../query.js';
import { type AllotmentRow, allotmentColumns, toAllotment } from '../allotment-row.js';
import type { CellTransaction } from '../cell-database.js';
import type { AllotmentChange, OrgRecord } from './orgs.js';

export interface CanaryOrg extends Pick<OrgRecord, 'signUp'> {
  readonly orgId: string;
  readonly allotment: Allotment;
  readonly version: number;
  readonly computedAt: Date;
  /** Local date of `computedAt` in the data center, YYYY-MM-DD. */
  readonly computedOn: string;
  readonly gate: Pick<OrgRecord['gate'], 'effectiveAt' | 'sweptAt'>;
  /** The newest change of the allotment; null: it never changed. */
  readonly newestChange: Pick<AllotmentChange, 'operation' | 'cause' | 'before'> | null;
}

const ORGS = `
select a.org_id::text, ${allotmentColumns('a')}, a.version, a.computed_at,
  (a.computed_at at time zone c.zone)::date::text as computed_on, s.model, s.decided_at, g.effective_at, g.swept_at
from credit_rollout.allotments a
cross join credit_rollout.gate g
cross join credit_rollout.cell c
left join credit_rollout.sign_ups s on s.org_id = a.org_id
where a.org_id = any (:org_ids::credit_rollout.org_id[]) and a.run_id = :run_id::bigint`;

interface OrgRow extends AllotmentRow, Pick<CanaryOrg, 'orgId' | 'version' | 'computedAt' | 'computedOn'> {
  readonly model: 'credits' | 'legacy';
  readonly decidedAt: Date | null;
  readonly effectiveAt: Date | null;
  readonly sweptAt: Date | null;
}

const NEWEST_CHANGES = `
select n.org_id::text, n.operation, n.cause, ${allotmentColumns('b')}
from (select distinct on (h.org_id) h.* from credit_rollout.org_changes h
  where h.org_id = any (:org_ids::credit_rollout.org_id[]) order by h.org_id, h.change_id desc) n
cross join lateral jsonb_populate_record(null::credit_rollout.allotments, n.before) b`;

interface ChangeRow extends AllotmentRow, Pick<AllotmentChange, 'operation' | 'cause'> {
  readonly orgId: string;
}

/** Those of `orgIds` whose allotment the run wrote. */
export async function listCanaryOrgs(
  tx: CellTransaction,
  runId: bigint,
  orgIds: readonly string[],
): Promise<readonly CanaryOrg[]> {
  const rows = await selectRows<OrgRow>(tx, ORGS, { org_ids: orgIds, run_id: runId });
  const changes = await selectRows<ChangeRow>(tx, NEWEST_CHANGES, { org_ids: orgIds });
  const newest = new Map(
    changes.map((row) => [row.orgId, { operation: row.operation, cause: row.cause, before: toAllotment(row) }]),
  );
  return rows.map(({ orgId, version, computedAt, computedOn, model, decidedAt, effectiveAt, sweptAt, ...row }) => ({
    ...{ orgId, version, computedAt, computedOn },
    allotment: toAllotment(row),
    signUp: decidedAt === null ? null : { model, decidedAt },
    gate: { effectiveAt, sweptAt },
    newestChange: newest.get(orgId) ?? null,
  }));
}
