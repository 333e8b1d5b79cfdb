// The runner of services on a clock that the test moves: when a service runs, what a failure does, and how it stops.
import { expect, test, vi } from 'vitest';
import { createCellActivity } from '../../jobs/cell-activity.js';
import { createReporter } from '../../jobs/report-alive.job.js';
import { runServices, type Service } from '../../jobs/service.js';
import type { Clock } from '../../src/kernel/clock.js';
import { silentLog } from '../support/silent.js';

/** Records each sleep, and ends it when the test ends it or the signal aborts. */
function createClock() {
  const sleeps: { readonly ms: number; readonly end: () => void }[] = [];
  const clock: Clock = {
    now: () => new Date(0),
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve();
        sleeps.push({ ms, end: resolve });
        signal?.addEventListener('abort', () => resolve(), { once: true });
      }),
  };
  return { clock, sleeps };
}

const service = (runOnce: Service['runOnce'], name = 'one'): Service => ({ name, intervalMs: 5_000, runOnce });

test('runs at once, again after its interval or the time that the run returns, and ends in its pause', async () => {
  const { clock, sleeps } = createClock();
  const stopping = new AbortController();
  const pauses = [undefined, 250];
  const runOnce = vi.fn(async () => pauses.shift());
  const running = runServices([service(runOnce)], { clock, log: silentLog }, stopping.signal);
  expect(runOnce).toHaveBeenCalledTimes(1);
  await vi.waitFor(() => expect(sleeps).toHaveLength(1));
  sleeps[0]?.end();
  await vi.waitFor(() => expect(sleeps).toHaveLength(2));
  expect(sleeps.map(({ ms }) => ms)).toEqual([5_000, 250]);
  stopping.abort();
  await running;
  expect(runOnce).toHaveBeenCalledTimes(2);
  expect(runOnce).toHaveBeenCalledWith(stopping.signal);
});

test('logs a run that fails, runs it again after its interval, and keeps the others running', async () => {
  const { clock, sleeps } = createClock();
  const stopping = new AbortController();
  const debug = vi.fn();
  const failing = service(() => Promise.reject(Object.assign(new Error('gone'), { code: '08006' })));
  const other = vi.fn(async () => undefined);
  const context = { clock, log: { ...silentLog, debug } };
  const running = runServices([failing, service(other, 'other')], context, stopping.signal);
  await vi.waitFor(() => expect(sleeps).toHaveLength(2));
  for (const { end } of sleeps.splice(0)) end();
  await vi.waitFor(() => expect(sleeps).toHaveLength(2));
  stopping.abort();
  await running;
  expect(debug.mock.calls).toEqual([
    ['service_failed', { service: 'one', code: '08006', name: 'Error' }],
    ['service_failed', { service: 'one', code: '08006', name: 'Error' }],
  ]);
  expect(other).toHaveBeenCalledTimes(2);
});

test('waits for the run that is under way when it is stopped', async () => {
  const { clock } = createClock();
  const stopping = new AbortController();
  let end: () => void = () => undefined;
  const runOnce = (): Promise<undefined> =>
    new Promise((resolve) => {
      end = () => resolve(undefined);
    });
  const stopped = vi.fn();
  const running = runServices([service(runOnce)], { clock, log: silentLog }, stopping.signal).then(stopped);
  stopping.abort();
  await Promise.resolve();
  expect(stopped).not.toHaveBeenCalled();
  end();
  await running;
  expect(stopped).toHaveBeenCalled();
});

test('a cell without a job for so long is silent, and so is one whose clock was set back', () => {
  const at = { ms: 1_000_000 };
  const activity = createCellActivity({ now: () => new Date(at.ms), sleep: async () => undefined });
  expect(activity.isSilentFor(10_000)).toBe(true);
  activity.jobCame();
  expect(activity.isSilentFor(10_000)).toBe(false);
  at.ms += 10_000;
  expect(activity.isSilentFor(10_000)).toBe(true);
  at.ms -= 60_000;
  expect(activity.isSilentFor(10_000)).toBe(true);
});

test('reports of a worker come one after the other, and the last one says how it is then', async () => {
  const written: string[] = [];
  let state = 'bad';
  let end: () => void = () => undefined;
  const reporter = createReporter(() => {
    written.push(state);
    return new Promise((resolve) => {
      end = resolve;
    });
  });
  const first = reporter.report();
  await vi.waitFor(() => expect(written).toEqual(['bad']));
  const others = [reporter.report(), reporter.report()];
  const settled = reporter.settled();
  state = 'good';
  end();
  await first;
  await vi.waitFor(() => expect(written).toEqual(['bad', 'good']));
  end();
  await Promise.all([...others, settled]);
  expect(written).toHaveLength(2);
});

test('the last error of a cell is its code until something succeeds, and each change is told once', () => {
  const onChange = vi.fn();
  const activity = createCellActivity({ now: () => new Date(0), sleep: async () => undefined }, onChange);
  expect(activity.failed(new Error('Connection terminated unexpectedly'))).toBe('connection_lost');
  expect(activity.failed(new Error('timeout expired'))).toBe('no_answer');
  expect(activity.failed(new Error('timeout expired'))).toBe('no_answer');
  activity.succeeded();
  expect(activity.lastError()).toBeNull();
  expect(onChange).toHaveBeenCalledTimes(3);
  expect(activity.failed(Object.assign(new Error('denied'), { code: '42501' }))).toBe('42501');
  expect(activity.lastError()).toBe('42501');
  activity.succeeded();
  expect(activity.lastError()).toBeNull();
});
