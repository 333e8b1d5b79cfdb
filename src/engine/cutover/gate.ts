// Changes the sign-up gate of one cell: arms, disarms and latches it under its exclusive lock. The cell's clock decides
// whether it is too late or too early. Each attempt waits for the lock only for a moment, so that no sign-up stalls
// behind it.
import type { Clock } from '../../kernel/clock.js';
import { retryWithBackoff } from '../../kernel/retry.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import {
  type Gate,
  listGateHolders,
  readGate,
  saveGateArmed,
  saveGateDisarmed,
  saveGateLatched,
} from '../../stores/cell/cutover/gate.js';
import type { LockHolder } from '../../stores/cell/lock-holders.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import type { Seal } from '../../stores/seal.js';
import type { EngineContext } from '../context.js';

/** Sign-ups that asked the gate have not ended: `holders`, empty when they ended meanwhile. Nothing was changed. */
export interface GateBusy {
  readonly kind: 'busy';
  readonly holders: readonly LockHolder[];
}

type GateOutcome<K extends string> = { readonly kind: K; readonly gate: Gate } | GateBusy;

export type ArmOutcome = GateOutcome<'armed' | 'too_late'>;
export type DisarmOutcome = GateOutcome<'disarmed' | 'too_late'>;
export type LatchOutcome = GateOutcome<'latched' | 'not_due'>;

/** For the later of the instant that control sealed and now. `too_late`: it was armed, and its instant has passed. */
export function armGate(context: Pick<EngineContext, 'cells'>, dataCenter: string, seal: Seal): Promise<ArmOutcome> {
  return withGateLock(context, dataCenter, (tx) => saveGateArmed(tx, seal));
}

/** `too_late`: its instant has passed, and sign-ups start on credits. */
export function disarmGate(context: Pick<EngineContext, 'cells'>, dataCenter: string): Promise<DisarmOutcome> {
  return withGateLock(context, dataCenter, saveGateDisarmed);
}

/** At or after its instant. A late latch is harmless: sign-ups have started on credits by the cell's clock alone. */
export function latchGate(context: Pick<EngineContext, 'cells'>, dataCenter: string): Promise<LatchOutcome> {
  return withGateLock(context, dataCenter, saveGateLatched);
}

const LOCK_NOT_AVAILABLE = '55P03';

/** One attempt to change the gate; the outcome has the gate as it is afterwards. */
export async function withGateLock<K extends string>(
  context: Pick<EngineContext, 'cells'>,
  dataCenter: string,
  change: (tx: CellTransaction) => Promise<{ readonly kind: K }>,
): Promise<GateOutcome<K>> {
  const cell = context.cells.get(dataCenter);
  try {
    return await cell.inTransaction('state', async (tx) => ({ ...(await change(tx)), gate: await readGate(tx) }));
  } catch (error) {
    if (classifyFailure(error).sqlstate !== LOCK_NOT_AVAILABLE) throw error;
    return { kind: 'busy', holders: await cell.inTransaction('state', listGateHolders) };
  }
}

const ATTEMPTS = 4;

/**
 * For a person's command: four attempts, with pauses in which new sign-ups pass. The last outcome may still be `busy`.
 */
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
const APPROVAL_PAUSE_MS = 200;

/** For an approval: the same, but throws cell_busy with the sessions that hold the gate. */
export async function retryForApproval<K extends string>(
  clock: Clock,
  dataCenter: string,
  attempt: () => Promise<GateOutcome<K>>,
): Promise<{ readonly kind: K; readonly gate: Gate }> {
  const outcome = await retryWhileBusy(clock, APPROVAL_PAUSE_MS, attempt);
  if ('holders' in outcome) throw gateBusy(dataCenter, outcome.holders);
  return outcome;
}

function gateBusy(dataCenter: string, holders: readonly LockHolder[]): RolloutError {
  const named = holders.map(
    ({ pid, application }) => `${pid ?? 'a prepared transaction'}${application === '' ? '' : ` (${application})`}`,
  );
  return new RolloutError('cell_busy', {
    message:
      `The switch to credits (the gate) of data center "${dataCenter}" is held by sign-ups that have not ended: ` +
      `${named.join(', ') || 'they ended meanwhile'}; nothing was changed.`,
    next:
      named.length === 0
        ? 'Run the command again.'
        : 'Run the command again; where they stay, end the sessions with the process ids that are named.',
  });
}
