// Finds drift, range by range: which orgs' inputs are no longer those stored, and what the rule gives for just these. The
// full comparison touches every row, so it compares columns and computes nothing. Reads only; org ids stay in the cell.
import type { ComparedOrg } from '../../domain/drift/decide-drift.js';
import type { Found, Stored } from '../../domain/drift/name-cause.js';
import type { Movement } from '../../domain/org/decide-movement.js';
import type { CellTransaction } from './cell-database.js';
import { type KeyRange, withinRange, withinStored } from './key-range.js';
import { toBigint } from './stored-allotment.js';

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

export interface ComparedRange {
  readonly orgs: number;
  readonly allotments: number;
  /** Ids in the order of the cell; org data. */
  readonly candidates: readonly string[];
}

/** The orgs of a range that may have drifted. `except`: ids whose columns cannot be read. */
export async function compareRange(
  tx: CellTransaction,
  range: KeyRange,
  comparison: Comparison,
  except: readonly string[] = [],
): Promise<ComparedRange> {
  return comparison.kind === 'all' ? compareAll(tx, range, comparison, except) : compareMissing(tx, range, except);
}

const LEFT_OUT = (column: string): string => `${column} <> all (?::credit_rollout.org_id[])`;

/** Columns in pairs, as a full join by range gives them: `a` stored, `s` of the source. */
export const comparedColumns = ({ lightAgentsCount }: Pick<Comparison, 'lightAgentsCount'>): string =>
  `(a.agents, a.edition, a.paid, a.light_agents, a.additional_credits, a.negotiated_limit) is distinct from
   (s.agents, s.edition, s.paid, ${lightAgentsCount === 'counted' ? 's.light_agents' : 'coalesce(s.light_agents, 0)'},
    s.additional_credits, s.negotiated_limit)`;

async function compareAll(
  tx: CellTransaction,
  range: KeyRange,
  comparison: Comparison,
  except: readonly string[],
): Promise<ComparedRange> {
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
async function compareMissing(tx: CellTransaction, range: KeyRange, except: readonly string[]): Promise<ComparedRange> {
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

const ORG = (row: string): string =>
  `jsonb_build_object('edition', ${row}.edition, 'paid', ${row}.paid, 'agents', ${row}.agents::text, 'lightAgents', ${row}.light_agents::text,
   'additionalCredits', ${row}.additional_credits::text, 'negotiatedLimit', ${row}.negotiated_limit::text, 'floor', ${row}.floor::text,
   'total', ${row}.total_credits::text, 'legacyLimit', ${row}.legacy_limit::text)`;

/** Since the last insert of the row. */
const CHANGES_OF_ROW = `(select count(*) from credit_rollout.allotment_changes n where n.org_id = a.org_id and n.operation = 'update'
  and n.change_id > coalesce((select max(x.change_id) from credit_rollout.allotment_changes x
    where x.org_id = a.org_id and x.operation = 'delete'), 0))`;

/** The floor before the first of the edits that nobody of ours has written over. */
const FLOOR_BEFORE_EDITS = `(select (e.before ->> 'floor')::bigint from credit_rollout.allotment_changes e
  where e.org_id = a.org_id and e.cause = 'manual edit' and e.operation = 'update' and e.change_id > coalesce((
    select max(x.change_id) from credit_rollout.allotment_changes x where x.org_id = a.org_id and x.cause <> 'manual edit'), 0)
  order by e.change_id limit 1)`;

const COMPARED = `
select i.id::text as id, d.org_id is not null as present, d.reason, d.movement, d.proposed_floor::text as proposed_floor,
  case when d.org_id is not null and d.reason is null then ${ORG('d')} end as found,
  case when a.org_id is not null then ${ORG('a')} end as stored,
  a.org_id is not null and coalesce(a.unpaid_since < ?::date, false) as lapsed,
  a.rate_card is not distinct from d.rate_card as same_card,
  case when a.version <> 1 + ${CHANGES_OF_ROW} then 'restored' when l.cause = 'manual edit' then 'edited' else 'none' end as mark,
  case when l.cause = 'manual edit' and a.org_id is not null then ${FLOOR_BEFORE_EDITS}::text end as edited_from,
  case
    when a.org_id is not null or l.cause = 'undo' then 'never'
    when l.operation = 'update' then 'lost'
    when l.cause = 'manual edit' then 'deleted'
    when l.cause is not null then 'retired'
    when r.older_timeline and s.created_at < r.began then 'lost'
    else 'never' end as earlier,
  exists (select from credit_rollout.quarantine q where q.org_id = i.id) as quarantined,
  case
    when u.model is not null then u.model
    when s.created_at >= g.effective_at then 'after_cutover'
    when s.created_at >= r.began then 'before_cutover'
    else 'before_rollout' end as signed_up
from unnest(?::credit_rollout.org_id[]) i (id)
left join (select distinct on (x.org_id) x.* from credit_rollout.decided(null, null, ?::credit_rollout.org_id[], null) x order by x.org_id) d
  on d.org_id = i.id
left join (select distinct on (o.org_id) o.org_id, o.created_at from credit_rollout.source_orgs o
  where o.org_id = any (?::credit_rollout.org_id[]) order by o.org_id) s on s.org_id = i.id
left join credit_rollout.allotments a on a.org_id = i.id
left join credit_rollout.sign_ups u on u.org_id = i.id
left join lateral (select c.operation, c.cause from credit_rollout.allotment_changes c where c.org_id = i.id
  order by c.change_id desc limit 1) l on true
cross join credit_rollout.gate g
cross join (select (select min(opened_at) from credit_rollout.runs where kind = 'migrate') as began,
  coalesce((select b.timeline from credit_rollout.batches b where b.state = 'done' order by b.done_at desc limit 1)
    <> left(pg_walfile_name(pg_current_wal_insert_lsn()), 8), false) as older_timeline) r`;

interface OrgJson {
  readonly edition: string;
  readonly paid: boolean;
  readonly agents: string;
  readonly lightAgents: string;
  readonly additionalCredits: string;
  readonly negotiatedLimit: string | null;
  readonly floor: string | null;
  readonly total: string;
  readonly legacyLimit: string;
}

interface ComparedRow {
  readonly id: string;
  readonly present: boolean;
  readonly reason: string | null;
  readonly movement: Movement | null;
  readonly proposed_floor: string | null;
  readonly found: OrgJson | null;
  readonly stored: OrgJson | null;
  readonly lapsed: boolean;
  readonly same_card: boolean;
  readonly mark: 'none' | 'edited' | 'restored';
  readonly edited_from: string | null;
  readonly earlier: Extract<Stored, { kind: 'none' }>['earlier'];
  readonly quarantined: boolean;
  readonly signed_up: Extract<Found, { kind: 'org' }>['signedUp'];
}

/** An org beside what is stored for it. `undecidable`: it keeps what it has. */
export interface Candidate {
  readonly orgId: string;
  readonly org: ComparedOrg | 'undecidable';
  readonly beforeFloor: bigint | null;
  readonly afterFloor: bigint | null;
}

/** What is stored for these orgs and what the rule gives under the active card, one of each id. */
export async function readCandidates(
  tx: CellTransaction,
  ids: readonly string[],
  { lapsedBefore, window }: Comparison,
): Promise<readonly Candidate[]> {
  if (ids.length === 0) return [];
  const { rows } = await tx.raw(COMPARED, [lapsedBefore, [...ids], [...ids], [...ids]]);
  return rows.flatMap((row: ComparedRow) => toCandidate(row, window) ?? []);
}

/** Undefined: it came and went between two statements. */
function toCandidate(row: ComparedRow, window: Comparison['window']): Candidate | undefined {
  const floors = { beforeFloor: toBigint(row.stored?.floor ?? null), afterFloor: toBigint(row.found?.floor ?? null) };
  if (row.present && row.found === null) return { orgId: row.id, org: 'undecidable', ...floors };
  if (row.found === null && row.stored === null) return undefined;
  const org: ComparedOrg = {
    stored: toStored(row),
    found: row.found === null ? { kind: 'gone' } : { kind: 'org', ...toInputs(row.found), signedUp: row.signed_up },
    movement: row.movement,
    beforeTotal: toBigint(row.stored?.total ?? null),
    afterTotal: toBigint(row.found?.total ?? null),
    proposedFloor: toBigint(row.proposed_floor),
    flooredByHand: findFlooredByHand(row, window),
    card: row.same_card ? 'same' : 'another',
  };
  return { orgId: row.id, org, ...floors };
}

function toStored(row: ComparedRow): Stored {
  if (row.stored === null) return { kind: 'none', earlier: row.earlier, quarantined: row.quarantined };
  return { kind: 'allotment', ...toInputs(row.stored), lapsed: row.lapsed, mark: row.mark };
}

const toInputs = ({ edition, paid, ...row }: OrgJson) => ({
  edition,
  paid,
  agents: BigInt(row.agents),
  lightAgents: BigInt(row.lightAgents),
  additionalCredits: BigInt(row.additionalCredits),
  negotiatedLimit: toBigint(row.negotiatedLimit),
  floor: toBigint(row.floor),
});

/**
 * The rule keeps any floor that is there. One that SQL raised above what the rule may set is therefore asked about; it is
 * proposed to be what it was, 0 where none was.
 */
function findFlooredByHand(
  { stored, found, mark, edited_from }: ComparedRow,
  window: Comparison['window'],
): bigint | null {
  if (stored === null || found === null || mark !== 'edited') return null;
  const [now, before] = [toBigint(stored.floor) ?? 0n, toBigint(edited_from) ?? 0n];
  const allowed = window === 'open' ? BigInt(found.legacyLimit) : 0n;
  return now > before && now > allowed && toBigint(found.floor) === now ? before : null;
}
