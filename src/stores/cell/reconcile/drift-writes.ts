// Stores what a detection found and how far it has come, and makes batches of what is to be healed. Writes no
// allotment.
import type { Caps, FallCounts } from '../../../domain/reconcile/decide-caps.js';
import type { DecidedDrift } from '../../../domain/reconcile/decide-drift.js';
import type { DriftCount } from '../../../domain/reconcile/drift-counts.js';
import { execute, findRow, selectRow, selectRows } from '../../query.js';
import type { Seal } from '../../seal.js';
import { toBigint } from '../allotment-row.js';
import { quarantinedInputs } from '../batch/credit-terms.js';
import type { CellTransaction } from '../cell-database.js';

/** How far a detection has come. `nextId`: where its next range begins; null: at the lowest id. */
export interface Detection {
  readonly runId: bigint;
  readonly pass: number;
  readonly nextId: string | null;
  readonly state: 'searching' | 'ended';
}

/** Locks the detection of a run's present pass for this transaction; undefined: another worker has it. */
export async function lockDetection(tx: CellTransaction, runId: bigint): Promise<Detection | undefined> {
  const begun = await findDetection(tx, runId);
  if (begun !== undefined) return begun;
  await execute(
    tx,
    `insert into credit_rollout.detections (run_id, pass)
     select run_id, pass from credit_rollout.runs where run_id = :run_id::bigint
     on conflict do nothing`,
    { run_id: runId },
  );
  return findDetection(tx, runId);
}

async function findDetection(tx: CellTransaction, runId: bigint): Promise<Detection | undefined> {
  const row = await findRow<Pick<Detection, 'pass' | 'nextId'> & { readonly ended: boolean }>(
    tx,
    `select t.pass, t.next_id::text, t.ended_at is not null as ended from credit_rollout.detections t
     join credit_rollout.runs r using (run_id, pass) where t.run_id = :run_id::bigint for update of t skip locked`,
    { run_id: runId },
  );
  return row && { runId, pass: row.pass, nextId: row.nextId, state: row.ended ? 'ended' : 'searching' };
}

/** Records that the range before `nextId` was searched; null: all of the cell was. */
export async function advanceDetection(
  tx: CellTransaction,
  { runId, pass }: Pick<Detection, 'runId' | 'pass'>,
  searched: { readonly nextId: string | null; readonly orgs: number; readonly allotments: number },
): Promise<void> {
  await execute(
    tx,
    `update credit_rollout.detections set next_id = :next_id::credit_rollout.org_id, orgs = orgs + :orgs,
       allotments = allotments + :allotments, ended_at = case when :ended then clock_timestamp() end
     where run_id = :run_id::bigint and pass = :pass`,
    {
      next_id: searched.nextId,
      orgs: searched.orgs,
      allotments: searched.allotments,
      ended: searched.nextId === null,
      run_id: runId,
      pass,
    },
  );
}

export interface FoundDrift extends DecidedDrift {
  readonly orgId: string;
  readonly beforeTotal: bigint | null;
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

/** What of a finding is stored, with the types by which `toJson` is read. */
const COLUMNS = [
  ['org_id', 'credit_rollout.org_id'],
  ['cause', 'text'],
  ['movement', 'text'],
  ['before_total', 'bigint'],
  ['after_total', 'bigint'],
  ['before_floor', 'bigint'],
  ['after_floor', 'bigint'],
  ['proposed_floor', 'bigint'],
  ['outcome', 'text'],
  ['capped', 'boolean'],
] as const;
const NAMES = COLUMNS.map(([name]) => name);

const INSERT = `
insert into credit_rollout.drift (run_id, ${NAMES.join(', ')})
select :run_id::bigint, f.*
from jsonb_to_recordset(:found::jsonb) as f (${COLUMNS.map(([name, type]) => `${name} ${type}`).join(', ')})
on conflict (run_id, org_id) do update
  set ${NAMES.slice(1)
    .map((name) => `${name} = excluded.${name}`)
    .join(', ')}, batch_no = null, found_at = clock_timestamp()`;

/** What the limits decide about waits as a proposal. An org that a sweep finds again is healed again. */
export async function insertDrift(tx: CellTransaction, runId: bigint, drifts: readonly FoundDrift[]): Promise<void> {
  if (drifts.length === 0) return;
  await execute(tx, INSERT, { run_id: runId, found: JSON.stringify(drifts.map(toJson)) });
}

/** Quarantines undecidable orgs for this run; an allotment that one has stays. */
export async function quarantineListed(tx: CellTransaction, runId: bigint, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await execute(
    tx,
    `insert into credit_rollout.quarantine (run_id, org_id, reason, inputs)
     select distinct on (d.org_id) :run_id::bigint, d.org_id, d.reason, ${quarantinedInputs('d')}
     from credit_rollout.decided(null, null, :ids::credit_rollout.org_id[], null) d
     where d.reason is not null order by d.org_id
     on conflict (run_id, org_id) do nothing`,
    { run_id: runId, ids },
  );
}

interface FallsRow extends FallCounts, Pick<Caps, 'maxChanged' | 'maxLapsed'> {
  readonly accepted: boolean;
}

const FALLS = `
select r.max_changed, r.max_lapsed, r.allow_falls as accepted, t.allotments::float8 as allotments,
  d.raises, d.falls, d.lapses, d.gone
from credit_rollout.runs r join credit_rollout.detections t using (run_id, pass)
cross join lateral (
  select count(*) filter (where x.movement = 'raise')::int as raises,
    count(*) filter (where x.capped and x.movement = 'fall' and x.cause not in ('lapse', 'rate card'))::int as falls,
    count(*) filter (where x.capped and x.movement = 'fall' and x.cause = 'lapse')::int as lapses,
    count(*) filter (where x.capped and x.movement = 'gone')::int as gone
  from credit_rollout.drift x where x.run_id = r.run_id) d
where r.run_id = :run_id::bigint`;

/** What is compared with the limits, and the limits of the run. */
export async function readFalls(
  tx: CellTransaction,
  runId: bigint,
): Promise<{ readonly counts: FallCounts; readonly caps: Caps }> {
  const { maxChanged, maxLapsed, accepted, ...counts } = await selectRow<FallsRow>(tx, FALLS, { run_id: runId });
  return { counts, caps: { maxChanged, maxLapsed, falls: accepted ? 'accepted' : 'within_limits' } };
}

const CAPPED = {
  falls: `d.movement = 'fall' and d.cause not in ('lapse', 'rate card')`,
  lapses: `d.movement = 'fall' and d.cause = 'lapse'`,
  gone: `d.movement = 'gone'`,
  card: `d.movement = 'fall' and d.cause = 'rate card'`,
} as const;

/** Marks at most `limit` orgs of a kind that the limits let pass as to be healed; returns how many. */
export async function healCapped(
  tx: CellTransaction,
  runId: bigint,
  kind: keyof typeof CAPPED,
  limit: number,
): Promise<number> {
  return execute(
    tx,
    `update credit_rollout.drift set outcome = 'to_heal' where run_id = :run_id::bigint and org_id in (
       select d.org_id from credit_rollout.drift d
       where d.run_id = :run_id::bigint and d.capped and d.outcome = 'proposed' and ${CAPPED[kind]} limit :limit)`,
    { run_id: runId, limit },
  );
}

/** Makes at most `limit` batches of what is to be healed; 0: all are made, and the detection is over. */
export async function addRepairs(tx: CellTransaction, runId: bigint, limit: number): Promise<number> {
  const { made } = await selectRow<{ readonly made: number }>(
    tx,
    'select credit_rollout.add_repairs(:run_id::bigint, :limit::int) as made',
    { run_id: runId, limit },
  );
  return made;
}

/** Counts only; the fencer may read it. */
export async function readDriftCounts(tx: CellTransaction, runId: bigint): Promise<readonly DriftCount[]> {
  return selectRows<DriftCount>(
    tx,
    `select cause, movement, outcome, count(*)::int as orgs, (count(*) filter (where proposes))::int as proposals
     from credit_rollout.drift where run_id = :run_id::bigint group by 1, 2, 3 order by 1, 2, 3`,
    { run_id: runId },
  );
}

/**
 * Deletes at most `limit` findings that the policy keeps no longer, never one that is still proposed; returns how
 * many. A function of the owner does it: none of our roles may delete a finding otherwise.
 */
export async function purgeOldDrift(
  tx: CellTransaction,
  { retention, limit }: { readonly retention: Seal; readonly limit: number },
): Promise<number> {
  const { purged } = await selectRow<{ readonly purged: number }>(
    tx,
    'select credit_rollout.forget_drift(:retention::jsonb, :limit::int) as purged',
    { retention, limit },
  );
  return purged;
}

/** A floor that a nightly run proposed and nobody has decided yet. Org data: for the screen of the person who asks. */
export interface WaitingFloor {
  readonly orgId: string;
  readonly cause: string;
  readonly floor: bigint | null;
  readonly proposedFloor: bigint;
  readonly since: Date;
}

type WaitingRow = Omit<WaitingFloor, 'floor' | 'proposedFloor'> & {
  readonly floor: string | null;
  readonly proposedFloor: string;
};

/** At most `limit`, by org. */
export async function listWaitingFloors(tx: CellTransaction, limit: number): Promise<readonly WaitingFloor[]> {
  const rows = await selectRows<WaitingRow>(
    tx,
    `select w.org_id::text, w.cause, w.floor::text, w.proposed_floor::text, w.found_at as since
     from credit_rollout.waiting_floors w order by w.org_id limit :limit`,
    { limit },
  );
  return rows.map((row) => ({ ...row, floor: toBigint(row.floor), proposedFloor: BigInt(row.proposedFloor) }));
}
