// One change of a cell's sign-up gate: under its exclusive lock, given up after 200 ms so that no sign-up stalls behind it.
import type { Clock } from '../../kernel/clock.js';
import { retryWithBackoff } from '../../kernel/retry.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import {
  type ConfiguredCutover,
  type Gate,
  listGateHolders,
  readGate,
  saveGateArmed,
  saveGateDisarmed,
  saveGateLatched,
} from '../../stores/cell/cutover/gate.js';
import type { LockHolder } from '../../stores/cell/lock-holders.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import type { EngineContext } from '../context.js';

/** Sign-ups that asked have not ended; empty when they ended meanwhile. */
export interface GateBusy {
  readonly kind: 'busy';
  readonly holders: readonly LockHolder[];
}

const LOCK_NOT_AVAILABLE = '55P03';

/** The outcome with the gate as it is then. */
export async function withGateLock<K extends string>(
  context: Pick<EngineContext, 'cells'>,
  dataCenter: string,
  change: (tx: CellTransaction) => Promise<{ readonly kind: K }>,
): Promise<{ readonly kind: K; readonly gate: Gate } | GateBusy> {
  const cell = context.cells.get(dataCenter);
  try {
    return await cell.inTransaction('fencer', async (tx) => ({ ...(await change(tx)), gate: await readGate(tx) }));
  } catch (error) {
    if (classifyFailure(error).sqlstate !== LOCK_NOT_AVAILABLE) throw error;
    return { kind: 'busy', holders: await cell.inTransaction('fencer', listGateHolders) };
  }
}

// Arms and disarms the sign-up gate of one cell. Decides nothing: the cell's clock and row say whether it is too late.

export type ArmOutcome = { readonly kind: 'armed' | 'too_late'; readonly gate: Gate } | GateBusy;
export type DisarmOutcome = { readonly kind: 'disarmed' | 'too_late'; readonly gate: Gate } | GateBusy;

/** For the later of the configured instant and now. `too_late`: it was armed, and its instant is over. */
export function armGate(
  context: Pick<EngineContext, 'cells'>,
  { dataCenter, ...cutover }: ConfiguredCutover & { readonly dataCenter: string },
): Promise<ArmOutcome> {
  return withGateLock(context, dataCenter, (tx) => saveGateArmed(tx, cutover));
}

/** `too_late`: its instant is over, and sign-ups start on credits. */
export function disarmGate(context: Pick<EngineContext, 'cells'>, dataCenter: string): Promise<DisarmOutcome> {
  return withGateLock(context, dataCenter, saveGateDisarmed);
}

// Latches the sign-up gate of one cell, for good, at or after its instant. Late is harmless: sign-ups have started on
// credits by the cell's clock alone.

export type LatchOutcome = { readonly kind: 'latched' | 'not_due'; readonly gate: Gate } | GateBusy;

/** `busy`: a sign-up that asked has not ended; try again in a second. */
export function latchGate(context: Pick<EngineContext, 'cells'>, dataCenter: string): Promise<LatchOutcome> {
  return withGateLock(context, dataCenter, saveGateLatched);
}

// How long a person's command waits for a sign-up gate that sign-ups hold. They do so for moments; the pauses are there so
// that new ones do not stall behind one that stays open.

const ATTEMPTS = 4;

/** Tries four times; the last outcome, which may be `busy` still. */
export function retryWhileBusy<O extends { readonly kind: string }>(
  clock: Clock,
  pauseMs: number,
  attempt: () => Promise<O>,
): Promise<O> {
  return retryWithBackoff(attempt, {
    clock,
    attempts: ATTEMPTS,
    pauseMs: () => pauseMs,
    retriesError: () => false,
    retriesResult: ({ kind }) => kind === 'busy',
  });
}

/** Short: control's row of the data center is locked meanwhile. */
const PAUSE_MS = 200;

/** For an approval. Throws cell_busy with those who hold the gate. */
export async function withGateLockRetrying<K extends string>(
  clock: Clock,
  dataCenter: string,
  attempt: () => Promise<{ readonly kind: K; readonly gate: Gate } | GateBusy>,
): Promise<{ readonly kind: K; readonly gate: Gate }> {
  const outcome = await retryWhileBusy(clock, PAUSE_MS, attempt);
  if ('holders' in outcome) throw gateBusy(dataCenter, outcome.holders);
  return outcome;
}

function gateBusy(dataCenter: string, holders: readonly LockHolder[]): RolloutError {
  const named = holders.map(
    ({ pid, application }) => `${pid ?? 'a prepared transaction'}${application === '' ? '' : ` (${application})`}`,
  );
  return new RolloutError('cell_busy', {
    message: `The gate of data center "${dataCenter}" is held by sign-ups that have not ended: ${named.join(', ') || 'they ended meanwhile'}; nothing was changed.`,
  });
}
