// Floors that nights proposed and nobody has decided yet. Org data: for the screen of who asks.
import type { CellTransaction } from './cell-database.js';
import { toBigint } from './stored-allotment.js';

export interface WaitingFloor {
  readonly orgId: string;
  readonly cause: string;
  readonly floor: bigint | null;
  readonly proposedFloor: bigint;
  readonly since: Date;
}

// what the open window or an edit asks is asked again every night; a contract that changed after the sweep only once
const WAITING = `
select distinct on (d.org_id) d.org_id::text as "orgId", d.cause, a.floor::text as floor, d.proposed_floor::text as "proposedFloor",
  d.found_at as since
from credit_rollout.drift d join credit_rollout.allotments a on a.org_id = d.org_id cross join credit_rollout.gate g
where d.proposes and a.floor is distinct from d.proposed_floor
  and (d.run_id = (select max(r.run_id) from credit_rollout.runs r where r.kind = 'reconcile')
    or d.movement <> 'same' and d.found_at >= g.swept_at)
  and not exists (select from credit_rollout.overrides o
    where o.org_id = d.org_id and o.state = 'applied' and o.decided_at > d.found_at)
order by d.org_id, d.run_id desc limit ?`;

type Stored = Omit<WaitingFloor, 'floor' | 'proposedFloor'> & {
  readonly floor: string | null;
  readonly proposedFloor: string;
};

/** At most `most`, by org. */
export async function listWaitingFloors(tx: CellTransaction, most: number): Promise<readonly WaitingFloor[]> {
  const { rows } = await tx.raw(WAITING, [most]);
  return rows.map((row: Stored) => ({
    ...row,
    floor: toBigint(row.floor),
    proposedFloor: BigInt(row.proposedFloor),
  }));
}
