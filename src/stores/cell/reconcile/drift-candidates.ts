// What is stored for single orgs beside what the rule gives for them, and what was recorded about them: the facts from which
// the domain names a cause. Reads only; org ids stay in the cell.

import type { Movement } from '../../../domain/org/decide-movement.js';
import type { ComparedOrg } from '../../../domain/reconcile/decide-drift.js';
import type { Found, Stored } from '../../../domain/reconcile/name-cause.js';
import { toBigint } from '../allotment-row.js';
import type { CellTransaction } from '../cell-database.js';
import type { Comparison } from './drift.js';

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

/** It signed up while a line held that was taken back since: the rule has it on credits. */
const UNDER_EARLIER_LINE = `exists (select from credit_rollout.reversals v
      where s.created_at >= v.effective_at and s.created_at < v.reversed_at)`;

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
    when s.created_at >= g.effective_at or ${UNDER_EARLIER_LINE} then 'after_cutover'
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
