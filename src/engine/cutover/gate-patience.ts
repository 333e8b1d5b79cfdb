// How long a person's command waits for a sign-up gate that sign-ups hold. They do so for moments; the pauses are there so
// that new ones do not stall behind one that stays open.
import type { Clock } from '../../kernel/clock.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import type { Gate, GateHolder } from '../../stores/cell/cutover/gate.js';
import type { GateBusy } from './gate.js';

const ATTEMPTS = 4;

/** Tries four times; the last outcome, which may be `busy` still. */
export async function tryPatiently<O extends { readonly kind: string }>(
  clock: Clock,
  pauseMs: number,
  attempt: () => Promise<O>,
): Promise<O> {
  for (let tried = 1; ; tried += 1) {
    const outcome = await attempt();
    if (outcome.kind !== 'busy' || tried === ATTEMPTS) return outcome;
    await clock.sleep(pauseMs);
  }
}

/** Short: control's row of the data center is locked meanwhile. */
const PAUSE_MS = 200;

/** For an approval. Throws cell_busy with those who hold the gate. */
export async function changeGatePatiently<K extends string>(
  clock: Clock,
  dataCenter: string,
  attempt: () => Promise<{ readonly kind: K; readonly gate: Gate } | GateBusy>,
): Promise<{ readonly kind: K; readonly gate: Gate }> {
  const outcome = await tryPatiently(clock, PAUSE_MS, attempt);
  if ('holders' in outcome) throw gateBusy(dataCenter, outcome.holders);
  return outcome;
}

function gateBusy(dataCenter: string, holders: readonly GateHolder[]): RolloutError {
  const named = holders.map(
    ({ pid, application }) => `${pid ?? 'a prepared transaction'}${application === '' ? '' : ` (${application})`}`,
  );
  return new RolloutError('cell_busy', {
    message: `The gate of data center "${dataCenter}" is held by sign-ups that have not ended: ${named.join(', ') || 'they ended meanwhile'}; nothing was changed.`,
  });
}
