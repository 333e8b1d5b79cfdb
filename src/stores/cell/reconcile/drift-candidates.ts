// What is stored for single orgs beside what the rule gives for them, and what was recorded about them: the facts from
// which the domain derives a cause. Reads only; org ids stay in the cell.
import type { Movement } from '../../../domain/org/decide-movement.js';
import type { Cause } from '../../../domain/reconcile/cause.js';
import type { ComparedOrg, OwnCard } from '../../../domain/reconcile/decide-drift.js';
import type { Found, Stored } from '../../../domain/reconcile/name-cause.js';
import { selectRows } from '../../query.js';
import { toBigint } from '../allotment-row.js';
import type { CellTransaction } from '../cell-database.js';
import type { Comparison } from './drift.js';

const ORG = (row: string): string =>
  `jsonb_build_object('edition', ${row}.edition, 'paid', ${row}.paid, 'agents', ${row}.agents::text,
    'lightAgents', ${row}.light_agents::text, 'additionalCredits', ${row}.additional_credits::text,
    'negotiatedLimit', ${row}.negotiated_limit::text, 'floor', ${row}.floor::text,
    'total', ${row}.total_credits::text, 'legacyLimit', ${row}.legacy_limit::text)`;

/** Updates since the row was last inserted. */
const CHANGES_OF_ROW = `(select count(*) from credit_rollout.allotment_changes n
  where n.org_id = a.org_id and n.operation = 'update'
    and n.change_id > coalesce((select max(x.change_id) from credit_rollout.org_changes x
      where x.org_id = a.org_id and x.operation = 'delete'), 0))`;

/** The floor before the first manual edit since our last own write. */
const FLOOR_BEFORE_EDITS = `(select (e.before ->> 'floor')::bigint from credit_rollout.allotment_changes e
  where e.org_id = a.org_id and e.cause = 'manual edit' and e.operation = 'update'
    and e.change_id > coalesce((select max(x.change_id) from credit_rollout.org_changes x
      where x.org_id = a.org_id and x.cause <> 'manual edit'), 0)
  order by e.change_id limit 1)`;

/** It signed up after a cut-over that was reversed later: the rule has it on credits. */
const AFTER_REVERSED_CUTOVER = `exists (select from credit_rollout.reversals v
      where s.created_at >= v.effective_at and s.created_at < v.reversed_at)`;

const COMPARED = `
select i.id::text as id, d.org_id is not null as present, d.reason, d.movement, d.proposed_floor::text,
  case when d.org_id is not null and d.reason is null then ${ORG('d')} end as found,
  case when a.org_id is not null then ${ORG('a')} end as stored,
  a.org_id is not null and coalesce(a.unpaid_since < :lapsed_before::date, false) as lapsed,
  a.rate_card as stored_card, d.rate_card as found_card,
  (select n.cause from credit_rollout.drift n where n.org_id = i.id and n.proposes
    order by n.run_id desc limit 1) as proposed_for,
  a.org_id is not null and not credit_rollout.is_intact(a) as foreign,
  o.total_credits::text as recorded_total, o.floor::text as recorded_floor,
  case
    when a.version <> 1 + ${CHANGES_OF_ROW} then 'restored'
    when l.cause = 'manual edit' then 'edited'
    else 'none' end as mark,
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
    when s.created_at >= g.effective_at or ${AFTER_REVERSED_CUTOVER} then 'after_cutover'
    when s.created_at >= r.began then 'before_cutover'
    else 'before_rollout' end as signed_up
from unnest(:ids::credit_rollout.org_id[]) i (id)
left join (
  select distinct on (x.org_id) x.*
  from credit_rollout.decided(null, null, :ids::credit_rollout.org_id[], null) x order by x.org_id) d on d.org_id = i.id
left join (
  select distinct on (o.org_id) o.org_id, o.created_at from credit_rollout.source_orgs o
  where o.org_id = any (:ids::credit_rollout.org_id[]) order by o.org_id) s on s.org_id = i.id
left join credit_rollout.allotments a on a.org_id = i.id
left join credit_rollout.sign_ups u on u.org_id = i.id
left join lateral (
  select c.operation, c.cause from credit_rollout.org_changes c where c.org_id = i.id
  order by c.change_id desc limit 1) l on true
left join lateral (
  select b.total_credits, b.floor from credit_rollout.org_changes c
  cross join lateral jsonb_populate_record(null::credit_rollout.allotments, c.before) b
  where c.org_id = i.id and a.org_id is not null and not credit_rollout.is_intact(a) and credit_rollout.is_intact(b)
  order by c.change_id desc limit 1) o on true
cross join credit_rollout.gate g
cross join (select
  (select min(opened_at) from credit_rollout.runs where kind = 'migrate') as began,
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
  readonly proposedFloor: string | null;
  readonly found: OrgJson | null;
  readonly stored: OrgJson | null;
  readonly lapsed: boolean;
  readonly storedCard: string | null;
  readonly foundCard: string | null;
  readonly proposedFor: Cause | null;
  /** Its checksum is not that of a row that we wrote. */
  readonly foreign: boolean;
  /** Of the newest row that was ours; null: none is recorded. */
  readonly recordedTotal: string | null;
  readonly recordedFloor: string | null;
  readonly mark: 'none' | 'edited' | 'restored';
  readonly editedFrom: string | null;
  readonly earlier: Extract<Stored, { kind: 'none' }>['earlier'];
  readonly quarantined: boolean;
  readonly signedUp: Extract<Found, { kind: 'org' }>['signedUp'];
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
  const rows = await selectRows<ComparedRow>(tx, COMPARED, { lapsed_before: lapsedBefore, ids });
  const own = await readUnderOwnCards(tx, rows);
  return rows.flatMap((row) => toCandidate(row, window, own.get(row.id) ?? null) ?? []);
}

/** What falls under the cell's card, under the card of its allotment; without orgs that this one cannot decide. */
async function readUnderOwnCards(
  tx: CellTransaction,
  rows: readonly ComparedRow[],
): Promise<ReadonlyMap<string, OwnCard>> {
  const idsByCard = new Map<string, string[]>();
  for (const { id, movement, storedCard, foundCard } of rows)
    if (movement === 'fall' && storedCard !== null && storedCard !== foundCard)
      idsByCard.set(storedCard, [...(idsByCard.get(storedCard) ?? []), id]);
  const own = new Map<string, OwnCard>();
  for (const [cardHash, ids] of idsByCard) {
    const decided = await selectRows<{ id: string; movement: Movement; total: string }>(
      tx,
      `select d.org_id::text as id, d.movement, d.total_credits::text as total
       from credit_rollout.decided(null, null, :ids::credit_rollout.org_id[], :card_hash) d where d.reason is null`,
      { ids, card_hash: cardHash },
    );
    for (const { id, movement, total } of decided) own.set(id, { movement, total: BigInt(total) });
  }
  return own;
}

/** Undefined: the org appeared and vanished again between two statements. */
function toCandidate(row: ComparedRow, window: Comparison['window'], ownCard: OwnCard | null): Candidate | undefined {
  const floors = { beforeFloor: toBigint(row.stored?.floor ?? null), afterFloor: toBigint(row.found?.floor ?? null) };
  if (row.present && row.found === null) return { orgId: row.id, org: 'undecidable', ...floors };
  if (row.found === null && row.stored === null) return undefined;
  const org: ComparedOrg = {
    stored: toStored(row),
    found: row.found === null ? { kind: 'gone' } : { kind: 'org', ...toInputs(row.found), signedUp: row.signedUp },
    movement: row.movement,
    beforeTotal: toBigint(row.stored?.total ?? null),
    afterTotal: toBigint(row.found?.total ?? null),
    proposedFloor: toBigint(row.proposedFloor),
    flooredByHand: findFlooredByHand(row, window),
    ownCard,
    record: findRecord(row),
  };
  return { orgId: row.id, org, ...floors };
}

function findRecord({ foreign, recordedTotal, recordedFloor }: ComparedRow): ComparedOrg['record'] {
  if (!foreign) return null;
  return recordedTotal === null ? 'unknown' : { total: BigInt(recordedTotal), floor: toBigint(recordedFloor) };
}

function toStored(row: ComparedRow): Stored {
  if (row.stored === null) return { kind: 'none', earlier: row.earlier, quarantined: row.quarantined };
  return {
    kind: 'allotment',
    ...toInputs(row.stored),
    lapsed: row.lapsed,
    mark: row.mark,
    card: row.storedCard === row.foundCard ? 'same' : 'another',
    proposedFor: row.proposedFor,
  };
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
 * The rule never lowers a floor that is there. Where somebody raised it by SQL above what the rule may set, the floor
 * from before the edit is proposed, 0 where there was none; null otherwise.
 */
function findFlooredByHand(
  { stored, found, mark, editedFrom }: ComparedRow,
  window: Comparison['window'],
): bigint | null {
  if (stored === null || found === null || mark !== 'edited') return null;
  const [now, before] = [toBigint(stored.floor) ?? 0n, toBigint(editedFrom) ?? 0n];
  const allowed = window === 'open' ? BigInt(found.legacyLimit) : 0n;
  return now > before && now > allowed && toBigint(found.floor) === now ? before : null;
}
