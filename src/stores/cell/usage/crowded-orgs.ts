// Orgs whose calls at once will be refused: they are not migrated, and no limit on them holds until then. As `reader`.
import { selectRows } from '../../query.js';
import type { CellTransaction } from '../cell-database.js';

/** An org for the screen of the person who asks. */
export interface CrowdedOrg {
  readonly orgId: string;
  readonly edition: string;
  /** The most calls that it had in flight at once, of the last 30 whole days. */
  readonly peakInFlight: number;
  /** What its edition will have. */
  readonly concurrencyLimit: number;
}

/** The rule is asked for no more, the most crowded first. */
const MAX_ASKED = 10_000;

/** Those whose peak exceeds what their edition has under credits, the furthest beyond first. */
export async function listCrowdedOrgs(tx: CellTransaction): Promise<readonly CrowdedOrg[]> {
  const asked = await selectRows<{ readonly orgId: string; readonly peak: number }>(
    tx,
    `select p.org_id::text, p.peak_in_flight as peak from credit_rollout.usage_peaks p
     where p.peak_in_flight > (select min(r.concurrency) from credit_rollout.rates r) and not exists (
       select from credit_rollout.allotments a where a.org_id = p.org_id)
     order by p.peak_in_flight desc, p.org_id limit :most::int`,
    { most: MAX_ASKED },
  );
  if (asked.length === 0) return [];
  return selectRows<CrowdedOrg>(
    tx,
    `select d.org_id::text, d.edition, p.peak::int as peak_in_flight, d.concurrency_limit
     from credit_rollout.decided(null, null, :ids::credit_rollout.org_id[], null) d
     join unnest(:ids::credit_rollout.org_id[], :peaks::bigint[]) p (org_id, peak) on p.org_id = d.org_id
     where d.reason is null and p.peak > d.concurrency_limit
     order by p.peak - d.concurrency_limit desc, d.org_id`,
    { ids: asked.map(({ orgId }) => orgId), peaks: asked.map(({ peak }) => peak) },
  );
}
