// Ticks of a scheduler: whom they wake, and that several of them activate a data center once.
import { afterEach, describe, expect, test } from 'vitest';
import type { WakeUps } from '../../../src/engine/context.js';
import { tick } from '../../../src/engine/scheduler/tick.js';
import { serveOpenWork } from '../../../src/engine/worker/serve-cell.js';
import { openContext } from '../../support/open-context.js';
import { silentLog } from '../../support/silent.js';
import { waitFor } from '../../support/wait.js';
import { dropAll, dropped, keepServing, makeFleet } from './run-life-scene.js';

afterEach(dropAll);

describe('tick', () => {
  test('wakes workers for the plan of a data center that has no epoch yet', async () => {
    const fleet = await makeFleet({ orgs: 10 });
    const requested: unknown[] = [];
    const wakeUps = {
      ...fleet.engine.wakeUps,
      request: async (...request: readonly unknown[]) => void requested.push(request),
    };
    await fleet.apply(fleet.cell(0));
    await tick({ ...fleet.engine, wakeUps });
    expect(requested).toEqual([[fleet.cell(0).dataCenter.id, 'plan', 0n, 1]]);
  });

  test('wakes one worker for the canary as it opens the fence, and one for each lane when the canary has passed', async () => {
    const fleet = await makeFleet({ orgs: 500 });
    const { dataCenter } = fleet.cell(0);
    const { planId } = await fleet.plan(fleet.cell(0));
    await fleet.applyPlan(fleet.cell(0), planId ?? '');
    const requested: unknown[] = [];
    const wakeUps: WakeUps = {
      ...fleet.engine.wakeUps,
      request: async (id, job, _epoch, want) => void requested.push(['request', id, job, want]),
      enqueue: async (id, jobs) => void requested.push(['enqueue', id, jobs]),
    };
    const engine = { ...fleet.engine, wakeUps };
    await tick(engine);
    expect(requested.splice(0)).toEqual([['request', dataCenter.id, 'apply', 1]]);
    expect(await fleet.cell(0).sql('select state from credit_rollout.fence')).toEqual([{ state: 'open' }]);
    // the next poll makes up for a wake-up that was lost
    await tick(engine);
    expect(requested.splice(0)).toEqual([['request', dataCenter.id, 'apply', 1]]);
    for (const job of ['canary', 'its verification']) {
      await serveOpenWork(fleet.engine, dataCenter.id);
      await tick(engine);
      expect(requested.splice(0)).toEqual([
        ['request', dataCenter.id, ...(job === 'canary' ? ['verify', 1] : ['apply', 2])],
      ]);
    }
    expect(await fleet.drive()).toEqual(['done']);
    await fleet.expectInvariants();
  });

  test('activates once when two schedulers poll at the same moment, repeatedly', async () => {
    const fleet = await makeFleet({ cells: [{}, {}, {}], orgs: 300 });
    const opened = new Set<() => Promise<unknown>>();
    dropped.push(async () => void (await Promise.all([...opened].map((close) => close()))));
    const urls = {
      control: fleet.controlUrl,
      cells: fleet.cells.map(({ dataCenter: { id }, url }) => ({ id, url })),
      queue: undefined,
    };
    const schedulers = Array.from({ length: 3 }, () => openContext(urls, silentLog, opened));
    await fleet.apply(...fleet.cells);
    const stop = keepServing(fleet);
    await waitFor('the end', async () => {
      await Promise.all(schedulers.map((scheduler) => tick(scheduler)));
      return (await fleet.stages()).every((stage) => stage === 'done');
    });
    await stop();
    expect(
      await fleet.control(`select data_center, count(*)::int as times from credit_rollout_control.audit where action = 'activate'
      group by 1 having count(*) <> 1`),
    ).toEqual([]);
    expect(await fleet.control(`select count(*)::int as runs from credit_rollout_control.runs`)).toEqual([{ runs: 3 }]);
    await fleet.expectInvariants();
  });
});
