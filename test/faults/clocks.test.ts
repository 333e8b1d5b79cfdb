// Clocks that jump and clocks that are wrong (T1, T2, T9): cut-overs and nights go by the databases' clocks alone, and
// what was latched stays latched whatever a database's clock shows afterwards.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { executeCutover } from '../../src/engine/cutover/execute-cutover.js';
import { proveCutover } from '../../src/engine/cutover/prove-cutover.js';
import { cutOverAt, listSweeps, waitForGate } from '../engine/cutover/scene.js';
import { type Answer, openProduct, type Product } from '../engine/cutover/sign-ups.js';
import {
  type ClockedServer,
  createFakeClock,
  type FakeClock,
  faketimeAvailable,
  startServerUnder,
} from '../support/faketime.js';
import { allDone, createFleet, type Fleet, type FleetOptions } from '../support/fleet.js';
import { setPolicy } from '../support/policy.js';
import type { FleetProcess } from '../support/spawn-process.js';
import { readLag } from '../support/stopwatch.js';
import { waitFor } from '../support/wait.js';

const MINUTE = 60_000;
const HOUR_S = 3_600;
const ORGS = 100;
/**
 * Of a latch after its instant: a scheduler checks then, and once a second after that. Nothing beside an hour, or five
 * minutes.
 */
const SOON_MS = 20_000;

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function makeClock(): Promise<FakeClock> {
  const clock = await createFakeClock();
  closing.push(clock.remove);
  return clock;
}

interface Rollout {
  readonly fleet: Fleet;
  readonly product: Product;
  readonly scheduler: FleetProcess;
  readonly worker: FleetProcess;
}

/** A data center that is done, a scheduler and a worker that live on, and a product. */
async function rollOut(
  options: FleetOptions,
  clocks: { readonly scheduler?: FakeClock; readonly worker?: FakeClock } = {},
): Promise<Rollout> {
  const fleet = await createFleet({ orgs: ORGS, queue: 'postgres', ...options });
  closing.push(fleet.drop);
  const product = openProduct(fleet.cell(0).url, 3);
  closing.push(product.close);
  await product.prepareConnections();
  const [scheduler, worker] = await Promise.all([
    fleet.spawn('scheduler', clocks.scheduler && { clock: clocks.scheduler }),
    fleet.spawn('worker', { pollMs: 1_000, ...(clocks.worker && { clock: clocks.worker }) }),
  ]);
  await fleet.apply(fleet.cell(0));
  await fleet.waitForStages(allDone);
  return { fleet, product, scheduler, worker };
}

/** One whole poll of the scheduler, from its beginning, after this was called. */
async function waitForPoll({ fleet }: Rollout): Promise<void> {
  const seen = async () =>
    (await fleet.control('select seen_at from credit_rollout_control.schedulers'))[0]?.seen_at as Date | undefined;
  // the first may have begun before
  for (let poll = 0; poll < 2; poll += 1) {
    const before = await seen();
    await fleet.engine.wakeUps.wakeSchedulers();
    await waitFor('a poll of the scheduler', async () => (await seen())?.getTime() !== before?.getTime());
  }
}

const clockOf = async (sql: Fleet['control']): Promise<Date> =>
  (await sql('select clock_timestamp() as now'))[0]?.now as Date;
const gateOf = async ({ fleet }: Rollout) => (await fleet.cell(0).sql('select * from credit_rollout.gate'))[0];
const nightsOf = ({ fleet }: Rollout) =>
  fleet.control(`select w.due_at, w.state, r.state as run from credit_rollout_control.due_work w
    left join credit_rollout_control.runs r using (run_id) where w.kind = 'reconcile' order by w.due_at`);
const signUp = async ({ product }: Rollout, ...orgIds: readonly number[]): Promise<readonly string[]> =>
  Promise.all(orgIds.map(async (orgId) => (await product.signUp({ orgId: String(orgId) })).model));
/** What a sign-up that has no org yet learns. */
const askModel = async ({ fleet }: Rollout): Promise<unknown> =>
  (await fleet.cell(0).sql('select credit_rollout.signup_model() as model'))[0]?.model;

const wholeSecond = (from: Date, ms: number): Date => new Date(Math.ceil((from.getTime() + ms) / 1_000) * 1_000);
const wholeMinute = (from: Date, minutes: number): Date =>
  new Date((Math.floor(from.getTime() / MINUTE) + minutes) * MINUTE);
const nightAt = ({ fleet }: Rollout, at: Date): Promise<void> =>
  setPolicy(fleet, { 'reconcile.at': at.toISOString().slice(11, 16) });

async function waitForSwept(rollout: Rollout): Promise<void> {
  await waitForGate(rollout.fleet, 'swept_at');
  await waitFor('the sweep to end', async () =>
    (await listSweeps(rollout.fleet)).every(({ state }) => state === 'done'),
  );
}

/** Everything that was recorded is one side of the instant or the other, and stays so. */
async function expectProven(
  { fleet }: Rollout,
  signUps: { legacy: number; credits: number },
  except: readonly string[] = [],
): Promise<void> {
  expect(await proveCutover(fleet.cell(0).cell, 0)).toMatchObject({
    verdict: 'proven',
    signUps: { ...signUps, lateLegacy: 0, flipped: 0 },
  });
  const waiting = 'select from credit_rollout.pending_sign_ups';
  await waitFor('workers to write what waits', async () => (await fleet.cell(0).sql(waiting)).length === 0);
  expect(
    await fleet.cell(0).sql(`select s.org_id from credit_rollout.source_orgs s where not exists (
      select from credit_rollout.allotments a where a.org_id = s.org_id) and s.edition <> 'retired'`),
  ).toEqual([]);
  await fleet.expectInvariants(except);
}

/** How far off the clocks are, and by what a night and an instant are then to come by the databases' clocks. */
interface WrongClocks {
  /** Of the scheduler and of the worker, in seconds: the scheduler's ahead at first, behind then. */
  readonly first: readonly [number, number];
  readonly second: readonly [number, number];
  /** In minutes: less than the scheduler's clock is off. */
  readonly far: number;
}

async function expectNothingEarlyOrLate({ first, second, far }: WrongClocks): Promise<void> {
  const [schedulers, workers] = [await makeClock(), await makeClock()];
  const rollout = await rollOut({}, { scheduler: schedulers, worker: workers });
  const { fleet } = rollout;
  const turn = async (offsets: readonly [number, number]): Promise<void> => {
    await Promise.all([schedulers.set(offsets[0]), workers.set(offsets[1])]);
    const clocks = await Promise.all([rollout.scheduler.readClock(), rollout.worker.readClock()]);
    for (const [n, at] of clocks.entries())
      expect(Math.abs(at.getTime() - Date.now() - (offsets[n] ?? 0) * 1_000)).toBeLessThan(MINUTE);
  };
  await fleet.control(`update credit_rollout_control.data_centers set done_at = done_at - interval '1 hour'`);

  // a night and an instant that have come by the scheduler's clock, and by no other
  const began = await clockOf(fleet.control);
  await nightAt(rollout, wholeMinute(began, far));
  await cutOverAt(fleet, closing, wholeSecond(began, far * MINUTE));
  await turn(first);
  await waitForPoll(rollout);
  expect(await gateOf(rollout)).toMatchObject({ latched_at: null });
  expect(await nightsOf(rollout)).toEqual([]);
  expect(await signUp(rollout, 5_001, 5_002)).toEqual(['legacy', 'legacy']);
  expect((await clockOf(fleet.control)) < wholeMinute(began, far)).toBe(true);

  // and those that have not come by it, but have by the databases' clocks
  await turn(second);
  const passed = wholeMinute(await clockOf(fleet.control), 1 - far);
  await nightAt(rollout, passed);
  const aheadMs = 4_000 + 20 * (await readLag(fleet.cell(0)));
  const instant = wholeSecond(await clockOf(fleet.cell(0).sql), aheadMs);
  await cutOverAt(fleet, closing, instant);
  const latched = await waitForGate(fleet, 'latched_at');
  expect(latched.getTime()).toBeGreaterThanOrEqual(instant.getTime());
  expect(latched.getTime()).toBeLessThan(instant.getTime() + SOON_MS);
  expect(await signUp(rollout, 5_003, 5_001)).toEqual(['credits', 'legacy']);
  await waitForSwept(rollout);
  const night = { due_at: passed, state: 'ran', run: 'done' };
  await waitFor('the night', async () => (await nightsOf(rollout))[0]?.run === 'done');
  expect(await nightsOf(rollout)).toEqual([night]);

  await turn(first);
  await waitForPoll(rollout);
  expect(await nightsOf(rollout)).toEqual([night]);
  await expectProven(rollout, { legacy: 2, credits: 1 });
}

describe.skipIf(!faketimeAvailable())('a scheduler and a worker', () => {
  test('whose clocks jump an hour ahead, then two hours back, do nothing early and nothing late (T1)', () =>
    expectNothingEarlyOrLate({ first: [HOUR_S, HOUR_S], second: [-HOUR_S, -HOUR_S], far: 30 }));

  test('whose clocks are five minutes off, each the other way, do nothing early and nothing late (T9)', () =>
    expectNothingEarlyOrLate({ first: [300, -300], second: [-300, 300], far: 4 }));
});

describe.skipIf(!faketimeAvailable())('a database', () => {
  let clock: FakeClock;
  let server: ClockedServer;
  beforeAll(async () => {
    clock = await createFakeClock();
    server = await startServerUnder(clock);
  });
  afterAll(async () => {
    await server.stop();
    await clock.remove();
  });

  test('whose clock jumps over the instant and back latches once, and sign-ups stay on credits (T2)', async () => {
    const midnight = new Date(Math.ceil(Date.now() / 86_400_000) * 86_400_000);
    /** So many minutes from midnight, for everything that is stored: control, queue and cell. */
    const turn = (minutes: number): Promise<void> =>
      clock.set(Math.round((midnight.getTime() + minutes * MINUTE - Date.now()) / 1_000));
    await turn(-30);
    const rollout = await rollOut({ server: server.adminUrl });
    const { fleet, product } = rollout;
    await cutOverAt(fleet, closing, midnight);
    expect(await signUp(rollout, 5_001, 5_002)).toEqual(['legacy', 'legacy']);
    let release: (answer?: unknown) => void = () => undefined;
    let held: Promise<Answer> | undefined;
    // its answer is there, and its transaction stays open
    await new Promise<void>((onAnswer, reject) => {
      held = product.signUp({ orgId: '5003', until: new Promise((resolve) => (release = resolve)), onAnswer });
      held.catch(reject);
    });

    await turn(30);
    expect(await signUp(rollout, 5_004, 5_001)).toEqual(['credits', 'legacy']);
    await waitForPoll(rollout);
    expect(await gateOf(rollout)).toMatchObject({ latched_at: null });
    release();
    expect(await held).toMatchObject({ model: 'legacy' });
    await waitForSwept(rollout);
    await waitFor('the night', async () => (await nightsOf(rollout))[0]?.run === 'done');
    const [gate, nights] = [await gateOf(rollout), await nightsOf(rollout)];
    expect(gate).toMatchObject({ effective_at: midnight });
    expect(nights).toMatchObject([{ due_at: new Date(midnight.getTime() + 15 * MINUTE), state: 'ran' }]);

    // two hours back, and over all of it again
    for (const minutes of [-90, 40]) {
      await turn(minutes);
      expect((await clockOf(fleet.control)) < midnight).toBe(minutes < 0);
      expect(await askModel(rollout)).toBe('credits');
      expect(await signUp(rollout, 6_000 + minutes, 5_001, 5_004)).toEqual(['credits', 'legacy', 'credits']);
      await waitForPoll(rollout);
      expect(await gateOf(rollout)).toEqual(gate);
      expect(await nightsOf(rollout)).toEqual(nights);
      await expectProven(rollout, { legacy: 3, credits: minutes < 0 ? 2 : 3 });
    }
    expect((await listSweeps(fleet)).map(({ kind }) => kind).sort()).toEqual(['reconcile', 'sweep']);
  });

  test('of a cell alone jumps over the instant, is latched, and jumps back before it is swept (T2)', async () => {
    await clock.set(0);
    const rollout = await rollOut({ cells: [{ server: server.adminUrl }] });
    const { fleet, worker } = rollout;
    const instant = wholeSecond(await clockOf(fleet.control), 30 * MINUTE);
    await cutOverAt(fleet, closing, instant);
    expect(await signUp(rollout, 5_001)).toEqual(['legacy']);

    // sign-ups go by the cell's clock; until the latch that works both ways
    await clock.set(HOUR_S);
    expect(await signUp(rollout, 5_002)).toEqual(['credits']);
    await waitForPoll(rollout);
    expect(await gateOf(rollout)).toMatchObject({ latched_at: null });
    await clock.set(0);
    expect(await signUp(rollout, 5_003, 5_002)).toEqual(['legacy', 'credits']);

    await clock.set(HOUR_S);
    worker.signal('SIGSTOP');
    const request = { dataCenter: fleet.cell(0).dataCenter.id, reason: 'its day has come' };
    expect(await executeCutover(fleet.engine, request)).toMatchObject({ outcome: 'latched' });
    await clock.set(-HOUR_S);
    worker.signal('SIGCONT');
    await waitForSwept(rollout);
    const gate = await gateOf(rollout);
    expect(gate).toMatchObject({ effective_at: instant });
    expect(await askModel(rollout)).toBe('credits');
    expect(await signUp(rollout, 5_004, 5_003, 5_002)).toEqual(['credits', 'legacy', 'credits']);
    await waitForPoll(rollout);
    expect(await gateOf(rollout)).toEqual(gate);
    expect(await listSweeps(fleet)).toMatchObject([{ kind: 'sweep', state: 'done' }]);
    // I9 puts commits in order by the cell's clock, which was set back between two of them
    await expectProven(rollout, { legacy: 2, credits: 2 }, ['I9']);
  });
});
