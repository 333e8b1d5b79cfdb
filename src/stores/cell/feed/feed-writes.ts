// Raises of single orgs: those that the rule raises of a list, written with their cause while their allotments are
// locked. Never a first decision and never a fall: the nightly run writes those. Calls the rule and never restates it.
import type { ComparedInputs } from '../../../domain/reconcile/name-cause.js';
import { execute, selectRows } from '../../query.js';
import { toBigint } from '../allotment-row.js';
import { creditUpdatesFrom } from '../batch/credit-terms.js';
import type { CellTransaction } from '../cell-database.js';
import type { DecideBy } from './feed.js';

const DECIDED: Readonly<Record<DecideBy, string>> = {
  keys: `unnest(:org_ids::credit_rollout.org_id[]) i (id)
     cross join lateral credit_rollout.decided_stored(i.id, null) d`,
  list: 'credit_rollout.decided(null, null, :org_ids::credit_rollout.org_id[], null) d',
};
const raises = (by: DecideBy): string => `${DECIDED[by]} where d.reason is null and d.movement = 'raise'`;

/** Orgs, without one twice, and how the rule is asked about them. */
export interface EditedOrgs {
  readonly orgIds: readonly string[];
  readonly by: DecideBy;
}

const inputs = (row: string): string =>
  `${row}.org_id::text, ${row}.edition, ${row}.paid, ${row}.agents, ${row}.light_agents, ${row}.additional_credits,
   ${row}.negotiated_limit, ${row}.floor`;

type VersionedRow = InputsRow & { readonly version: number };

interface InputsRow {
  readonly orgId: string;
  readonly edition: string;
  readonly paid: boolean;
  readonly agents: string;
  readonly lightAgents: string;
  readonly additionalCredits: string;
  readonly negotiatedLimit: string | null;
  readonly floor: string | null;
}

/** An org that the rule raises, with the inputs that the source has now. */
export interface Raise {
  readonly orgId: string;
  readonly found: ComparedInputs;
  /** Of its allotment, when the rule was asked. */
  readonly version: number;
}

/** Those of these orgs that have an allotment which the rule now raises. */
export async function listRaises(tx: CellTransaction, { orgIds, by }: EditedOrgs): Promise<readonly Raise[]> {
  if (orgIds.length === 0) return [];
  // `offset 0`: one allotment at a time by its key, whatever number of raises the server expects
  const rows = await selectRows<VersionedRow>(
    tx,
    `select ${inputs('d')}, a.version from (select * from ${raises(by)}) d
     cross join lateral (
       select s.version from credit_rollout.allotments s where s.org_id = d.org_id offset 0) a`,
    { org_ids: orgIds },
  );
  return rows.map((row) => ({ orgId: row.orgId, found: toInputs(row), version: row.version }));
}

/** An allotment that nobody else changes until the transaction ends. */
export interface LockedAllotment {
  readonly stored: ComparedInputs;
  readonly version: number;
}

/** Locks the allotments of these orgs, and returns them by org. */
export async function lockStored(
  tx: CellTransaction,
  orgIds: readonly string[],
): Promise<ReadonlyMap<string, LockedAllotment>> {
  const rows = await selectRows<VersionedRow>(
    tx,
    `select ${inputs('a')}, a.version from credit_rollout.allotments a
     where a.org_id = any (:org_ids::credit_rollout.org_id[]) order by a.org_id for update`,
    { org_ids: orgIds },
  );
  return new Map(rows.map((row) => [row.orgId, { stored: toInputs(row), version: row.version }]));
}

const toInputs = (row: InputsRow): ComparedInputs => ({
  edition: row.edition,
  paid: row.paid,
  agents: BigInt(row.agents),
  lightAgents: BigInt(row.lightAgents),
  additionalCredits: BigInt(row.additionalCredits),
  negotiatedLimit: toBigint(row.negotiatedLimit),
  floor: toBigint(row.floor),
});

/** Writes the raises of these orgs under one cause and no run; returns how many. The allotments must be locked. */
export async function writeRaises(tx: CellTransaction, cause: string, { orgIds, by }: EditedOrgs): Promise<number> {
  await execute(
    tx,
    `select set_config('credit_rollout.cause', :cause, true), set_config('credit_rollout.run_id', '', true)`,
    { cause },
  );
  return execute(
    tx,
    `with n as materialized (select d.* from ${raises(by)})
     update credit_rollout.allotments a
     set ${creditUpdatesFrom('n')}, run_id = null, computed_at = clock_timestamp()
     from n where n.org_id = a.org_id and n.total_credits >= a.total_credits
       and (a.floor is null or n.floor >= a.floor)`,
    { org_ids: orgIds },
  );
}
