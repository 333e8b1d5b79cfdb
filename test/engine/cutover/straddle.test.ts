// The proof of the cut-over: sign-ups over many connections straddle the instant while a scheduler and a worker arm,
// latch and sweep by themselves; every org has exactly one model, and none is missed.
import { afterEach, describe, expect, test } from 'vitest';
import { proveCutover } from '../../../src/engine/cutover/prove-cutover.js';
import { systemClock } from '../../../src/kernel/clock.js';
import { makeId } from '../../support/cell.js';
import { pgbouncerAvailable, startPgbouncer } from '../../support/pgbouncer.js';
import { waitFor } from '../../support/wait.js';
import { listSweeps, openScene, type Scene, type SceneOptions, waitForGate } from './scene.js';
import { type Answer, areBothModels, countModel, readRecords, type SignUps, startSignUps } from './sign-ups.js';

const STALL_MS = 300;

/**
 * How many sign up at least, how often each asks, over how many connections: a first call of each reads much of the
 * catalogs. One scene proves it at this size, the others need less.
 */
const CROWD = { orgs: 1_000, times: 3, connections: 120, taking: 100 };
const GROUP = { orgs: 400, times: 2, connections: 20, taking: 20 };

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** So many and more, each answered several times, until both models are well represented and `until` is so. */
async function signUp({ product }: Scene, { orgs, times } = GROUP, until = (): boolean => true): Promise<SignUps> {
  const enough = (soFar: readonly Answer[]): boolean => areBothModels(soFar) && until();
  const signUps = startSignUps(product, { firstId: 1, orgs, everyMs: 9, times, enough });
  await waitFor('sign-ups before the instant', () => countModel(signUps.soFar, 'legacy') > 150);
  return signUps;
}

const makeScene = (options?: SceneOptions): Promise<Scene> =>
  openScene(closing, { connections: GROUP.connections, ...options });
const sleepUntil = (at: Date): Promise<void> =>
  systemClock.sleep(Math.max(0, at.getTime() - systemClock.now().getTime()));

/** Sign-ups that have asked and stay open until `until`; resolves to them once all have asked. */
async function holdOpen({ product }: Scene, count: number, until: Promise<unknown>): Promise<Promise<Answer>[]> {
  const held: Promise<Answer>[] = [];
  const asked = Array.from(
    { length: count },
    (_, n) =>
      new Promise<void>((onAnswer, reject) => {
        const one = product.signUp({ orgId: makeId(50_001 + n, 'bigint'), until, onAnswer });
        one.catch(reject);
        held.push(one);
      }),
  );
  await Promise.all(asked);
  return held;
}

/** What must be true however the sign-ups fell, once the scheduler reports that the sweep is over. */
async function expectOneModelEach(
  { fleet, cell }: Scene,
  answers: readonly Answer[],
  { taking } = GROUP,
): Promise<void> {
  await waitForGate(fleet, 'swept_at');
  await waitFor('the sweep to end', async () => (await listSweeps(fleet)).every(({ state }) => state !== 'open'));
  await waitFor('workers to write what waits', async () => {
    const [row] = await cell.sql('select count(*)::int as n from credit_rollout.pending_sign_ups');
    return row?.n === 0;
  });
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
    signUps: {
      legacy: countModel(answers, 'legacy'),
      credits: countModel(answers, 'credits'),
      lateLegacy: 0,
      flipped: 0,
    },
  });
  expect(new Set(answers.map(({ connection }) => connection)).size).toBeGreaterThanOrEqual(taking);
  expect(countModel(answers, 'legacy')).toBeGreaterThan(100);
  expect(countModel(answers, 'credits')).toBeGreaterThan(100);
  await fleet.expectInvariants();
}

function expectNoneStalled(answers: readonly Answer[]): void {
  const [longest, busy] = [answers.map(({ tookMs }) => tookMs), answers.map(({ ruleMs }) => ruleMs)].map((times) =>
    Math.max(...times),
  );
  console.log(`longest of ${answers.length} calls: ${longest} ms; of the rule alone: ${busy} ms`);
  // a call has more than one statement that a busy machine delays
  expect(longest).toBeLessThan(STALL_MS + 4 * (busy ?? 0));
}

const isBusy = ({ event }: { readonly event: string }): boolean => event === 'gate_busy';
const from = (at: Date, ms: number): Promise<void> => sleepUntil(new Date(at.getTime() + ms));

describe('a cut-over', () => {
  test('1,000 sign-ups over 100 connections: one model each, none missed by the sweep, none stalled', async () => {
    const scene = await makeScene({ connections: CROWD.connections });
    await scene.rollOut();
    let latched: Date | undefined;
    const running = await signUp(scene, CROWD, () => latched !== undefined);
    const instant = await scene.cutOverIn(4_000);
    // across the instant, and until the latch has met them
    const met = waitFor('a latch that finds the gate busy', () => scene.logged.some(isBusy));
    const held = await holdOpen(scene, 12, Promise.all([from(instant, 2_300), met]));
    // the sweep begins while sign-ups go on
    latched = await waitForGate(scene.fleet, 'latched_at');
    expect(latched.getTime()).toBeGreaterThan(instant.getTime() + 2_300);
    const answers = [...(await Promise.all(held)), ...(await running.finished)];
    expectNoneStalled(answers);
    await expectOneModelEach(scene, answers, CROWD);
    // the held ones got the answer legacy before the instant and committed after it
    expect((await Promise.all(held)).map(({ model }) => model)).toEqual(Array(12).fill('legacy'));
  });

  test('with no scheduler across the instant they switch all the same, and a late latch misses nobody', async () => {
    const scene = await makeScene();
    await scene.rollOut();
    const running = await signUp(scene);
    const instant = await scene.cutOverIn(3_500);
    await scene.scheduler.stop();
    expect(systemClock.now() < instant).toBe(true);
    const held = await holdOpen(scene, 5, from(instant, 1_000));
    const answers = [...(await running.finished), ...(await Promise.all(held))];
    expectNoneStalled(answers);
    expect(await scene.cell.sql('select from credit_rollout.gate where latched_at is null')).toHaveLength(1);
    expect(await listSweeps(scene.fleet)).toEqual([]);
    scene.fleet.startScheduler();
    await expectOneModelEach(scene, answers);
  });

  test('with a late data center the moment of arming is the instant', async () => {
    const scene = await makeScene({ sections: 'signups: { cutover: 2025-10-30 }' });
    const running = await signUp(scene);
    const before = systemClock.now();
    await scene.rollOut();
    const effective = await waitForGate(scene.fleet, 'effective_at');
    expect(effective.getTime()).toBeGreaterThan(before.getTime());
    const answers = await running.finished;
    expectNoneStalled(answers);
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
    const running = await signUp(scene);
    const instant = await scene.cutOverIn(3_500);
    const held = await holdOpen(scene, 2, from(instant, 1_500));
    const answers = [...(await Promise.all(held)), ...(await running.finished)];
    expectNoneStalled(answers);
    await expectOneModelEach(scene, answers);
    // none stays behind on the pooler's sessions
    await waitFor('the gate to be let go', async () => {
      const held = await scene.cell.sql(`select from pg_locks where locktype = 'advisory' and objid = 4294967295
        and database = (select oid from pg_database where datname = current_database())`);
      return held.length === 0;
    });
  });
});
