// What a run left behind, read from the cell and from control: the times are those that the product itself recorded.
import { withClient } from './database.js';

/** Instants are milliseconds since the epoch by the server's clock; lengths are milliseconds. */
export interface ProductTimes {
  readonly orgs: number;
  readonly written: number;
  readonly quarantined: number;
  readonly totalCredits: string;
  readonly batches: number;
  /** From the run opened to the last batch's checkpoint, the canary included. */
  readonly migrateMs: number;
  readonly verifyMs: number;
  readonly batchP50Ms: number;
  readonly batchP99Ms: number;
  readonly batchMaxMs: number;
  readonly firstBatchAt: number;
  /** What lies between the stages, in order. */
  readonly gaps: readonly { readonly name: string; readonly ms: number }[];
}

interface CellRow {
  readonly orgs: number;
  readonly written: number;
  readonly quarantined: number;
  readonly total: string;
  readonly batches: number;
  readonly opened_at: number;
  readonly first_at: number;
  readonly last_at: number;
  readonly first_verified_at: number;
  readonly last_verified_at: number;
  readonly p50: number;
  readonly p99: number;
  readonly longest: number;
}

const ms = (expression: string): string => `(extract(epoch from ${expression}) * 1000)::float8`;

const CELL_TIMES = `
select (sum(b.orgs) filter (where b.kind = 'range'))::int as orgs, sum(b.inserted)::int as written, sum(b.quarantined)::int as quarantined,
  sum(b.total_credits)::text as total, count(*)::int as batches, ${ms('min(r.opened_at)')} as opened_at,
  ${ms("min(b.done_at - b.duration_ms * interval '1 ms')")} as first_at,
  ${ms('max(b.done_at)')} as last_at, ${ms("min(b.verified_at) filter (where b.kind = 'range')")} as first_verified_at,
  ${ms('max(b.verified_at)')} as last_verified_at,
  percentile_cont(0.5) within group (order by b.duration_ms) as p50,
  percentile_cont(0.99) within group (order by b.duration_ms) as p99, max(b.duration_ms)::float8 as longest
from credit_rollout.batches b join credit_rollout.runs r using (run_id)`;

const STAGE_TIMES = `
select details->>'to' as stage, ${ms('min(at)')} as at from credit_rollout_control.audit
where action = 'transition' and data_center = $1 group by 1`;

/** Reads the one run of a fresh cell. */
export async function readProductTimes(cellUrl: string, controlUrl: string, dataCenter: string): Promise<ProductTimes> {
  const cell = await withClient(cellUrl, async (client) => (await client.query<CellRow>(CELL_TIMES)).rows[0]);
  const stages = await withClient(controlUrl, async (client) => {
    const { rows } = await client.query<{ readonly stage: string; readonly at: number }>(STAGE_TIMES, [dataCenter]);
    return new Map(rows.map(({ stage, at }) => [stage, at]));
  });
  if (cell === undefined) throw new Error('the cell has no run');
  const at = (stage: string): number => stages.get(stage) ?? Number.NaN;
  return {
    orgs: cell.orgs,
    written: cell.written,
    quarantined: cell.quarantined,
    totalCredits: cell.total,
    batches: cell.batches,
    migrateMs: cell.last_at - cell.opened_at,
    verifyMs: cell.last_verified_at - at('verifying'),
    batchP50Ms: cell.p50,
    batchP99Ms: cell.p99,
    batchMaxMs: cell.longest,
    firstBatchAt: cell.first_at,
    gaps: [
      { name: 'last batch → stage verifying', ms: at('verifying') - cell.last_at },
      {
        name: 'stage verifying → first range verified (its work included)',
        ms: cell.first_verified_at - at('verifying'),
      },
      { name: 'last range verified → stage baking', ms: at('baking') - cell.last_verified_at },
      { name: 'stage baking → stage done (no bake)', ms: at('done') - at('baking') },
    ],
  };
}
