// Floors that nights proposed and nobody has decided yet. Org data: for the screen of who asks.

import { toBigint } from '../allotment-row.js';
import type { CellTransaction } from '../cell-database.js';

export interface WaitingFloor {
  readonly orgId: string;
  readonly cause: string;
  readonly floor: bigint | null;
  readonly proposedFloor: bigint;
  readonly since: Date;
}

const WAITING = `
select org_id::text as "orgId", cause, floor::text as floor, proposed_floor::text as "proposedFloor", found_at as since
from credit_rollout.waiting_floors order by waiting_floors.org_id limit ?`;

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
