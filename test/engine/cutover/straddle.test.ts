// The proof of the cut-over: sign-ups over many connections straddle the instant while a scheduler and a worker arm, latch
// and sweep by themselves; every org has exactly one model, and none is missed.
import { afterEach, describe, expect, test } from 'vitest';
import { proveCutover } from '../../../src/engine/cutover/prove-cutover.js';
import { systemClock } from '../../../src/kernel/clock.js';
import { makeId } from '../../support/cell.js';
import { pgbouncerAvailable, startPgbouncer } from '../../support/pgbouncer.js';
import { waitFor } from '../../support/wait.js';
import { listSweeps, openScene, type Scene, type SceneOptions, waitForGate } from './scene.js';
import { type Answer, readRecords, spread, startPulse } from './sign-ups.js';

const ORGS = 1_000;
const STALL_MS = 300;

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const makeScene = (options?: SceneOptions): Promise<Scene> => openScene(closing, options);
const sleepUntil = (at: Date): Promise<void> =>
  systemClock.sleep(Math.max(0, at.getTime() - systemClock.now().getTime()));

/** Sign-ups that have asked and stay open until `until`; resolves to them once all have asked. */
async function holdOpen(
  { cell, product }: Scene,
  from: number,
  count: number,
  until: Promise<unknown>,
): Promise<Promise<Answer>[]> {
  const held = Array.from({ length: count }, (_, n) => product.signUp({ orgId: makeId(from + n, 'bigint'), until }));
  await waitFor('the held sign-ups to ask', async () => {
    const rows = await cell.sql(
      `select from pg_stat_activity where datname = current_database() and state = 'idle in transaction'
         and query like '%onboard_org%'`,
    );
    return rows.length >= count;
  });
  return held;
}

/** What must be true however the sign-ups fell, once the scheduler says that the sweep is over. */
async function expectOneModelEach({ fleet, cell }: Scene, answers: readonly Answer[]): Promise<void> {
  await waitForGate(fleet, 'swept_at');
  await waitFor('the sweep to end', async () => (await listSweeps(fleet)).every(({ state }) => state !== 'open'));
  const records = await readRecords(cell);
  expect(records.length).toBe(new Set(answers.map(({ orgId }) => orgId)).size);
  const modelOf = new Map(records.map((row) => [row.org_id, row.model]));
  expect(answers.filter(({ orgId, model }) => model !== modelOf.get(orgId))).toEqual([]);
  expect(records.filter(({ model, after }) => (model === 'credits') !== after)).toEqual([]);
  // none missed after the sweep, and nobody got what the other model gives
  expect(records.filter(({ origin }) => origin === null)).toEqual([]);
  expect(records.filter(({ model, floor }) => floor !== (model === 'credits' ? null : '150000'))).toEqual([]);
  expect(records.filter(({ model, origin }) => model === 'legacy' && origin !== 'migrated')).toEqual([]);
  const sweeps = await listSweeps(fleet);
  expect(sweeps).toMatchObject([{ kind: 'sweep', state: 'done' }]);
  expect(await proveCutover(cell.cell, 0)).toMatchObject({
    verdict: 'proven',
    signUps: { legacy: count(answers, 'legacy'), credits: count(answers, 'credits'), lateLegacy: 0, flipped: 0 },
  });
  expect(new Set(answers.map(({ connection }) => connection)).size).toBeGreaterThanOrEqual(100);
  expect(count(answers, 'legacy')).toBeGreaterThan(100);
  expect(count(answers, 'credits')).toBeGreaterThan(100);
  await fleet.expectInvariants();
}

/** `stopPulse`: with the longest that the machine itself delayed a statement which asks no gate, in ms. */
async function expectNoneStalled(answers: readonly Answer[], stopPulse: () => Promise<number>): Promise<void> {
  const longest = Math.max(...answers.map(({ tookMs }) => tookMs));
  console.log(`longest of ${answers.length} calls: ${longest} ms`);
  // a call has more than one statement that a busy machine delays
  expect(longest).toBeLessThan(STALL_MS + 2 * (await stopPulse()));
}

const count = (answers: readonly Answer[], model: string): number =>
  new Set(answers.filter((answer) => answer.model === model).map(({ orgId }) => orgId)).size;
const isBusy = ({ event }: { readonly event: string }): boolean => event === 'gate_busy';
const from = (at: Date, ms: number): Promise<void> => sleepUntil(new Date(at.getTime() + ms));

describe('a cut-over', { timeout: 90_000 }, () => {
  test('1,000 sign-ups over 100 connections: one model each, none missed by the sweep, none stalled', async () => {
    const scene = await makeScene({ connections: 120 });
    await scene.rollOut();
    const instant = await scene.cutOverIn(4_000);
    const stopPulse = startPulse(scene.cell);
    // across the instant, and until the latch has met them
    const met = waitFor('a latch that finds the gate busy', () => scene.logged.some(isBusy), { forMs: 20_000 });
    const held = await holdOpen(scene, 5_001, 12, Promise.all([from(instant, 2_300), met]));
    const running = spread(scene.product, { orgs: ORGS, forMs: 9_000, times: 3 });
    // the sweep begins while sign-ups go on
    expect((await waitForGate(scene.fleet, 'latched_at')).getTime()).toBeGreaterThan(instant.getTime() + 2_300);
    const answers = [...(await Promise.all(held)), ...(await running)];
    await expectNoneStalled(answers, stopPulse);
    await expectOneModelEach(scene, answers);
    // the held ones were told legacy before the instant and committed after it
    expect((await Promise.all(held)).map(({ model }) => model)).toEqual(Array(12).fill('legacy'));
  });

  test('with no scheduler across the instant they switch all the same, and a late latch misses nobody', async () => {
    const scene = await makeScene();
    await scene.rollOut();
    const instant = await scene.cutOverIn(3_500);
    await scene.scheduler.stop();
    expect(systemClock.now() < instant).toBe(true);
    const stopPulse = startPulse(scene.cell);
    const held = await holdOpen(scene, 5_001, 5, from(instant, 1_000));
    const spreading = spread(scene.product, { orgs: ORGS, forMs: 8_000, times: 3 });
    const answers = [...(await spreading), ...(await Promise.all(held))];
    await expectNoneStalled(answers, stopPulse);
    expect(await scene.cell.sql('select from credit_rollout.gate where latched_at is null')).toHaveLength(1);
    expect(await listSweeps(scene.fleet)).toEqual([]);
    scene.fleet.startScheduler();
    await expectOneModelEach(scene, answers);
  });

  test('with a late data center the moment of arming is the instant', async () => {
    const scene = await makeScene({ sections: 'signups: { cutover: 2025-10-30 }' });
    const stopPulse = startPulse(scene.cell);
    const running = spread(scene.product, { orgs: ORGS, forMs: 10_000, times: 3 });
    await systemClock.sleep(1_500);
    const before = systemClock.now();
    await scene.rollOut();
    const effective = await waitForGate(scene.fleet, 'effective_at');
    expect(effective.getTime()).toBeGreaterThan(before.getTime());
    const answers = await running;
    await expectNoneStalled(answers, stopPulse);
    await expectOneModelEach(scene, answers);
    expect(await scene.cell.sql('select configured_at from credit_rollout.gate')).toEqual([
      { configured_at: new Date('2025-10-30T00:00:00Z') },
    ]);
  });

  test.skipIf(!pgbouncerAvailable())('through PgBouncer in transaction mode', async () => {
    const pooler = await startPgbouncer();
    closing.push(pooler.stop);
    const scene = await makeScene({ through: pooler.through });
    await scene.rollOut();
    const instant = await scene.cutOverIn(3_500);
    const stopPulse = startPulse(scene.cell);
    const held = await holdOpen(scene, 5_001, 2, from(instant, 1_500));
    const running = spread(scene.product, { orgs: ORGS, forMs: 9_000, times: 3 });
    const answers = [...(await Promise.all(held)), ...(await running)];
    await expectNoneStalled(answers, stopPulse);
    await expectOneModelEach(scene, answers);
    expect(
      await scene.cell.sql(`select from pg_locks where locktype = 'advisory' and objid = 4294967295
      and database = (select oid from pg_database where datname = current_database())`),
    ).toEqual([]);
  });
});
