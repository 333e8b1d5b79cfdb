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

const listInputs = (row: string, prefix: string): string =>
  ['edition', 'paid', 'agents', 'light_agents', 'additional_credits', 'negotiated_limit', 'floor']
    .map((column) => `${row}.${column} as ${prefix}${column}`)
    .join(', ');

interface InputsRow {
  readonly edition: string;
  readonly paid: boolean;
  readonly agents: string;
  readonly lightAgents: string;
  readonly additionalCredits: string;
  readonly negotiatedLimit: string | null;
  readonly floor: string | null;
}

type RaiseRow = InputsRow &
  Pick<Raise, 'orgId' | 'version'> & {
    readonly [Key in keyof InputsRow as `stored${Capitalize<Key>}`]: InputsRow[Key];
  };

/** An org that the rule raises: what the source has now, and its allotment when the rule was asked. */
export interface Raise {
  readonly orgId: string;
  readonly found: ComparedInputs;
  readonly stored: ComparedInputs;
  readonly version: number;
}

/** Those of these orgs that have an allotment which the rule now raises. */
export async function listRaises(tx: CellTransaction, { orgIds, by }: EditedOrgs): Promise<readonly Raise[]> {
  if (orgIds.length === 0) return [];
  // `offset 0`: one allotment at a time by its key, whatever number of raises the server expects
  const rows = await selectRows<RaiseRow>(
    tx,
    `select d.org_id::text, a.version, ${listInputs('d', '')}, ${listInputs('a', 'stored_')}
     from (select * from ${raises(by)}) d
     cross join lateral (
       select s.* from credit_rollout.allotments s where s.org_id = d.org_id offset 0) a`,
    { org_ids: orgIds },
  );
  return rows.map(toRaise);
}

/**
 * Locks the allotments of these raises in ascending order, as everybody does, until the transaction ends. Returns whose
 * allotment is another one by now, or none.
 */
export async function lockRaises(tx: CellTransaction, listed: readonly Raise[]): Promise<readonly string[]> {
  const changed = await selectRows<Pick<Raise, 'orgId'>>(
    tx,
    `select i.id::text as org_id from unnest(:org_ids::credit_rollout.org_id[], :versions::int[]) i (id, version)
     left join (
       select a.org_id, a.version from credit_rollout.allotments a
       where a.org_id = any (:org_ids::credit_rollout.org_id[]) order by a.org_id for update) l on l.org_id = i.id
     where l.version is distinct from i.version`,
    { org_ids: listed.map(({ orgId }) => orgId), versions: listed.map(({ version }) => version) },
  );
  return changed.map(({ orgId }) => orgId);
}

const toRaise = (row: RaiseRow): Raise => ({
  orgId: row.orgId,
  version: row.version,
  found: toInputs(row),
  stored: toInputs({
    edition: row.storedEdition,
    paid: row.storedPaid,
    agents: row.storedAgents,
    lightAgents: row.storedLightAgents,
    additionalCredits: row.storedAdditionalCredits,
    negotiatedLimit: row.storedNegotiatedLimit,
    floor: row.storedFloor,
  }),
});

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
