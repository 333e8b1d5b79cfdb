// A cell behind a port that takes connections and never answers: it delays nobody else, and is asked until it is there.
import { afterEach, describe, expect, test } from 'vitest';
import { startScheduler } from '../../jobs/processes/scheduler.js';
import { connectQueue } from '../../jobs/queue/connection.js';
import { withCircuitBreaker } from '../../src/engine/scheduler/cell-circuit-breaker.js';
import { type Clock, systemClock } from '../../src/kernel/clock.js';
import { classifyFailure } from '../../src/stores/postgres-failure.js';
import { createTestCell } from '../support/cell.js';
import { allDone, createFleet } from '../support/fleet.js';
import { openTestCell } from '../support/open-context.js';
import { startStopwatch } from '../support/stopwatch.js';
import { createTap, type Tap } from '../support/tap.js';
import { waitFor } from '../support/wait.js';

const FOREVER_MS = 2 ** 31 - 1; // a test moves the clock itself

const dropped: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
});

async function tap(url: string): Promise<Tap> {
  const made = await createTap(url);
  dropped.push(made.close);
  return made;
}

/** A cell behind a tap, with a circuit breaker whose clock only the test moves. */
async function makeSpared() {
  const cell = await createTestCell();
  dropped.push(cell.drop);
  const port = await tap(cell.url);
  const through = openTestCell(port.url, cell.dataCenter.id);
  dropped.push(async () => {
    port.reject(); // a call that hangs would keep the pool open
    await through.close();
  });
  let ahead = 0;
  const sleeps = new Set<() => void>();
  const clock: Clock = {
    now: () => new Date(systemClock.now().getTime() + ahead),
    sleep: async (_, signal) => {
      const ended = new AbortController();
      const end = (): void => ended.abort();
      sleeps.add(end);
      signal?.addEventListener('abort', end);
      await systemClock.sleep(FOREVER_MS, ended.signal);
      sleeps.delete(end);
    },
  };
  const cells = withCircuitBreaker({ get: () => through }, clock);
  const ask = async () => {
    const stopwatch = startStopwatch(cell);
    const failure = await cells
      .get(cell.dataCenter.id)
      .inTransaction('fencer', async (tx) => tx.raw('select 1'))
      .then(
        () => undefined,
        (error: unknown) => classifyFailure(error).kind,
      );
    return { failure, tookMs: await stopwatch() };
  };
  const moveOn = (ms: number): void => {
    ahead += ms;
  };
  const endSleeps = (): void => {
    for (const end of sleeps) end();
  };
  return { port, ask, moveOn, sleeps, endSleeps };
}

describe('withCircuitBreaker', () => {
  test('waits once for a cell that never answers, then reports at once that it is unreachable', async () => {
    const { port, ask } = await makeSpared();
    expect(await ask()).toMatchObject({ failure: undefined });
    port.silence();
    // open connections break, with an error
    await waitFor('its silence', async () => (await ask()).failure === 'unreachable');
    const asked = port.count();
    for (let n = 0; n < 20; n += 1) {
      const { failure, tookMs } = await ask();
      expect(failure).toBe('unreachable');
      expect(tookMs).toBeLessThan(500);
    }
    expect(port.count()).toBe(asked);
  });

  test('waits only so long for a cell that falls silent on an open connection', async () => {
    const { port, ask, moveOn, sleeps, endSleeps } = await makeSpared();
    expect(await ask()).toMatchObject({ failure: undefined });
    port.suspend();
    const asked = ask();
    await waitFor('its limit', () => sleeps.size > 0);
    moveOn(60_000);
    endSleeps();
    expect(await asked).toMatchObject({ failure: 'unreachable' });
    const { failure, tookMs } = await ask();
    expect(failure).toBe('unreachable');
    expect(tookMs).toBeLessThan(500);
    port.open();
    await waitFor('its answer', async () => {
      moveOn(30_000);
      return (await ask()).failure === undefined;
    });
  });

  test('probes it in the background when the time is over, and uses it again once it answers', async () => {
    const { port, ask, moveOn } = await makeSpared();
    port.silence();
    expect((await ask()).failure).toBe('unreachable');
    const asked = port.count();
    moveOn(5_000);
    for (let n = 0; n < 3; n += 1) {
      const { failure, tookMs } = await ask();
      expect(failure).toBe('unreachable');
      expect(tookMs).toBeLessThan(500);
    }
    await waitFor('one more attempt', () => port.count() === asked + 1);
    port.open();
    moveOn(30_000);
    await waitFor('its answer', async () => {
      moveOn(30_000);
      return (await ask()).failure === undefined;
    });
  });

  test('asks a cell that rejects at once every time', async () => {
    const { port, ask } = await makeSpared();
    port.reject();
    expect((await ask()).failure).not.toBeUndefined();
    port.open();
    expect((await ask()).failure).toBeUndefined();
  });
});

describe('startScheduler', () => {
  test('rolls out one data center while the cell of another never answers, and shows since when', async () => {
    const fleet = await createFleet({ cells: [{}, {}], orgs: 300, queue: 'postgres' });
    dropped.push(fleet.drop);
    const [near, far] = [fleet.cell(0), fleet.cell(1)];
    const port = await tap(far.url);
    const through = openTestCell(port.url, far.dataCenter.id);
    dropped.push(() => through.close());
    port.silence();
    const get = (id: string) => (id === far.dataCenter.id ? through : fleet.engine.cells.get(id));
    await fleet.apply(near, far);
    fleet.startWorker();
    const scheduler = startScheduler({ ...fleet.engine, cells: { get } }, connectQueue(fleet.queueUrl ?? ''));
    dropped.push(scheduler.stop);
    const holdOf = async () =>
      (
        await fleet.control(
          `select since::text from credit_rollout_control.holds where data_center = $1 and code = 'cell_unreachable'`,
          [far.dataCenter.id],
        )
      )[0]?.since;
    await fleet.waitForStages(([first]) => first === 'done');
    // its turn has come, and it is held since then
    const since = await waitFor('the hold', holdOf);
    const asked = port.count();
    await waitFor('one more attempt', () => port.count() > asked);
    expect(await holdOf()).toBe(since);
    port.open();
    await fleet.waitForStages(allDone);
    expect(await holdOf()).toBeUndefined();
  });
});
