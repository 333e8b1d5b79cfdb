// The sign-up gate of a cell: the row and the advisory lock that say from which instant sign-ups start on credits.
// Order matters: lock in one statement, read in the next.
import type { GateReading } from '../../../domain/rollout/snapshot.js';
import { execute, selectRow } from '../../query.js';
import type { Seal } from '../../seal.js';
import { type CellTransaction, GATE_LOCK, LOCK_CLASS } from '../cell-database.js';
import { type LockHolder, listLockHolders } from '../lock-holders.js';

export interface Gate extends GateReading {
  /** The configured instant as a clock of the zone shows it, with the zone. */
  readonly configuredLocal: string | null;
}

export function readGate(tx: CellTransaction): Promise<Gate> {
  return selectRow<Gate>(
    tx,
    `select configured_at, configured_local, effective_at, latched_at, swept_at from credit_rollout.gate`,
  );
}

/** Tries without waiting in line: nobody who asks the gate meanwhile waits behind us. */
const TRIES = 10;
const TRY_EVERY_S = 0.01;
/**
 * How long we then wait in line for sign-ups that have asked the gate and not ended, in ms. Those that ask meanwhile
 * wait behind us, and then all continue at once. A sign-up that is not held open ends within a few ms.
 */
const GATE_LOCK_MS = 100;

/**
 * Blocks every sign-up that asks, until this transaction ends. Throws 55P03 while one that has asked has not ended:
 * then try again in a second. `polls`: only tries, which is enough where new answers hold nothing.
 */
export async function lockGate(tx: CellTransaction, how: 'polls' | 'queues'): Promise<void> {
  const keys = { lock_class: LOCK_CLASS, lock: GATE_LOCK };
  for (let left = TRIES; left > 0; left -= 1) {
    const { locked } = await selectRow<{ readonly locked: boolean }>(
      tx,
      'select pg_try_advisory_xact_lock(:lock_class, :lock) as locked',
      keys,
    );
    if (locked) return;
    await execute(tx, 'select pg_sleep(:seconds::float8)', { seconds: TRY_EVERY_S });
  }
  await execute(tx, `set local lock_timeout = ${how === 'queues' ? GATE_LOCK_MS : 1}`);
  await execute(tx, 'select pg_advisory_xact_lock(:lock_class, :lock)', keys);
}

/**
 * Arms the gate for the later of the instant that control sealed and now, by the cell's clock; arms it anew for another
 * instant. `too_late`: it was armed and its instant is over. Throws 55P03 like `lockGate`, and what `readSealFailure`
 * reads: also where the cell has an instant that control set later.
 */
export async function saveGateArmed(tx: CellTransaction, seal: Seal): Promise<{ kind: 'armed' | 'too_late' }> {
  await lockGate(tx, 'queues');
  const { armed } = await selectRow<{ readonly armed: boolean }>(
    tx,
    'select credit_rollout.arm_gate(:seal::jsonb) as armed',
    { seal },
  );
  return { kind: armed ? 'armed' : 'too_late' };
}

/**
 * Takes the arming back. `too_late`: its instant is over, and sign-ups start on credits. Throws 55P03 like `lockGate`.
 */
export async function saveGateDisarmed(tx: CellTransaction): Promise<{ kind: 'disarmed' | 'too_late' }> {
  await lockGate(tx, 'queues');
  await execute(
    tx,
    `update credit_rollout.gate set armed_at = null, effective_at = null
     where latched_at is null and effective_at > clock_timestamp()`,
  );
  const { disarmed } = await selectRow<{ disarmed: boolean }>(
    tx,
    'select effective_at is null as disarmed from credit_rollout.gate',
  );
  return { kind: disarmed ? 'disarmed' : 'too_late' };
}

/**
 * Records that the cut-over has happened: at or after the effective instant, once. When the lock is granted, every
 * sign-up that was decided as `legacy` has ended, so that a sweep finds it. Throws 55P03 while one has not:
 * `listGateHolders` names it.
 */
export async function saveGateLatched(tx: CellTransaction): Promise<{ kind: 'latched' | 'not_due' }> {
  await lockGate(tx, 'polls');
  await execute(
    tx,
    `update credit_rollout.gate set latched_at = c.now
     from (select clock_timestamp() as now offset 0) c
     where latched_at is null and effective_at <= c.now`,
  );
  const { latched } = await selectRow<{ latched: boolean }>(
    tx,
    'select latched_at is not null as latched from credit_rollout.gate',
  );
  return { kind: latched ? 'latched' : 'not_due' };
}

/** A sweep found nothing more: the open window ends. False when it had ended before, or nothing is latched. */
export async function markSwept(tx: CellTransaction): Promise<boolean> {
  // the clock may have been set back since the latch
  const marked = await execute(
    tx,
    `update credit_rollout.gate set swept_at = greatest(clock_timestamp(), latched_at)
     where latched_at is not null and swept_at is null`,
  );
  return marked === 1;
}

/** Sessions of the product that have asked the gate in a transaction that has not ended, the oldest first. */
export function listGateHolders(tx: CellTransaction): Promise<readonly LockHolder[]> {
  return listLockHolders(tx, GATE_LOCK);
}
