// Workers and schedulers whose cells raise errors with org data in every part, with each queue: a rollout, its bake, the
// sweep after a cut-over, nights and the change feed. Outside the cell is none of it.
import { afterEach, describe, expect, test } from 'vitest';
import { redisAvailable, startTestRedis } from '../support/redis.js';
import { waitFor } from '../support/wait.js';
import { createScene, type ResidencyScene } from './scene.js';
import { CLASSES, type SpoiledClass, spoil } from './spoil.js';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const QUEUES = ['postgres', ...(redisAvailable() ? (['redis'] as const) : [])] as const;
/** A value of an org that cannot be read is no error of the job: the org is quarantined. */
const UNREADABLE: readonly SpoiledClass[] = ['22P02', '22003'];
/** Every other fails a job, but 42P01: the worker takes it for views that are missing, and gives the plan up. */
const FAILING = CLASSES.filter((one) => !UNREADABLE.includes(one) && one !== '42P01');

async function createScenario(queue: (typeof QUEUES)[number]): Promise<ResidencyScene> {
  if (queue === 'postgres') return createScene('postgres');
  const redis = await startTestRedis();
  ends.push(redis.remove);
  return createScene({ redis: redis.url });
}

const countOf = (text: string, word: string): number => text.split(word).length - 1;

describe.each(QUEUES)('with the queue on %s', (queue) => {
  test('nothing of an org and no text of a server leaves the cell, whatever fails', async () => {
    const scene = await createScenario(queue);
    ends.push(scene.drop);
    const { cell, dc, fleet, run } = scene;
    const worker = scene.start('worker');
    scene.start('scheduler');
    const failures = (): number => countOf(worker.output(), '"event":"job_failed"');
    const stage = async (): Promise<unknown> =>
      (await fleet.control('select stage from credit_rollout_control.data_centers where id = $1', [dc]))[0]?.stage;

    // plans that workers make
    await spoil(cell, 'view', 'P0001');
    expect((await run('apply', '--dc', dc, '--execute')).code).toBe(0);
    // what of an error reaches a queue does not depend on the queue: one of them gets every class
    for (const as of queue === 'postgres' ? FAILING : FAILING.slice(0, 3)) {
      const before = failures();
      await spoil(cell, 'view', as);
      await waitFor(`a job that fails with ${as}`, () => failures() > before, { forMs: 60_000 });
    }
    await expectClean(scene);

    // batches: what breaks a rule ends the run, and a retry goes on
    await spoil(cell, 'view', '22P02');
    const retryFailed = async (): Promise<void> => {
      if ((await stage()) === 'failed') expect((await run('retry', '--dc', dc)).code).toBe(0);
    };
    for (const as of ['P0001', '23514', '42501', '40P01', '57014', 'MKMK1'] as const) {
      const before = failures();
      await spoil(cell, 'trigger', as);
      await retryFailed();
      await waitFor(`batches that meet ${as}`, async () => failures() > before || (await stage()) === 'failed', {
        forMs: 90_000,
      });
      await expectClean(scene);
    }
    await spoil(cell, 'trigger', null);
    await retryFailed();

    // the bake
    await spoil(cell, 'bake', 'P0001');
    await waitFor(
      'a bake query that fails',
      async () =>
        (await fleet.control(`select from credit_rollout_control.holds where code = 'bake_query_failed'`)).length > 0,
      { forMs: 90_000 },
    );
    await expectClean(scene);
    await spoil(cell, 'bake', null);
    await waitFor('the rollout', async () => (await stage()) === 'done', { forMs: 90_000 });

    // the sweep after the cut-over, and a night
    const swept = async (): Promise<boolean> =>
      (await cell.sql('select swept_at from credit_rollout.gate'))[0]?.swept_at !== null;
    await waitFor('the sweep', swept, { forMs: 90_000 });
    await cell.sql('update public.org_rows set agents = agents + 500');
    await spoil(cell, 'view', 'P0001');
    expect((await run('reconcile', '--dc', dc, '--execute')).code).toBe(0);
    for (const as of ['P0001', '53100', '42501'] as const) {
      const before = failures();
      await spoil(cell, 'view', as);
      await waitFor(`a night that meets ${as}`, () => failures() > before, { forMs: 90_000 });
    }
    await spoil(cell, 'view', null);
    await waitFor(
      'the night',
      async () =>
        (await fleet.control(`select from credit_rollout_control.runs where kind = 'reconcile' and state <> 'open'`))
          .length > 0,
      { forMs: 90_000 },
    );
    await expectClean(scene);

    // the change feed
    for (const as of ['23514', 'P0001', '22P02'] as const) {
      const before = countOf(worker.output(), '"event":"feed_');
      await spoil(cell, 'view', as);
      await cell.sql('update public.org_rows set agents = agents + 500, updated_at = clock_timestamp()');
      await waitFor(`a feed that meets ${as}`, () => countOf(worker.output(), '"event":"feed_') > before, {
        forMs: 90_000,
      });
    }
    await expectClean(scene);
  });
});

async function expectClean(scene: ResidencyScene): Promise<void> {
  expect(await scene.search()).toEqual([]);
}
