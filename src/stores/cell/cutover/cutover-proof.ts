// What was recorded about a cut-over, for its proof: the decisions of sign-ups, and the orgs that are left on the old
// model. Reads only; compares records with what is stored and never asks the rule what should be.
import { isRowFailure } from '../../postgres-failure.js';
import { type SqlValues, selectRow, selectRows } from '../../query.js';
import type { CellTransaction } from '../cell-database.js';
import { listUnreadable } from '../unreadable.js';

export interface SignUpCounts {
  /** Recorded as legacy, and as credits. */
  readonly legacy: number;
  readonly credits: number;
  /** Recorded as legacy although a cut-over was in force: I17 is broken. */
  readonly lateLegacy: number;
  /** Decided as one model, but stored with the other model's allotment. */
  readonly flipped: number;
}

/** From when until when a cut-over was in force; one that was reversed counts for what was decided under it. */
const IN_FORCE = `
  select effective_at, reversed_at from credit_rollout.reversals
  union all
  select effective_at, 'infinity' from credit_rollout.gate where effective_at is not null`;

const SIGN_UPS = `
with cutovers as (${IN_FORCE})
select count(*) filter (where s.model = 'legacy')::int as legacy,
  count(*) filter (where s.model = 'credits')::int as credits,
  count(*) filter (where s.model = 'legacy' and exists (
    select from cutovers c where s.decided_at >= c.effective_at and s.decided_at < c.reversed_at))::int as late_legacy,
  count(*) filter (where a.origin = 'signup' and s.model = 'legacy'
    or s.model = 'credits' and s.decided_at >= (select min(effective_at) from cutovers)
      and a.version = 1 and a.floor is not null)::int as flipped
from credit_rollout.sign_ups s
left join credit_rollout.allotments a on a.org_id = s.org_id`;

/** Over every recorded decision. */
export function countSignUps(tx: CellTransaction): Promise<SignUpCounts> {
  return selectRow<SignUpCounts>(tx, SIGN_UPS);
}

/** An org that is left on the old model because it was quarantined. */
export interface LeftQuarantined {
  readonly orgId: string;
  /** The newest reason that is recorded. */
  readonly reason: string;
  /** Its inputs were corrected: the next nightly run decides it. */
  readonly decidable: boolean;
}

const QUARANTINED = `
from (
  select distinct on (org_id) org_id, reason from credit_rollout.quarantine
  order by org_id, recorded_at desc, run_id desc) q
where not exists (select from credit_rollout.allotments a where a.org_id = q.org_id)`;
const LEFT = `${QUARANTINED} and exists (select from credit_rollout.source_orgs s where s.org_id = q.org_id)`;
// an org that cannot be read is there; lists reach the inside of a view that fails for it
const LEFT_AROUND = `${QUARANTINED} and (q.org_id = any (:unreadable::credit_rollout.org_id[])
  or exists (select from credit_rollout.source_orgs s where s.org_id = q.org_id
    and s.org_id = any (:ids::credit_rollout.org_id[]) and s.org_id <> all (:unreadable::credit_rollout.org_id[])))`;

type Left = Pick<LeftQuarantined, 'orgId' | 'reason'>;

export async function countLeftQuarantined(tx: CellTransaction): Promise<number> {
  const [found] = await selectLeft<{ readonly orgs: number }>(tx, 'select count(*)::int as orgs', '');
  return found?.orgs ?? 0;
}

async function selectLeft<Row extends object>(
  tx: CellTransaction,
  columns: string,
  end: string,
  values: SqlValues = {},
): Promise<readonly Row[]> {
  try {
    return await tx.transaction((nested) => selectRows<Row>(nested, `${columns} ${LEFT} ${end}`, values));
  } catch (error) {
    if (!isRowFailure(error)) throw error;
    const rows = await selectRows<{ readonly id: string }>(tx, `select q.org_id::text as id ${QUARANTINED}`);
    const ids = rows.map(({ id }) => id);
    const around = { ids, unreadable: await listUnreadableOf(tx, ids) };
    return selectRows<Row>(tx, `${columns} ${LEFT_AROUND} ${end}`, { ...values, ...around });
  }
}

/** A list of so many may be of orgs only that cannot be read. */
const AT_ONCE = 200;

async function listUnreadableOf(tx: CellTransaction, ids: readonly string[]): Promise<readonly string[]> {
  const found: string[] = [];
  for (let from = 0; from < ids.length; from += AT_ONCE)
    found.push(
      ...(await listUnreadable(tx, { lowerId: null, upperId: null, onlyIds: ids.slice(from, from + AT_ONCE) })),
    );
  return found;
}

/** The first `limit` of them in the order of their ids. */
export async function listLeftQuarantined(tx: CellTransaction, limit: number): Promise<readonly LeftQuarantined[]> {
  const left = await selectLeft<Left>(tx, 'select q.org_id::text, q.reason', 'order by q.org_id limit :limit', {
    limit,
  });
  const decidable = await listDecidable(
    tx,
    left.map(({ orgId }) => orgId),
  );
  return left.map((org) => ({ ...org, decidable: decidable.has(org.orgId) }));
}

/** None where one of them cannot even be read. */
async function listDecidable(tx: CellTransaction, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const sql = `
    select d.org_id::text from credit_rollout.decided_first(null, null, :ids::credit_rollout.org_id[], null) d
    where d.reason is null`;
  try {
    const orgs = await tx.transaction((nested) => selectRows<{ orgId: string }>(nested, sql, { ids }));
    return new Set(orgs.map(({ orgId }) => orgId));
  } catch (error) {
    if (isRowFailure(error)) return new Set();
    throw error;
  }
}
