// Processes start in any order: what is not there yet is said once, with its code, and tried again.
import { explainFailure } from '../../engine/database-errors.js';
import { systemClock } from '../../kernel/clock.js';
import { isRolloutError, type RolloutError } from '../../kernel/rollout-error.js';
import type { CliSession } from '../terminal/session.js';

const AGAIN_MS = 2_000;

/** Tries until `attempt` succeeds or `signal` aborts. A new cause is said again; a bug is thrown. Returns whether it succeeded. */
export async function waitUntilReady(
  session: CliSession,
  what: string,
  attempt: () => Promise<unknown>,
  signal: AbortSignal,
): Promise<boolean> {
  let said: string | undefined;
  while (!signal.aborted) {
    try {
      await attempt();
      if (said !== undefined) session.say(`✔ ${what}: ready`);
      return true;
    } catch (thrown) {
      const error = explainFailure(thrown);
      if (!isRolloutError(error)) throw error;
      if (error.code !== said) sayFailure(session, error);
      said = error.code;
    }
    await systemClock.sleep(AGAIN_MS, signal);
  }
  return false;
}

function sayFailure(session: CliSession, error: RolloutError): void {
  session.warn(`[${error.code}] ${error.message}`);
  session.io.err(`  next: ${session.commands.rewrite(error.next)}\n  trying again until it works …\n`);
}
