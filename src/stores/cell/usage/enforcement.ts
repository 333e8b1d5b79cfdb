// Whether limits of calls refuse, in a cell: for all orgs, and apart for some. Read as `meter`, written as `override`.
import type { Enforce, Enforcement } from '../../../domain/meter/decide-call.js';
import { execute, findRow, selectRows } from '../../query.js';
import type { CellTransaction } from '../cell-database.js';

export interface StoredEnforcement {
  /** Undefined: there is no row. */
  readonly general: Enforce | undefined;
  /** Of those of the asked orgs that have a row, by the id that was asked for. */
  readonly orgs: ReadonlyMap<string, Partial<Enforce>>;
}

interface EnforcementRow {
  /** Null: of all orgs. */
  readonly asked: string | null;
  readonly credits: Enforcement | null;
  readonly concurrency: Enforcement | null;
}

const toPartial = ({ credits, concurrency }: EnforcementRow): Partial<Enforce> => ({
  ...(credits !== null && { credits }),
  ...(concurrency !== null && { concurrency }),
});

export async function readEnforcement(tx: CellTransaction, ids: readonly string[]): Promise<StoredEnforcement> {
  const rows = await selectRows<EnforcementRow>(
    tx,
    `select null as asked, e.credits, e.concurrency from credit_rollout.enforcement e where e.org_id is null
     union all
     select i.asked, e.credits, e.concurrency
     from unnest(:ids::text[], credit_rollout.read_org_ids(:ids::text[])) i (asked, org_id)
     join credit_rollout.enforcement e on e.org_id = i.org_id`,
    { ids },
  );
  const orgs = new Map<string, Partial<Enforce>>();
  let general: Enforce | undefined;
  for (const row of rows) {
    const { asked, credits, concurrency } = row;
    if (asked !== null) orgs.set(asked, toPartial(row));
    else if (credits !== null && concurrency !== null) general = { credits, concurrency };
  }
  return { general, orgs };
}

/** Nobody else changes enforcement until the end of the transaction. */
export async function lockEnforcement(tx: CellTransaction): Promise<void> {
  await execute(tx, 'select from credit_rollout.enforcement e where e.org_id is null for update');
}

/** `orgId` null: of all orgs. */
export async function saveEnforcement(
  tx: CellTransaction,
  orgId: string | null,
  { credits = null, concurrency = null }: { readonly [K in keyof Enforce]?: Enforcement | null },
): Promise<void> {
  if (orgId === null) {
    // its row is there since the migration
    await execute(
      tx,
      'update credit_rollout.enforcement set credits = :credits, concurrency = :concurrency where org_id is null',
      { credits, concurrency },
    );
    return;
  }
  await execute(
    tx,
    `insert into credit_rollout.enforcement as e (org_id, credits, concurrency)
     values (:org_id::credit_rollout.org_id, :credits, :concurrency)
     on conflict (org_id) where org_id is not null
       do update set credits = excluded.credits, concurrency = excluded.concurrency`,
    { org_id: orgId, credits, concurrency },
  );
}

export interface LoggedDecision {
  /** The login that the database authenticated. */
  readonly by: string;
  readonly at: Date;
}

/** Who changed last whether limits refuse; undefined: nobody has. `orgId` null: of all orgs. */
export async function findLastEnforcementChange(
  tx: CellTransaction,
  orgId: string | null,
): Promise<LoggedDecision | undefined> {
  return findRow<LoggedDecision>(
    tx,
    `select l.login as by, l.decided_at as at from credit_rollout.decision_log l
     where l.about = 'enforcement' and l.org_id is not distinct from :org_id::credit_rollout.org_id
     order by l.decision_id desc limit 1`,
    { org_id: orgId },
  );
}
