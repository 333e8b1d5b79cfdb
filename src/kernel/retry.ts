// Waiting with a limit, and trying again: the one place for time-outs and for pauses between attempts. Never leaves a
// timer behind, and never decides what is worth another attempt.
import type { Clock } from './clock.js';

/**
 * The result of `work`, or undefined when it takes longer than `ms`. Rejects as `work` does; work that is late goes on
 * unseen.
 */
export async function withTimeout<T>(clock: Clock, ms: number, work: Promise<T>): Promise<T | undefined> {
  const settled = new AbortController();
  try {
    return await Promise.race([work, clock.sleep(ms, settled.signal).then(() => undefined)]);
  } finally {
    settled.abort();
  }
}

export interface RetryOptions<T> {
  readonly clock: Clock;
  /** Attempts in all; Infinity for as long as `signal` allows. */
  readonly attempts: number;
  /** The pause after attempt number `attempt`, from 1 on, in ms. `error` is undefined where a result was not final. */
  readonly pauseMs: (attempt: number, error: unknown) => number;
  /** Which errors another attempt may cure; left out: all. */
  readonly retriesError?: (error: unknown) => boolean;
  /** Which results are not final; left out: none. */
  readonly retriesResult?: (result: T) => boolean;
  /** Called before each pause. */
  readonly onRetry?: (attempt: number, error: unknown) => void;
  /** Ends the pause and the attempts; never the attempt that runs. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Attempts until the result is final. After the last attempt, or once `signal` aborts, the last result is returned as
 * it is, and the last error thrown.
 */
export async function retryWithBackoff<T>(attempt: () => Promise<T>, options: RetryOptions<T>): Promise<T> {
  const { clock, attempts, pauseMs, retriesError = () => true, retriesResult = () => false, onRetry, signal } = options;
  for (let made = 1; ; made += 1) {
    const outcome = await settle(attempt);
    const again = outcome.kind === 'failed' ? retriesError(outcome.error) : retriesResult(outcome.result);
    const error = outcome.kind === 'failed' ? outcome.error : undefined;
    if (again && made < attempts && !signal?.aborted) {
      onRetry?.(made, error);
      const ms = pauseMs(made, error);
      if (ms > 0) await clock.sleep(ms, signal);
      if (!signal?.aborted) continue;
    }
    if (outcome.kind === 'failed') throw outcome.error;
    return outcome.result;
  }
}

type Settled<T> = { readonly kind: 'done'; readonly result: T } | { readonly kind: 'failed'; readonly error: unknown };

async function settle<T>(attempt: () => Promise<T>): Promise<Settled<T>> {
  try {
    return { kind: 'done', result: await attempt() };
  } catch (error) {
    return { kind: 'failed', error };
  }
}
