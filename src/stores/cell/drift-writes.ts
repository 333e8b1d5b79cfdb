// Keeps what was found, makes batches of it, and heals them. Who is healed was decided before; what is written is decided
// by the rule in the cell, under the locks of the rows. Never writes a fall that was not found as one.
import type { Caps, FallCounts } from '../../domain/drift/decide-caps.js';
import type { DecidedDrift } from '../../domain/drift/decide-drift.js';
import type { DriftCount } from '../../domain/drift/drift-counts.js';
import { CREDIT_TERMS, setCause } from './allotments.js';
import type { CellTransaction } from './cell-database.js';

/** How far a detection has come. `nextId`: where its next range begins; null: at the bottom. */
export interface Detection {
  readonly runId: bigint;
  readonly pass: number;
  readonly nextId: string | null;
  readonly state: 'searching' | 'ended';
}

/** Takes the detection of a run's present pass for this transaction; undefined: another worker is at it. */
export async function lockDetection(tx: CellTransaction, runId: bigint): Promise<Detection | undefined> {
  const id = String(runId);
  await tx.raw(
    `insert into credit_rollout.detections (run_id, pass) select run_id, pass from credit_rollout.runs where run_id = ?::bigint
     on conflict do nothing`,
    [id],
  );
  const { rows } = await tx.raw(
    `select t.pass, t.next_id::text as "nextId", t.ended_at is not null as ended from credit_rollout.detections t
     join credit_rollout.runs r using (run_id, pass) where t.run_id = ?::bigint for update of t skip locked`,
    [id],
  );
  const row = rows[0];
  return row && { runId, pass: row.pass, nextId: row.nextId, state: row.ended ? 'ended' : 'searching' };
}

/** The range before `nextId` is searched; null: all of it is. */
export async function advanceDetection(
  tx: CellTransaction,
  { runId, pass }: Pick<Detection, 'runId' | 'pass'>,
  searched: { readonly nextId: string | null; readonly orgs: number; readonly allotments: number },
): Promise<void> {
  await tx.raw(
    `update credit_rollout.detections set next_id = ?::credit_rollout.org_id, orgs = orgs + ?, allotments = allotments + ?,
       ended_at = case when ? then clock_timestamp() end where run_id = ?::bigint and pass = ?`,
    [searched.nextId, searched.orgs, searched.allotments, searched.nextId === null, String(runId), pass],
  );
}

export interface FoundDrift extends DecidedDrift {
  readonly orgId: string;
  readonly beforeTotal: bigint | null;
  readonly afterTotal: bigint | null;
  readonly beforeFloor: bigint | null;
  readonly afterFloor: bigint | null;
}

const text = (value: bigint | null): string | null => (value === null ? null : String(value));

const toJson = (drift: FoundDrift): Readonly<Record<string, string | boolean | null>> => ({
  org_id: drift.orgId,
  cause: drift.cause,
  movement: drift.movement,
  before_total: text(drift.beforeTotal),
  after_total: text(drift.afterTotal),
  before_floor: text(drift.beforeFloor),
  after_floor: text(drift.afterFloor),
  proposed_floor: text(drift.proposedFloor),
  outcome: drift.treatment === 'heal' ? 'to_heal' : 'proposed',
  capped: drift.treatment !== 'heal' && drift.treatment !== 'propose',
});

const COLUMNS = `org_id, cause, movement, before_total, after_total, before_floor, after_floor, proposed_floor, outcome, capped`;

/** What the limits decide about waits as a proposal. An org that a sweep finds again is healed again. */
export async function insertDrift(tx: CellTransaction, runId: bigint, drifts: readonly FoundDrift[]): Promise<void> {
  if (drifts.length === 0) return;
  await tx.raw(
    `insert into credit_rollout.drift (run_id, ${COLUMNS})
     select ?::bigint, f.* from jsonb_to_recordset(?::jsonb) as f (org_id credit_rollout.org_id, cause text, movement text,
       before_total bigint, after_total bigint, before_floor bigint, after_floor bigint, proposed_floor bigint, outcome text, capped boolean)
     on conflict (run_id, org_id) do update set ${COLUMNS.replace('org_id, ', '').replace(/(\w+)/gu, '$1 = excluded.$1')},
       batch_no = null, found_at = clock_timestamp()`,
    [String(runId), JSON.stringify(drifts.map(toJson))],
  );
}

/** Sets undecidable orgs aside for this run; an allotment that one has stays. */
export async function quarantineListed(tx: CellTransaction, runId: bigint, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await tx.raw(
    `insert into credit_rollout.quarantine (run_id, org_id, reason, inputs)
     select distinct on (d.org_id) ?::bigint, d.org_id, d.reason, jsonb_build_object('edition', d.edition, 'paid', d.paid, 'agents', d.agents,
       'light_agents', d.light_agents, 'additional_credits', d.additional_credits, 'legacy_limit', d.negotiated_limit)
     from credit_rollout.decided(null, null, ?::credit_rollout.org_id[], null) d where d.reason is not null order by d.org_id
     on conflict (run_id, org_id) do nothing`,
    [String(runId), [...ids]],
  );
}

/** What the limits are held against, and the limits of the run. */
export async function readFalls(
  tx: CellTransaction,
  runId: bigint,
): Promise<{ readonly counts: FallCounts; readonly caps: Caps }> {
  const { rows } = await tx.raw(
    `select r.max_changed as "maxChanged", r.max_lapsed as "maxLapsed", r.allow_falls as accepted, t.allotments::float8 as allotments,
       d.raises, d.falls, d.lapses, d.gone
     from credit_rollout.runs r join credit_rollout.detections t using (run_id, pass) cross join lateral (
       select count(*) filter (where x.movement = 'raise')::int as raises,
         count(*) filter (where x.capped and x.movement = 'fall' and x.cause <> 'lapse')::int as falls,
         count(*) filter (where x.capped and x.movement = 'fall' and x.cause = 'lapse')::int as lapses,
         count(*) filter (where x.capped and x.movement = 'gone')::int as gone
       from credit_rollout.drift x where x.run_id = r.run_id) d
     where r.run_id = ?::bigint`,
    [String(runId)],
  );
  const { maxChanged, maxLapsed, accepted, ...counts } = rows[0];
  return { counts, caps: { maxChanged, maxLapsed, falls: accepted ? 'accepted' : 'within_limits' } };
}

const CAPPED = {
  falls: `movement = 'fall' and cause <> 'lapse'`,
  lapses: `movement = 'fall' and cause = 'lapse'`,
  gone: `movement = 'gone'`,
} as const;

/** Lets at most `most` orgs of a kind that the limits let through be healed; returns how many it were. */
export async function healCapped(
  tx: CellTransaction,
  runId: bigint,
  kind: keyof typeof CAPPED,
  most: number,
): Promise<number> {
  const { rowCount } = await tx.raw(
    `update credit_rollout.drift set outcome = 'to_heal' where run_id = ?::bigint and org_id in (
       select d.org_id from credit_rollout.drift d where d.run_id = ?::bigint and d.capped and d.outcome = 'proposed'
         and d.${CAPPED[kind].replace(' and ', ' and d.')} limit ?)`,
    [String(runId), String(runId), most],
  );
  return rowCount ?? 0;
}

/** Makes at most `most` batches of what is to be healed; 0: all are made, and the detection is over. */
export async function addRepairs(tx: CellTransaction, runId: bigint, most: number): Promise<number> {
  const { rows } = await tx.raw('select credit_rollout.add_repairs(?::bigint, ?::int) as made', [String(runId), most]);
  return rows[0].made;
}

/** Counts only; the fencer may read it. */
export async function readDriftCounts(tx: CellTransaction, runId: bigint): Promise<readonly DriftCount[]> {
  const { rows } = await tx.raw(
    `select cause, movement, outcome, count(*)::int as orgs, (count(*) filter (where proposes))::int as proposals
     from credit_rollout.drift where run_id = ?::bigint group by 1, 2, 3 order by 1, 2, 3`,
    [String(runId)],
  );
  return rows;
}

/** The rows that a repair may write, locked in order; what is read afterwards is what is written on. */
export async function lockAllotments(tx: CellTransaction, ids: readonly string[]): Promise<void> {
  await tx.raw(
    `select from credit_rollout.allotments where org_id = any (?::credit_rollout.org_id[]) order by org_id for update`,
    [[...ids]],
  );
}

/** Retires the allotments of those that are still gone; returns whose. */
export async function retireAllotments(
  tx: CellTransaction,
  runId: bigint,
  ids: readonly string[],
): Promise<readonly string[]> {
  const { rows } = await tx.raw(
    'select id::text as id from credit_rollout.retire_allotments(?::bigint, ?::credit_rollout.org_id[]) as id',
    [String(runId), [...ids]],
  );
  return rows.map((row: { readonly id: string }) => row.id);
}

/** Brings back what was retired, deleted or lost; returns whose. */
export async function restoreRetired(
  tx: CellTransaction,
  runId: bigint,
  ids: readonly string[],
): Promise<readonly string[]> {
  const { rows } = await tx.raw(
    'select id::text as id from credit_rollout.restore_retired(?::bigint, ?::credit_rollout.org_id[]) as id',
    [String(runId), [...ids]],
  );
  return rows.map((row: { readonly id: string }) => row.id);
}

export interface Repair {
  readonly runId: bigint;
  readonly cardHash: string;
  readonly kind: 'reconcile' | 'sweep';
  readonly cause: string;
  readonly ids: readonly string[];
}

export interface RepairedOrg {
  readonly orgId: string;
  /** Decimal text. */
  readonly totalCredits: string;
  readonly way: 'inserted' | 'updated';
  readonly movement: string;
}

const UPDATES = CREDIT_TERMS.replace('org_id, ', '').replace(/(\w+)/gu, '$1 = n.$1');
const FLOOR_FALLS = '(a.floor is not null and (n.floor is null or n.floor < a.floor))';
const LAPSED = `coalesce(a.unpaid_since < (select (now() at time zone zone)::date - lapse_grace_days from credit_rollout.cell), false)`;

// a fall is written in a night, where it was found as one; what was restored just now has no movement of its own
const MAY_FALL = `?::boolean and (q.movement = 'fall' and (n.paid or not a.paid or q.cause = 'lapse') or q.movement = 'first')`;

// the database lets a floor fall by two names only
const FLOOR_MAY_FALL = `case ?::text when 'edition' then not ${LAPSED} when 'lapse' then ${LAPSED} else false end`;

const REPAIR = `
with n as materialized (
  select distinct on (d.org_id) d.* from credit_rollout.decided(null, null, ?::credit_rollout.org_id[], ?) d order by d.org_id),
allowed as materialized (
  select n.*, q.cause from n join credit_rollout.drift q on q.run_id = ?::bigint and q.org_id = n.org_id and q.outcome = 'to_heal'
  left join credit_rollout.allotments a on a.org_id = n.org_id
  where n.reason is null and (n.movement in ('first', 'raise', 'inputs') or n.movement = 'fall' and ${MAY_FALL})
    and (not coalesce(${FLOOR_FALLS}, false) or ${FLOOR_MAY_FALL})),
inserted as (
  insert into credit_rollout.allotments (${CREDIT_TERMS}, origin, run_id)
  select ${CREDIT_TERMS.replace(/(\w+)/gu, 'n.$1')}, case n.cause when 'missed sign-up' then 'signup' else 'migrated' end, ?::bigint
  from allowed n where n.movement = 'first' order by n.org_id
  on conflict (org_id) do nothing returning org_id, total_credits),
updated as (
  update credit_rollout.allotments a set ${UPDATES}, run_id = ?::bigint, computed_at = clock_timestamp()
  from allowed n where n.org_id = a.org_id and n.movement <> 'first'
  returning a.org_id, a.total_credits, n.movement)
select org_id::text as "orgId", total_credits::text as "totalCredits", 'inserted' as way, 'first' as movement from inserted
union all select org_id::text, total_credits::text, 'updated', movement from updated`;

/** Writes what the rule gives for the orgs of a repair that are still to be healed, under one cause. Lock them before. */
export async function repairAllotments(tx: CellTransaction, repair: Repair): Promise<readonly RepairedOrg[]> {
  await setCause(tx, repair.cause, repair.runId);
  const id = String(repair.runId);
  const { rows } = await tx.raw(REPAIR, [
    [...repair.ids],
    repair.cardHash,
    id,
    repair.kind === 'reconcile',
    repair.cause,
    id,
    id,
  ]);
  return rows;
}

/** What became of the orgs of a repair: healed, or nothing was to be written any more. */
export async function settleDrift(
  tx: CellTransaction,
  runId: bigint,
  ids: readonly string[],
  healed: readonly string[],
): Promise<void> {
  await tx.raw(
    `update credit_rollout.drift set outcome = case
       when not (org_id = any (?::credit_rollout.org_id[])) then 'unchanged'
       -- its inputs are up to date now, and the floor is still to be decided by people
       when proposes and movement = 'inputs' then 'proposed' else 'healed' end
     where run_id = ?::bigint and org_id = any (?::credit_rollout.org_id[]) and outcome = 'to_heal'`,
    [[...healed], String(runId), [...ids]],
  );
}

/** How many of these orgs cannot be decided now; they keep what they have. */
export async function countUndecidable(tx: CellTransaction, ids: readonly string[], cardHash: string): Promise<number> {
  const { rows } = await tx.raw(
    `select count(distinct d.org_id)::int as orgs from credit_rollout.decided(null, null, ?::credit_rollout.org_id[], ?) d
     where d.reason is not null`,
    [[...ids], cardHash],
  );
  return rows[0].orgs;
}
