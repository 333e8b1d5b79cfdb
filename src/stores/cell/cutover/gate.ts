// The sign-up gate of a cell: the row and the advisory lock that say from which instant sign-ups start on credits.
// Order matters: lock in one statement, read in the next.
import type { GateReading } from '../../../domain/rollout/snapshot.js';
import { type CellTransaction, GATE_LOCK, LOCK_CLASS } from '../cell-database.js';

export interface Gate extends GateReading {
  /** The configured instant as a clock of the zone shows it, with the zone. */
  readonly configuredLocal: string | null;
}

export async function readGate(tx: CellTransaction): Promise<Gate> {
  const { rows } = await tx.raw(
    `select configured_at as "configuredAt", configured_local as "configuredLocal", effective_at as "effectiveAt",
       latched_at as "latchedAt", swept_at as "sweptAt" from credit_rollout.gate`,
  );
  return rows[0];
}

/**
 * Longest wait for sign-ups that have asked and not ended, in ms: those that ask meanwhile wait behind it, and then all go on
 * at once. A sign-up that is not held open ends within a few ms.
 */
const GATE_LOCK_MS = 100;

/** Shuts out every sign-up that asks. Throws 55P03 while one that has asked has not ended: then try again in a second. */
export async function lockGate(tx: CellTransaction): Promise<void> {
  await tx.raw(`set local lock_timeout = ${GATE_LOCK_MS}`);
  await tx.raw('select pg_advisory_xact_lock(?, ?)', [LOCK_CLASS, GATE_LOCK]);
}

export interface ConfiguredCutover {
  readonly configuredAt: Date;
  readonly configuredLocal: string;
}

/**
 * Arms the gate for the later of the configured instant and now, by the cell's clock; again for another configured
 * instant. `too_late`: it was armed and its instant is over. Throws 55P03 like `saveGateLatched`.
 */
export async function saveGateArmed(
  tx: CellTransaction,
  cutover: ConfiguredCutover,
): Promise<{ kind: 'armed' | 'too_late' }> {
  await lockGate(tx);
  const at = cutover.configuredAt.toISOString();
  await tx.raw(
    `update credit_rollout.gate set configured_at = ?::timestamptz, configured_local = ?, armed_at = c.now,
       effective_at = greatest(?::timestamptz, c.now)
     from (select clock_timestamp() as now offset 0) c
     where latched_at is null and (effective_at is null or effective_at > c.now)
       and (effective_at is null or configured_at is distinct from ?::timestamptz)`,
    [at, cutover.configuredLocal, at, at],
  );
  const { rows } = await tx.raw(
    'select configured_at = ?::timestamptz and effective_at is not null as armed from credit_rollout.gate',
    [at],
  );
  return { kind: rows[0].armed === true ? 'armed' : 'too_late' };
}

/** Takes the arming back. `too_late`: its instant is over, and sign-ups have started on credits. Throws 55P03 like `saveGateLatched`. */
export async function saveGateDisarmed(tx: CellTransaction): Promise<{ kind: 'disarmed' | 'too_late' }> {
  await lockGate(tx);
  await tx.raw(
    `update credit_rollout.gate set armed_at = null, effective_at = null where latched_at is null and effective_at > clock_timestamp()`,
  );
  const { rows } = await tx.raw('select effective_at is null as disarmed from credit_rollout.gate');
  return { kind: rows[0].disarmed ? 'disarmed' : 'too_late' };
}

/**
 * The cut-over has happened: at or after the effective instant, once. When it is granted, every sign-up that was told
 * `legacy` has ended, so that a sweep finds it. Throws 55P03 while one has not: `listGateHolders` names it.
 */
export async function saveGateLatched(tx: CellTransaction): Promise<{ kind: 'latched' | 'not_due' }> {
  await lockGate(tx);
  await tx.raw(
    `update credit_rollout.gate set latched_at = c.now from (select clock_timestamp() as now offset 0) c
     where latched_at is null and effective_at <= c.now`,
  );
  const { rows } = await tx.raw('select latched_at is not null as latched from credit_rollout.gate');
  return { kind: rows[0].latched ? 'latched' : 'not_due' };
}

/** A sweep found nothing more: the open window ends. False when it had ended, or nothing is latched. */
export async function markSwept(tx: CellTransaction): Promise<boolean> {
  // the clock may have been set back since the latch
  const { rowCount } = await tx.raw(
    `update credit_rollout.gate set swept_at = greatest(clock_timestamp(), latched_at)
     where latched_at is not null and swept_at is null`,
  );
  return (rowCount ?? 0) === 1;
}

export interface GateHolder {
  /** Null: a prepared transaction. */
  readonly pid: number | null;
  /** Start of its transaction; null where this login may not see it. */
  readonly since: Date | null;
  readonly application: string;
}

/** Sessions of the product that have asked the gate in a transaction that has not ended, the oldest first. */
export async function listGateHolders(tx: CellTransaction): Promise<readonly GateHolder[]> {
  const { rows } = await tx.raw(
    `select l.pid, a.xact_start as since, coalesce(a.application_name, '') as application
     from pg_locks l left join pg_stat_activity a on a.pid = l.pid
     where l.locktype = 'advisory' and l.classid = ?::oid and l.objid = ?::oid and l.granted and l.database = (
       select oid from pg_database where datname = current_database())
     order by a.xact_start nulls last, l.pid`,
    [LOCK_CLASS, GATE_LOCK],
  );
  return rows;
}
