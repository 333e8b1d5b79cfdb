// Raises of single orgs: what the rule raises of a list, locked, and written with its cause. Never a first decision, never
// a fall: those are the night's. Calls the rule, never restates it.
import type { ComparedInputs } from '../../../domain/reconcile/name-cause.js';
import { toBigint } from '../allotment-row.js';
import { CREDIT_TERMS, creditTermsOf, UPDATE_UNLESS_FALLING } from '../batch/credit-terms.js';
import type { CellTransaction } from '../cell-database.js';

const DECIDED = 'credit_rollout.decided(null, null, ?::credit_rollout.org_id[], null) d';
const RAISED = `d.reason is null and d.movement = 'raise'`;

/** Those of these orgs that have an allotment which the rule now raises. */
export async function listRaises(tx: CellTransaction, orgIds: readonly string[]): Promise<readonly string[]> {
  if (orgIds.length === 0) return [];
  const { rows } = await tx.raw(`select d.org_id::text as id from ${DECIDED} where ${RAISED}`, [[...orgIds]]);
  return rows.map(({ id }: { id: string }) => id);
}

export interface Raise {
  readonly orgId: string;
  readonly stored: ComparedInputs;
  readonly found: ComparedInputs;
}

const inputs = (row: string): string =>
  `${row}.org_id::text as id, ${row}.edition, ${row}.paid, ${row}.agents, ${row}.light_agents, ${row}.additional_credits,
   ${row}.negotiated_limit, ${row}.floor`;

interface InputsRow {
  readonly id: string;
  readonly edition: string;
  readonly paid: boolean;
  readonly agents: string;
  readonly light_agents: string;
  readonly additional_credits: string;
  readonly negotiated_limit: string | null;
  readonly floor: string | null;
}

/** The raises of locked allotments, with what is stored and what was found: what their causes are named from. */
export async function readRaises(tx: CellTransaction, orgIds: readonly string[]): Promise<readonly Raise[]> {
  const found: readonly InputsRow[] = (
    await tx.raw(`select ${inputs('d')} from ${DECIDED} where ${RAISED}`, [[...orgIds]])
  ).rows;
  const stored: readonly InputsRow[] = (
    await tx.raw(
      `select ${inputs('a')} from credit_rollout.allotments a where a.org_id = any (?::credit_rollout.org_id[])`,
      [[...orgIds]],
    )
  ).rows;
  const storedById = new Map(stored.map((row) => [row.id, toInputs(row)]));
  return found.flatMap((row) => {
    const before = storedById.get(row.id);
    return before === undefined ? [] : [{ orgId: row.id, stored: before, found: toInputs(row) }];
  });
}

const toInputs = (row: InputsRow): ComparedInputs => ({
  edition: row.edition,
  paid: row.paid,
  agents: BigInt(row.agents),
  lightAgents: BigInt(row.light_agents),
  additionalCredits: BigInt(row.additional_credits),
  negotiatedLimit: toBigint(row.negotiated_limit),
  floor: toBigint(row.floor),
});

/** Writes the raises of these orgs under one cause and no run; returns how many. The allotments must be locked. */
export async function writeRaises(tx: CellTransaction, cause: string, orgIds: readonly string[]): Promise<number> {
  await tx.raw(`select set_config('credit_rollout.cause', ?, true), set_config('credit_rollout.run_id', '', true)`, [
    cause,
  ]);
  const { rowCount } = await tx.raw(
    `insert into credit_rollout.allotments as a (${CREDIT_TERMS}, origin, run_id)
     select ${creditTermsOf('d')}, 'migrated', null from ${DECIDED} where ${RAISED} order by d.org_id
     ${UPDATE_UNLESS_FALLING}`,
    [[...orgIds]],
  );
  return rowCount ?? 0;
}
