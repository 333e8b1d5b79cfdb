// Allotments that break the rule, and what the record and the rule say of them. The cell itself computes what is put
// back: no number goes through the driver. Ids of orgs stay with the person who asks.
import { findRow, selectRow, selectRows } from '../../query.js';
import type { Seal } from '../../seal.js';
import { toBigint } from '../allotment-row.js';
import type { CellTransaction } from '../cell-database.js';

/** One org of a repair. Credits a day, as decimal text. */
export interface EditedOrg {
  readonly orgId: string;
  readonly storedTotal: string;
  readonly targetTotal: string;
  readonly storedFloor: string | null;
  readonly targetFloor: string | null;
  /** A paid org loses credits, calls at once or a part of its floor. */
  readonly lowers: boolean;
}

const ORGS = `
select x.org_id::text, x.before ->> 'total_credits' as stored_total, x.after ->> 'total_credits' as target_total,
  x.before ->> 'floor' as stored_floor, x.after ->> 'floor' as target_floor, x.lowers`;

/** What would be put back of these orgs, by id. An org is left out of which the rule says nothing. */
export function listRepairTargets(tx: CellTransaction, ids: readonly string[]): Promise<readonly EditedOrg[]> {
  return selectRows<EditedOrg>(
    tx,
    `${ORGS} from (
       select a.org_id, to_jsonb(a) as before, to_jsonb(t) as after,
         (a.paid or t.paid) and (t.total_credits < a.total_credits
           or t.concurrency_limit < a.concurrency_limit
           or a.floor is not null and (t.floor is null or t.floor < a.floor)) as lowers
       from credit_rollout.repair_targets(:ids::credit_rollout.org_id[]) t
       join credit_rollout.allotments a on a.org_id = t.org_id) x order by x.org_id`,
    { ids },
  );
}

/** What a proposed repair puts back, by id. */
export function listRepairedOrgs(tx: CellTransaction, repairId: bigint): Promise<readonly EditedOrg[]> {
  return selectRows<EditedOrg>(
    tx,
    `${ORGS} from credit_rollout.repaired_orgs x where x.repair_id = :repair_id::bigint order by x.org_id`,
    { repair_id: repairId },
  );
}

/** At most 1,000 orgs. Undefined: there is nothing to put back. One that waited for its approval is withdrawn. */
export async function insertRepair(
  tx: CellTransaction,
  { author, reason, ids }: { readonly author: string; readonly reason: string; readonly ids: readonly string[] },
): Promise<bigint | undefined> {
  const { repairId } = await selectRow<{ readonly repairId: string | null }>(
    tx,
    'select credit_rollout.propose_repair(:author, :reason, :ids::credit_rollout.org_id[]) as repair_id',
    { author, reason, ids },
  );
  return toBigint(repairId) ?? undefined;
}

export interface RepairRow {
  readonly repairId: bigint;
  readonly reason: string;
  readonly author: string;
  readonly approver: string | null;
  readonly state: 'proposed' | 'applied' | 'withdrawn';
}

type Stored = Omit<RepairRow, 'repairId'> & { readonly repairId: string };

export async function findRepair(tx: CellTransaction, repairId: bigint): Promise<RepairRow | undefined> {
  const row = await findRow<Stored>(
    tx,
    `select repair_id, reason, author, approver, state from credit_rollout.repairs
     where repair_id = :repair_id::bigint`,
    { repair_id: repairId },
  );
  return row && { ...row, repairId: BigInt(row.repairId) };
}

/** The newest one since the fence last changed: since a run failed, for example. Names no org. */
export async function findNewestRepair(
  tx: CellTransaction,
): Promise<{ readonly repairId: bigint; readonly state: 'proposed' | 'applied' } | undefined> {
  const row = await findRow<{ readonly repairId: string; readonly state: 'proposed' | 'applied' }>(
    tx,
    `select p.repair_id, p.state from credit_rollout.repairs p
     where p.state in ('proposed', 'applied')
       and coalesce(p.decided_at, p.proposed_at) > (select f.changed_at from credit_rollout.fence f)
     order by p.repair_id desc limit 1`,
  );
  return row && { ...row, repairId: BigInt(row.repairId) };
}

/** What control gets to know of it: 64 hex digits that nobody can guess. The repair must be there. */
export async function digestRepair(tx: CellTransaction, repairId: bigint): Promise<string> {
  const { digest } = await selectRow<{ readonly digest: string }>(
    tx,
    'select credit_rollout.digest_repair(:repair_id::bigint) as digest',
    { repair_id: repairId },
  );
  return digest;
}

/**
 * Writes a proposed repair while nothing else may write; returns how many allotments. Without a seal none of a paid org
 * may fall. Raises `repairs_need_rest`, `repairs_decided_once`, `repairs_outdated`, and what `readSealFailure` reads.
 */
export async function applyRepair(tx: CellTransaction, repairId: bigint, seal: Seal | null): Promise<number> {
  const { written } = await selectRow<{ readonly written: number }>(
    tx,
    'select credit_rollout.apply_repair(:repair_id::bigint, :seal::jsonb) as written',
    { repair_id: repairId, seal },
  );
  return written;
}
