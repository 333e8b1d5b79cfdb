// What was recorded about a cut-over, for its proof: decisions of sign-ups, and the orgs that are left on the old model.
// Reads only; compares records with what is stored and never asks the rule what should be.
import { classifyFailure } from '../../postgres-failure.js';
import type { CellTransaction } from '../cell-database.js';

export interface SignUpCounts {
  /** Recorded as legacy, and as credits. */
  readonly legacy: number;
  readonly credits: number;
  /** Recorded as legacy while a line held that makes it credits: I17 is broken. */
  readonly lateLegacy: number;
  /** Told one model, given the other one's allotment. */
  readonly flipped: number;
}

/** From when until when sign-ups were decided as credits; a line that was reversed holds for what was decided under it. */
const LINES = `select effective_at, reversed_at from credit_rollout.reversals
  union all select effective_at, 'infinity' from credit_rollout.gate where effective_at is not null`;

const SIGN_UPS = `
with lines as (${LINES})
select count(*) filter (where s.model = 'legacy')::int as legacy, count(*) filter (where s.model = 'credits')::int as credits,
  count(*) filter (where s.model = 'legacy' and exists (
    select from lines l where s.decided_at >= l.effective_at and s.decided_at < l.reversed_at))::int as "lateLegacy",
  count(*) filter (where (a.origin = 'signup') and s.model = 'legacy'
    or s.model = 'credits' and s.decided_at >= (select min(effective_at) from lines) and a.version = 1 and a.floor is not null)::int as flipped
from credit_rollout.sign_ups s left join credit_rollout.allotments a on a.org_id = s.org_id`;

/** Over every recorded decision. */
export async function countSignUps(tx: CellTransaction): Promise<SignUpCounts> {
  return (await tx.raw(SIGN_UPS)).rows[0];
}

/** An org that is left on the old model because it was set aside. */
export interface LeftQuarantined {
  readonly orgId: string;
  /** The newest reason that is recorded. */
  readonly reason: string;
  /** Its inputs were corrected: the next night decides it. */
  readonly decidable: boolean;
}

const LEFT = `
from (select distinct on (org_id) org_id, reason from credit_rollout.quarantine order by org_id, recorded_at desc, run_id desc) q
where exists (select from credit_rollout.source_orgs s where s.org_id = q.org_id)
  and not exists (select from credit_rollout.allotments a where a.org_id = q.org_id)`;

export async function countLeftQuarantined(tx: CellTransaction): Promise<number> {
  return (await tx.raw(`select count(*)::int as orgs ${LEFT}`)).rows[0].orgs;
}

/** The first `most` of them in the order of their ids. */
export async function listLeftQuarantined(tx: CellTransaction, most: number): Promise<readonly LeftQuarantined[]> {
  const { rows } = await tx.raw(`select q.org_id::text as id, q.reason ${LEFT} order by q.org_id limit ?`, [most]);
  const decidable = await listDecidable(
    tx,
    rows.map(({ id }: { id: string }) => id),
  );
  return rows.map(({ id, reason }: { id: string; reason: string }) => ({
    orgId: id,
    reason,
    decidable: decidable.has(id),
  }));
}

/** None where one of them cannot even be read. */
async function listDecidable(tx: CellTransaction, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const sql = `select d.org_id::text as id from credit_rollout.decided_first(null, null, ?::credit_rollout.org_id[], null) d
    where d.reason is null`;
  try {
    const { rows } = await tx.transaction((nested) => nested.raw(sql, [[...ids]]));
    return new Set(rows.map(({ id }: { id: string }) => id));
  } catch (error) {
    if (classifyFailure(error).kind === 'bad_value') return new Set();
    throw error;
  }
}
