// Finds which orgs may have drifted, range by range: those whose inputs are no longer the stored ones, and the few whose
// floor time or the open window may move. Every row is touched, so columns are compared and nothing is computed. Reads only.
import type { CellTransaction } from '../cell-database.js';
import { type KeyRange, withinRange, withinStored } from '../key-range.js';

/** What decides which orgs of a range are looked at; the same for a whole detection. */
export interface Comparison {
  /** `all`: everything; `missing`: only orgs without an allotment. */
  readonly kind: 'all' | 'missing';
  readonly lightAgentsCount: 'counted' | 'uncounted';
  readonly window: 'open' | 'swept';
  /** Floors of orgs unpaid since before this local date have ended, `YYYY-MM-DD`. */
  readonly lapsedBefore: string;
}

/** Reads what a comparison depends on. `active`: the card that the cell was last applied with. */
export async function readComparison(tx: CellTransaction, kind: Comparison['kind']): Promise<Comparison> {
  const { rows } = await tx.raw(
    `select c.light_agents_count_as_users as counted, g.swept_at is not null as swept,
       ((now() at time zone zone)::date - lapse_grace_days)::text as lapsed_before
     from credit_rollout.cell join credit_rollout.rate_cards c on c.card_hash = active_card cross join credit_rollout.gate g`,
  );
  const row = rows[0];
  return {
    kind,
    lightAgentsCount: row.counted ? 'counted' : 'uncounted',
    window: row.swept ? 'swept' : 'open',
    lapsedBefore: row.lapsed_before,
  };
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
  range: KeyRange,
  comparison: Comparison,
  except: readonly string[] = [],
): Promise<SourceRangeComparison> {
  return comparison.kind === 'all' ? compareAll(tx, range, comparison, except) : compareMissing(tx, range, except);
}

const LEFT_OUT = (column: string): string => `${column} <> all (?::credit_rollout.org_id[])`;

/** Columns in pairs, as a full join by range gives them: `a` stored, `s` of the source. */
const comparedColumns = ({ lightAgentsCount }: Pick<Comparison, 'lightAgentsCount'>): string =>
  `(a.agents, a.edition, a.paid, a.light_agents, a.additional_credits, a.negotiated_limit) is distinct from
   (s.agents, s.edition, s.paid, ${lightAgentsCount === 'counted' ? 's.light_agents' : 'coalesce(s.light_agents, 0)'},
    s.additional_credits, s.negotiated_limit)`;

async function compareAll(
  tx: CellTransaction,
  range: KeyRange,
  comparison: Comparison,
  except: readonly string[],
): Promise<SourceRangeComparison> {
  const stored = withinStored(range);
  const source = withinRange(range);
  const left =
    except.length === 0 ? { sql: '', bindings: [] } : { sql: `and ${LEFT_OUT('org_id')}`, bindings: [[...except]] };
  const owed = comparison.window === 'swept' ? '' : 'or a.paid and (a.floor is null or a.legacy_limit > a.floor)';
  const { rows } = await tx.raw(
    `select count(s.org_id)::int as orgs, count(a.org_id)::int as allotments,
       coalesce(array_agg(coalesce(s.org_id, a.org_id)::text) filter (where s.org_id is null or a.org_id is null
         or ${comparedColumns(comparison)} or s.duplicated or a.floor is not null and a.unpaid_since < ?::date ${owed}), '{}') as candidates
     from (select org_id, edition, paid, agents, light_agents, additional_credits, negotiated_limit, floor, unpaid_since, legacy_limit
       from credit_rollout.allotments where ${stored.sql} ${left.sql}) a
     full join (select org_id, edition, paid, agents, light_agents, additional_credits, negotiated_limit, duplicated
       from credit_rollout.source_orgs where ${source.sql} ${left.sql}) s on s.org_id = a.org_id`,
    [comparison.lapsedBefore, ...stored.bindings, ...left.bindings, ...source.bindings, ...left.bindings],
  );
  const edited = await listEdited(tx, range);
  return { ...rows[0], candidates: [...new Set([...rows[0].candidates, ...edited])] };
}

/** Allotments whose present form is somebody's SQL. */
async function listEdited(tx: CellTransaction, range: KeyRange): Promise<readonly string[]> {
  const within = withinRange(range, 'c.org_id');
  const { rows } = await tx.raw(
    `select c.org_id::text as id from credit_rollout.allotment_changes c
     join credit_rollout.allotments a on a.org_id = c.org_id and a.version = c.version + 1
     where c.cause = 'manual edit' and ${within.sql}`,
    within.bindings,
  );
  return rows.map((row: { readonly id: string }) => row.id);
}

/** Never a watermark: an id may be lower, and a sign-up older, than what was seen before. */
async function compareMissing(
  tx: CellTransaction,
  range: KeyRange,
  except: readonly string[],
): Promise<SourceRangeComparison> {
  const source = withinRange(range, 's.org_id');
  const left =
    except.length === 0 ? { sql: '', bindings: [] } : { sql: `and ${LEFT_OUT('s.org_id')}`, bindings: [[...except]] };
  const { rows } = await tx.raw(
    `select count(*)::int as orgs, count(a.org_id)::int as allotments,
       coalesce(array_agg(s.org_id::text) filter (where a.org_id is null), '{}') as candidates
     from credit_rollout.source_orgs s left join credit_rollout.allotments a on a.org_id = s.org_id
     where ${source.sql} ${left.sql}`,
    [...source.bindings, ...left.bindings],
  );
  return { ...rows[0], candidates: [...new Set<string>(rows[0].candidates)] };
}
