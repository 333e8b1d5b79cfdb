// Time-outs and retries on a clock that the test moves: what is waited for, when it ends, and that no timer is left
// behind.
import { describe, expect, test, vi } from 'vitest';
import { type Clock, systemClock } from '../../src/kernel/clock.js';
import { retryWithBackoff, withTimeout } from '../../src/kernel/retry.js';

/** Sleeps at once, and records for how long; `pending` counts the sleeps that nobody has ended. */
function createClock(sleeps: 'return' | 'last' = 'return') {
  const pauses: number[] = [];
  const state = { pending: 0 };
  const clock: Clock = {
    now: () => new Date(0),
    sleep: (ms, signal) => {
      pauses.push(ms);
      if (sleeps === 'return') return Promise.resolve();
      state.pending += 1;
      return new Promise((resolve) => {
        signal?.addEventListener('abort', () => {
          state.pending -= 1;
          resolve();
        });
      });
    },
  };
  return { clock, pauses, state };
}

/** Rejects with each error in turn, then resolves. */
function failing<T>(errors: readonly unknown[], result: T) {
  const left = [...errors];
  return vi.fn(() => (left.length > 0 ? Promise.reject(left.shift()) : Promise.resolve(result)));
}

describe('withTimeout', () => {
  test('gives the result of work that is in time, and leaves no timer behind', async () => {
    const { clock, pauses, state } = createClock('last');
    expect(await withTimeout(clock, 500, Promise.resolve('here'))).toBe('here');
    expect(pauses).toEqual([500]);
    expect(state.pending).toBe(0);
  });

  test('gives undefined for work that is late', async () => {
    const { clock } = createClock();
    expect(await withTimeout(clock, 500, new Promise(() => undefined))).toBeUndefined();
  });

  test('rejects as the work does, and leaves no timer behind', async () => {
    const { clock, state } = createClock('last');
    await expect(withTimeout(clock, 500, Promise.reject(new Error('down')))).rejects.toThrow('down');
    expect(state.pending).toBe(0);
  });

  test('ignores the failure of late work', async () => {
    let fail: (error: Error) => void = () => undefined;
    const work = new Promise((_, reject) => {
      fail = reject;
    });
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    expect(await withTimeout(createClock().clock, 1, work)).toBeUndefined();
    fail(new Error('too late'));
    await systemClock.sleep(1);
    process.off('unhandledRejection', unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });
});

describe('retryWithBackoff', () => {
  const doubling = (attempt: number): number => 25 * 2 ** (attempt - 1);

  test('attempts until one succeeds, with the pauses that are asked for', async () => {
    const { clock, pauses } = createClock();
    const attempt = failing(['a', 'b'], 'done');
    const onRetry = vi.fn();
    expect(await retryWithBackoff(attempt, { clock, attempts: 6, pauseMs: doubling, onRetry })).toBe('done');
    expect(pauses).toEqual([25, 50]);
    expect(onRetry.mock.calls).toEqual([
      [1, 'a'],
      [2, 'b'],
    ]);
  });

  test('throws the last error after the last attempt, without a pause behind it', async () => {
    const { clock, pauses } = createClock();
    const attempt = failing(['a', 'b', 'c', 'd'], 'done');
    await expect(retryWithBackoff(attempt, { clock, attempts: 3, pauseMs: doubling })).rejects.toBe('c');
    expect(attempt).toHaveBeenCalledTimes(3);
    expect(pauses).toEqual([25, 50]);
  });

  test('throws at once what another attempt cannot fix', async () => {
    const { clock, pauses } = createClock();
    const attempt = failing(['busy', 'broken'], 'done');
    const options = { clock, attempts: 9, pauseMs: doubling, retriesError: (error: unknown) => error === 'busy' };
    await expect(retryWithBackoff(attempt, options)).rejects.toBe('broken');
    expect(pauses).toEqual([25]);
  });

  test('retries a result that is not final, and returns the last one as it is', async () => {
    const { clock, pauses } = createClock();
    const attempt = vi.fn(async () => 'busy');
    const options = { clock, attempts: 4, pauseMs: () => 200, retriesResult: (result: string) => result === 'busy' };
    expect(await retryWithBackoff(attempt, options)).toBe('busy');
    expect(pauses).toEqual([200, 200, 200]);
  });

  test('does not sleep for a pause of nothing', async () => {
    const { clock, pauses } = createClock();
    expect(await retryWithBackoff(failing(['a'], 'done'), { clock, attempts: 2, pauseMs: () => 0 })).toBe('done');
    expect(pauses).toEqual([]);
  });

  test('stops in its pause when the signal aborts, and throws what it met last', async () => {
    const { clock, state } = createClock('last');
    const stopping = new AbortController();
    const attempt = failing(['a', 'b'], 'done');
    const { signal } = stopping;
    const running = retryWithBackoff(attempt, { clock, attempts: Number.POSITIVE_INFINITY, pauseMs: doubling, signal });
    await vi.waitFor(() => expect(state.pending).toBe(1));
    stopping.abort();
    await expect(running).rejects.toBe('a');
    expect(attempt).toHaveBeenCalledTimes(1);
    expect(state.pending).toBe(0);
  });

  test('makes one attempt when the signal has aborted already', async () => {
    const { clock, pauses } = createClock();
    const attempt = failing(['a'], 'done');
    const options = { clock, attempts: 5, pauseMs: doubling, signal: AbortSignal.abort() };
    await expect(retryWithBackoff(attempt, options)).rejects.toBe('a');
    expect(pauses).toEqual([]);
  });
});
