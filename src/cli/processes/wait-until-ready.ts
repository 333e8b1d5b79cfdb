// Processes start in any order: what is not available yet is reported once, with its code, and retried.
import { explainFailure } from '../../engine/database-errors.js';
import { systemClock } from '../../kernel/clock.js';
import { isRolloutError, type RolloutError } from '../../kernel/rollout-error.js';
import type { CliSession } from '../terminal/session.js';

const RETRY_INTERVAL_MS = 2_000;

/**
 * Retries until `attempt` succeeds or `signal` aborts; returns whether it succeeded. Reports each new cause; throws a
 * bug.
 */
export async function waitUntilReady(
  session: CliSession,
  what: string,
  attempt: () => Promise<unknown>,
  signal: AbortSignal,
): Promise<boolean> {
  let reported: string | undefined;
  while (!signal.aborted) {
    try {
      await attempt();
      if (reported !== undefined) session.print(`✔ ${what}: ready`);
      return true;
    } catch (thrown) {
      // the process ends: what it closes is no failure of its own
      if (signal.aborted) return false;
      const error = explainFailure(thrown);
      if (!isRolloutError(error)) throw error;
      if (error.code !== reported) showRetry(session, error);
      reported = error.code;
    }
    await systemClock.sleep(RETRY_INTERVAL_MS, signal);
  }
  return false;
}

function showRetry(session: CliSession, error: RolloutError): void {
  session.warn(`[${error.code}] ${error.message}`);
  session.printError(`  next: ${session.commands.showAdvice(error.advice)}\n  retrying until it works …`);
}
