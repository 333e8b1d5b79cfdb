// What planning is measured against: one aggregate over the same join on one connection, which computes no term and
// keeps nothing.
import type { BenchBed } from './bed.js';
import { withClient } from './database.js';

const AGGREGATE = `
select s.edition, s.paid, count(*), sum(s.agents), sum(s.light_agents), sum(s.additional_credits), sum(s.negotiated_limit),
  sum(r.base), sum(r.per_agent), sum(r.legacy_per_user), sum(a.total_credits)
from credit_rollout.source_orgs s
join credit_rollout.rates r on r.edition = s.edition and r.card_hash = $1
left join credit_rollout.allotments a on a.org_id = s.org_id
group by s.edition, s.paid`;

/** In ms; on the same fresh cell as the plan after it. */
export async function measureBareAggregate(bed: BenchBed): Promise<number> {
  return withClient(bed.server.url(bed.cell), async (client) => {
    await client.query('set max_parallel_workers_per_gather = 0; set jit = off');
    const started = performance.now();
    await client.query(AGGREGATE, [bed.card.hash]);
    return performance.now() - started;
  });
}
