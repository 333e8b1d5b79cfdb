// Finds the orgs that may have drifted, range by range: those whose inputs differ from the stored ones, and the few
// whose floor may change by time or in the open window. It reads every row, so it compares columns and computes
// nothing. Reads only.
import { execute, selectRow, selectRows } from '../../query.js';
import type { CellTransaction } from '../cell-database.js';
import { type KeyRange, rangeCondition, storedRangeCondition } from '../key-range.js';

/** What decides which orgs of a range are candidates; the same for a whole detection. */
export interface Comparison {
  /** `all`: everything; `missing`: only orgs without an allotment. */
  readonly kind: 'all' | 'missing';
  readonly lightAgentsCount: 'counted' | 'uncounted';
  readonly window: 'open' | 'swept';
  /** Floors of orgs unpaid since before this local date have ended, `YYYY-MM-DD`. */
  readonly lapsedBefore: string;
  /** The card that the cell was last applied with. */
  readonly cardHash: string;
  /** An index of the source proves that an id occurs once, and gives its rows in their order. */
  readonly sourceUnique: boolean;
}

/** Reads what a comparison depends on. */
export async function readComparison(tx: CellTransaction, kind: Comparison['kind']): Promise<Comparison> {
  const { counted, swept, lapsedBefore, cardHash, sourceUnique } = await selectRow<{
    readonly counted: boolean;
    readonly swept: boolean;
    readonly lapsedBefore: string;
    readonly cardHash: string;
    readonly sourceUnique: boolean;
  }>(
    tx,
    `select c.light_agents_count_as_users as counted, g.swept_at is not null as swept,
       ((now() at time zone zone)::date - lapse_grace_days)::text as lapsed_before,
       active_card as card_hash, coalesce(source_unique, false) as source_unique
     from credit_rollout.cell
     join credit_rollout.rate_cards c on c.card_hash = active_card cross join credit_rollout.gate g`,
  );
  return {
    kind,
    lightAgentsCount: counted ? 'counted' : 'uncounted',
    window: swept ? 'swept' : 'open',
    lapsedBefore,
    cardHash,
    sourceUnique,
  };
}

/** A range that is compared; `orgs`: how many rows the source has in it, where that is known. */
export interface ComparedRange extends KeyRange {
  readonly orgs?: number;
}

export interface SourceRangeComparison {
  readonly orgs: number;
  readonly allotments: number;
  /** Ids in the order of the cell; org data. */
  readonly candidates: readonly string[];
}

/** The orgs of a range that may have drifted. `except`: ids whose columns cannot be read. */
export async function compareRangeWithSource(
  tx: CellTransaction,
  range: ComparedRange,
  comparison: Comparison,
  except: readonly string[] = [],
): Promise<SourceRangeComparison> {
  return comparison.kind === 'all' ? compareAll(tx, range, comparison, except) : compareMissing(tx, range, except);
}

const exceptCondition = (except: readonly string[], column: string) =>
  except.length === 0
    ? { sql: '', values: {} }
    : { sql: `and ${column} <> all (:except_ids::credit_rollout.org_id[])`, values: { except_ids: except } };

/** Columns in pairs, as a full join by range returns them: `a` stored, `s` of the source. */
const comparedColumns = ({ lightAgentsCount }: Pick<Comparison, 'lightAgentsCount'>): string => {
  const lightAgents = lightAgentsCount === 'counted' ? 's.light_agents' : 'coalesce(s.light_agents, 0)';
  return `(a.agents, a.edition, a.paid, a.light_agents, a.additional_credits, a.negotiated_limit) is distinct from
         (s.agents, s.edition, s.paid, ${lightAgents}, s.additional_credits, s.negotiated_limit)`;
};

async function compareAll(
  tx: CellTransaction,
  range: ComparedRange,
  comparison: Comparison,
  except: readonly string[],
): Promise<SourceRangeComparison> {
  const stored = storedRangeCondition(range);
  const source = rangeCondition(range);
  const others = exceptCondition(except, 'org_id');
  // in the open window a floor may still be set or raised
  const owed = comparison.window === 'swept' ? '' : 'or a.paid and (a.floor is null or a.legacy_limit > a.floor)';
  // both in the order of their keys: reading two indexes in step takes half of what a table of hashes does, which costs
  // the same by the server's estimate. Never for a view, whose own joins it would change.
  if (comparison.sourceUnique) await execute(tx, 'set local enable_hashjoin = off');
  // a condition of the join, and not of an aggregate: a row that has not drifted goes no further
  const found = await selectRow<{
    readonly candidates: readonly string[];
    readonly missing: number;
    readonly gone: number;
    readonly duplicated: boolean;
  }>(
    tx,
    `select coalesce(array_agg(coalesce(s.org_id, a.org_id)::text), '{}') as candidates,
       count(*) filter (where a.org_id is null)::int as missing,
       count(*) filter (where s.org_id is null)::int as gone, coalesce(bool_or(s.duplicated), false) as duplicated
     from (
       select org_id, edition, paid, agents, light_agents, additional_credits, negotiated_limit, floor, unpaid_since,
         legacy_limit, rate_card
       from credit_rollout.allotments where ${stored.sql} ${others.sql}) a
     full join (
       select org_id, edition, paid, agents, light_agents, additional_credits, negotiated_limit, created_at, duplicated
       from credit_rollout.source_orgs where ${source.sql} ${others.sql}) s on s.org_id = a.org_id
     where s.org_id is null or a.org_id is null or ${comparedColumns(comparison)}
       or a.rate_card <> :card_hash or s.created_at is null
       or s.duplicated or a.floor is not null and a.unpaid_since < :lapsed_before::date ${owed}`,
    {
      lapsed_before: comparison.lapsedBefore,
      card_hash: comparison.cardHash,
      ...stored.values,
      ...source.values,
      ...others.values,
    },
  );
  if (comparison.sourceUnique) await execute(tx, 'set local enable_hashjoin = default');
  const orgs = found.duplicated ? undefined : range.orgs;
  const counted = orgs ?? (await countOrgs(tx, range, except));
  const edited = await listEdited(tx, range);
  return {
    orgs: counted,
    allotments: counted - found.missing + found.gone,
    candidates: [...new Set([...found.candidates, ...edited])],
  };
}

async function countOrgs(tx: CellTransaction, range: KeyRange, except: readonly string[]): Promise<number> {
  const source = rangeCondition(range);
  const others = exceptCondition(except, 'org_id');
  const { orgs } = await selectRow<{ readonly orgs: number }>(
    tx,
    `select count(*)::int as orgs from credit_rollout.source_orgs where ${source.sql} ${others.sql}`,
    { ...source.values, ...others.values },
  );
  return orgs;
}

/** Allotments whose newest change was made by hand, in SQL. */
async function listEdited(tx: CellTransaction, range: KeyRange): Promise<readonly string[]> {
  const within = rangeCondition(range, 'c.org_id');
  const rows = await selectRows<{ readonly id: string }>(
    tx,
    `select c.org_id::text as id from credit_rollout.allotment_changes c
     join credit_rollout.allotments a on a.org_id = c.org_id and a.version = c.version + 1
     where c.cause = 'manual edit' and ${within.sql}`,
    within.values,
  );
  return rows.map(({ id }) => id);
}

/** Compares every id of the range: a new id may be lower, and a sign-up older, than those seen before. */
async function compareMissing(
  tx: CellTransaction,
  range: KeyRange,
  except: readonly string[],
): Promise<SourceRangeComparison> {
  const source = rangeCondition(range, 's.org_id');
  const others = exceptCondition(except, 's.org_id');
  const found = await selectRow<SourceRangeComparison>(
    tx,
    `select count(*)::int as orgs, count(a.org_id)::int as allotments,
       coalesce(array_agg(s.org_id::text) filter (where a.org_id is null), '{}') as candidates
     from credit_rollout.source_orgs s left join credit_rollout.allotments a on a.org_id = s.org_id
     where ${source.sql} ${others.sql}`,
    { ...source.values, ...others.values },
  );
  return { ...found, candidates: [...new Set(found.candidates)] };
}
