// What a process needs and cannot use at this moment, asked all at once.
import type { Clock } from '../kernel/clock.js';
import { withTimeout } from '../kernel/retry.js';
import { isRolloutError } from '../kernel/rollout-error.js';
import { explainFailure } from './database-errors.js';

/** `what`: `control`, `queue`, or a data center. */
export interface Need {
  readonly what: string;
  readonly ask: () => Promise<unknown>;
}

/** Answers within about `ms`: what does not answer by then is `database_unreachable`. */
export async function listNotReady(
  clock: Clock,
  ms: number,
  needs: readonly Need[],
): Promise<readonly { readonly what: string; readonly code: string }[]> {
  const asked = needs.map(async ({ what, ask }) => {
    const answer = ask().then(() => null, codeOf);
    const code = await withTimeout(clock, ms, answer);
    return code === null ? [] : [{ what, code: code ?? 'database_unreachable' }];
  });
  return (await Promise.all(asked)).flat();
}

function codeOf(thrown: unknown): string {
  const error = explainFailure(thrown);
  return isRolloutError(error) ? error.code : 'internal';
}
