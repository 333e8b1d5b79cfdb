// Keeps what was found and how far the search has come, and makes batches of what is to be healed. Writes no allotment.
import type { Caps, FallCounts } from '../../../domain/reconcile/decide-caps.js';
import type { DecidedDrift } from '../../../domain/reconcile/decide-drift.js';
import type { DriftCount } from '../../../domain/reconcile/drift-counts.js';
import { toBigint } from '../allotment-row.js';
import type { CellTransaction } from '../cell-database.js';

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

// Forgets findings of nights that are over. An owner's function does it: nobody of ours may delete a finding otherwise.

/** Forgets at most `most` findings older than so many days, never one that is still proposed; returns how many. */
export async function purgeOldDrift(
  tx: CellTransaction,
  { retentionDays, most }: { readonly retentionDays: number; readonly most: number },
): Promise<number> {
  const { rows } = await tx.raw('select credit_rollout.forget_drift(?::int, ?::int) as forgotten', [
    retentionDays,
    most,
  ]);
  return rows[0].forgotten;
}

// Floors that nights proposed and nobody has decided yet. Org data: for the screen of who asks.

export interface WaitingFloor {
  readonly orgId: string;
  readonly cause: string;
  readonly floor: bigint | null;
  readonly proposedFloor: bigint;
  readonly since: Date;
}

const WAITING = `
select org_id::text as "orgId", cause, floor::text as floor, proposed_floor::text as "proposedFloor", found_at as since
from credit_rollout.waiting_floors order by waiting_floors.org_id limit ?`;

type Stored = Omit<WaitingFloor, 'floor' | 'proposedFloor'> & {
  readonly floor: string | null;
  readonly proposedFloor: string;
};

/** At most `most`, by org. */
export async function listWaitingFloors(tx: CellTransaction, most: number): Promise<readonly WaitingFloor[]> {
  const { rows } = await tx.raw(WAITING, [most]);
  return rows.map((row: Stored) => ({
    ...row,
    floor: toBigint(row.floor),
    proposedFloor: BigInt(row.proposedFloor),
  }));
}
