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

/** Those of these orgs that have an allotment which the rule now raises. */
export async function listRaises(tx: CellTransaction, { orgIds, by }: EditedOrgs): Promise<readonly string[]> {
  if (orgIds.length === 0) return [];
  const raised = await selectRows<{ orgId: string }>(tx, `select d.org_id::text from ${raises(by)}`, {
    org_ids: orgIds,
  });
  return raised.map(({ orgId }) => orgId);
}

export interface Raise {
  readonly orgId: string;
  readonly stored: ComparedInputs;
  readonly found: ComparedInputs;
}

const inputs = (row: string): string =>
  `${row}.org_id::text, ${row}.edition, ${row}.paid, ${row}.agents, ${row}.light_agents, ${row}.additional_credits,
   ${row}.negotiated_limit, ${row}.floor`;

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

/** The raises among locked allotments, with the stored and the found inputs: their causes are named from these. */
export async function readRaises(tx: CellTransaction, { orgIds, by }: EditedOrgs): Promise<readonly Raise[]> {
  const found = await selectRows<InputsRow>(tx, `select ${inputs('d')} from ${raises(by)}`, { org_ids: orgIds });
  const stored = await selectRows<InputsRow>(
    tx,
    `select ${inputs('a')} from credit_rollout.allotments a
     where a.org_id = any (:org_ids::credit_rollout.org_id[])`,
    { org_ids: orgIds },
  );
  const storedById = new Map(stored.map((row) => [row.orgId, toInputs(row)]));
  return found.flatMap((row) => {
    const before = storedById.get(row.orgId);
    return before === undefined ? [] : [{ orgId: row.orgId, stored: before, found: toInputs(row) }];
  });
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
