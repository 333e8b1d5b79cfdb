// Workers and schedulers whose cells raise errors with org data in every part, with each queue: a rollout, its bake,
// the sweep after a cut-over, nights and the change feed, and commands about an org meanwhile. Outside the cell is none
// of it.
import { afterEach, describe, expect, test } from 'vitest';
import { startReceiver } from '../engine/webhooks/receiver.js';
import { redisAvailable, startTestRedis } from '../support/redis.js';
import { waitFor } from '../support/wait.js';
import { createScene, type Ran, type ResidencyScene, type RunningCommand } from './scene.js';
import { findMarkers } from './search.js';
import { CLASSES, type SpoiledClass, spoil, spoilerId } from './spoil.js';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const QUEUES = ['postgres', ...(redisAvailable() ? (['redis'] as const) : [])] as const;
/** What of an error reaches a queue does not depend on the queue: one of them meets every class, the other some. */
const MET = {
  postgres: {
    plans: CLASSES,
    batches: ['P0001', '23514', '42501', '40P01', '57014', 'MKMK1'],
    nights: ['23505', '53100', '42501'],
    feed: ['23514', 'P0001', '22P02'],
  },
  redis: { plans: ['23505', '42P01'], batches: ['P0001', '23514'], nights: ['23505'], feed: ['P0001'] },
} as const satisfies Record<string, Record<string, readonly SpoiledClass[]>>;

async function createScenario(queue: (typeof QUEUES)[number], webhook: string): Promise<ResidencyScene> {
  if (queue === 'postgres') return createScene('postgres', [webhook]);
  const redis = await startTestRedis();
  ends.push(redis.remove);
  return createScene({ redis: redis.url }, [webhook]);
}

const isLogged = (process: RunningCommand, event: string, as: SpoiledClass): boolean =>
  process
    .output()
    .split('\n')
    .some((line) => line.includes(`"event":"${event}"`) && line.includes(`"${as}"`));
const countOf = (text: string, word: string): number => text.split(word).length - 1;

describe.each(QUEUES)('with the queue on %s', (queue) => {
  test('nothing of an org and no text of a server leaves the cell, whatever fails', async () => {
    const receiver = await startReceiver();
    ends.push(receiver.close);
    const scene = await createScenario(queue, receiver.webhook.url);
    ends.push(scene.drop);
    const { cell, dc, fleet, run } = scene;
    const worker = scene.start('worker', '--listen', '127.0.0.1:0');
    const scheduler = scene.start('scheduler', '--listen', '127.0.0.1:0');
    const failures = (): number => countOf(worker.output(), '"event":"job_failed"');
    const stage = async (): Promise<unknown> =>
      (await fleet.control('select stage from credit_rollout_control.data_centers where id = $1', [dc]))[0]?.stage;
    /** At once: the next tick would do the same seconds later. */
    const wake = async (job: 'plan' | 'detect'): Promise<void> => {
      const epoch = BigInt(String((await cell.sql('select epoch from credit_rollout.fence'))[0]?.epoch));
      await fleet.engine.wakeUps.enqueue(dc, [job], epoch);
    };
    const meet = async (job: 'plan' | 'detect', classes: readonly SpoiledClass[]): Promise<void> => {
      for (const as of classes) {
        await spoil(cell, job, as);
        const before = failures();
        await wake(job);
        await waitFor(`a ${job} that fails with ${as}`, () => failures() > before, { forMs: 60_000 });
      }
    };

    // plans that workers make, without the org that the view cannot read
    await spoil(cell, 'view', 'P0001');
    await spoil(cell, 'plan', 'P0001');
    expect((await run('apply', '--dc', dc, '--execute')).code).toBe(0);
    await waitFor('a plan that fails', () => failures() > 0, { forMs: 60_000 });
    await meet('plan', MET[queue].plans);
    await expectClean(scene);

    // a check of the run that is to begin
    await spoil(cell, 'look', 'P0001');
    await spoil(cell, 'view', '22P02');
    await spoil(cell, 'plan', null);
    const failedCheck = `select from credit_rollout.checks where error = 'P0001'`;
    await waitFor('a check that fails', async () => (await cell.sql(failedCheck)).length > 0, { forMs: 90_000 });
    for (const one of [worker, scheduler]) await expectCleanAnswers(scene, one);
    await expectClean(scene);
    await spoil(cell, 'look', null);

    // batches
    await spoil(cell, 'trigger', '23514');
    for (const as of MET[queue].batches) {
      const before = failures();
      await spoil(cell, 'batch', as);
      await waitFor(`batches that meet ${as}`, () => failures() > before, { forMs: 90_000 });
      await expectClean(scene);
    }
    // what breaks a rule ends the run, and a retry goes on
    await spoil(cell, 'breach', '23514');
    await spoil(cell, 'batch', null);
    await waitFor('a run that fails', async () => (await stage()) === 'failed', { forMs: 90_000 });
    await expectClean(scene);
    await spoil(cell, 'bake', 'P0001');
    await spoil(cell, 'breach', null);
    expect((await run('retry', '--dc', dc)).code).toBe(0);

    // the bake, and the sweep after the cut-over: it begins once the data center is done
    const failedBake = `select from credit_rollout_control.holds where code = 'bake_query_failed'`;
    await waitFor('a bake query that fails', async () => (await fleet.control(failedBake)).length > 0, {
      forMs: 90_000,
    });
    expect(await listUnreadable(scene)).toHaveLength(2);
    await expectClean(scene);
    await spoil(cell, 'trigger', null);
    await spoil(cell, 'view', 'P0001');
    await spoil(cell, 'detect', 'P0001');
    await spoil(cell, 'bake', null);
    const beforeSweep = failures();
    await waitFor('a sweep that fails', () => failures() > beforeSweep, { forMs: 90_000 });
    expect(await stage()).toBe('done');
    const openRuns = await fleet.control(`select kind from credit_rollout_control.runs where state = 'open'`);
    expect(openRuns).toEqual([{ kind: 'sweep' }]);
    await meet('detect', ['23505']);
    await expectClean(scene);
    await spoil(cell, 'detect', null);
    await wake('detect');
    const swept = async (): Promise<boolean> =>
      (await cell.sql('select swept_at from credit_rollout.gate'))[0]?.swept_at !== null;
    await waitFor('the sweep', swept, { forMs: 90_000 });

    // a night
    await cell.sql('update public.org_rows set agents = agents + 500');
    await spoil(cell, 'detect', 'P0001');
    const beforeNight = failures();
    expect((await run('reconcile', '--dc', dc, '--execute')).code).toBe(0);
    await waitFor('a night that fails', () => failures() > beforeNight, { forMs: 90_000 });
    await meet('detect', MET[queue].nights);
    // people who look meanwhile: they are told which orgs were set aside, and nothing else of them
    const verified = await run('verify', '--dc', dc);
    expect(verified).toMatchObject({
      code: 3,
      out: expect.stringContaining(`${spoilerId(scene.markers)} · unreadable`),
    });
    expect(findMarkersBesideIds(verified, scene)).toEqual([]);
    await expectClean(scene);
    // from then on the org that was set aside has an allotment too
    await spoil(cell, 'view', null);
    await spoil(cell, 'detect', null);
    await wake('detect');
    const ended = `select from credit_rollout_control.runs where kind = 'reconcile' and state <> 'open'`;
    await waitFor('the night', async () => (await fleet.control(ended)).length > 0, { forMs: 90_000 });

    // no queue takes part in these
    if (queue === 'postgres') await writeAboutOrg(scene);

    // the change feed: it records the edits where an org stops it, then skips that org
    for (const as of MET[queue].feed) {
      const meets = (event: string): Promise<unknown> =>
        waitFor(`${event} with ${as}`, () => isLogged(worker, event, as), { forMs: 90_000 });
      await spoil(cell, 'view', as);
      await spoil(cell, 'record', as);
      await cell.sql('update public.org_rows set agents = agents + 500, updated_at = clock_timestamp()');
      await meets('feed_failed');
      await spoil(cell, 'record', null);
      await meets('feed_org_skipped');
    }
    await expectClean(scene);

    // what was told of all that, to somebody outside
    const told = new Set(receiver.received.map(({ type }) => type));
    expect([...told]).toEqual(expect.arrayContaining(['hold.began', 'stage.changed', 'signups.swept']));
    expect(findMarkers([{ where: 'webhook', text: JSON.stringify(receiver.received) }], scene.markers)).toEqual([]);
  });
});

/** Orgs that were set aside, in the cell. */
const listUnreadable = ({ cell }: ResidencyScene): Promise<readonly unknown[]> =>
  cell.sql(`select distinct org_id from credit_rollout.quarantine where reason = 'unreadable'`);

/** People who write about one org: its id is in their arguments, and in what they are shown. */
async function writeAboutOrg(scene: ResidencyScene): Promise<void> {
  const { cell, dc, markers } = scene;
  const org = spoilerId(markers);
  const run = (command: string, ...args: readonly string[]): ReturnType<ResidencyScene['run']> =>
    scene.run(command, org, '--dc', dc, '--reason', 'asked by support', ...args);
  const floor = ['--floor', '9000000'] as const;
  await spoil(cell, 'view', 'P0001');
  const refused = await run('override', ...floor);
  expect(refused).toMatchObject({ code: 6, err: expect.stringMatching(/\[override_refused\].*cannot be read/su) });
  expect(findMarkersBesideIds(refused, scene)).toEqual([]);
  await spoil(cell, 'view', null);
  for (const ran of [await run('protect'), await run('override', ...floor)])
    expect(ran).toMatchObject({
      code: 0,
      out: expect.stringContaining(org),
      err: expect.stringMatching(/^Using [^\n]*\n(?: {2,}[^\n]*\n)*$/u),
    });
  await expectClean(scene);
}

/** In what a person is shown who may read the ids of orgs. */
const findMarkersBesideIds = ({ out, err }: Ran, { markers }: ResidencyScene): readonly string[] =>
  findMarkers(
    [{ where: 'output', text: (out + err).replaceAll(new RegExp(`${markers.word}-id-\\d+`, 'gu'), '') }],
    markers,
  );

/** Whoever may connect to a process may read what it says of itself. */
async function expectCleanAnswers({ markers, dc }: ResidencyScene, { output }: RunningCommand): Promise<void> {
  const address = /▶ listening: (\S+)\/livez/u.exec(output())?.[1] ?? expect.unreachable(output());
  const read = async (path: string): Promise<string> => (await fetch(address + path)).text();
  const [metrics = '', ...others] = await Promise.all(['/metrics', '/readyz', '/livez'].map(read));
  expect(metrics).toContain(`data_center="${dc}"`);
  expect(findMarkers([{ where: 'answers', text: metrics + others.join(' ') }], markers)).toEqual([]);
}

async function expectClean(scene: ResidencyScene): Promise<void> {
  expect(await scene.search()).toEqual([]);
}
