// The proof of the cut-over: sign-ups over many connections straddle the instant, and every org has exactly one model.
import { afterEach, describe, expect, test } from 'vitest';
import { armGate } from '../../src/engine/arm-gate.js';
import { latchGate } from '../../src/engine/latch-gate.js';
import { systemClock } from '../../src/kernel/clock.js';
import { markSwept } from '../../src/stores/cell/gate.js';
import { applyAll, createTestCell, makeId, type TestCell } from '../support/cell.js';
import { pgbouncerAvailable, startPgbouncer } from '../support/pgbouncer.js';
import { waitFor } from '../support/wait.js';
import { type Answer, openProduct, type Product, readRecords, spread, startPulse } from './sign-ups.js';

const ORGS = 1_000;
const STALL_MS = 300;

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

interface Scene {
  readonly cell: TestCell;
  readonly product: Product;
  /** The longest that the machine itself delayed a statement which asks no gate, in ms. */
  stopPulse(): Promise<number>;
}

async function makeScene({ connections = 100, through = (url: string) => url } = {}): Promise<Scene> {
  const cell = await createTestCell();
  closing.push(cell.drop);
  const product = openProduct(through(cell.url), connections);
  closing.push(product.close);
  await product.warmUp();
  return { cell, product, stopPulse: startPulse(cell) };
}

const arm = ({ cell }: Scene, configuredAt: Date) =>
  armGate(cell.context, { dataCenter: cell.dataCenter.id, configuredAt, configuredLocal: 'as configured' });

const inMs = (ms: number): Date => new Date(systemClock.now().getTime() + ms);
const sleepUntil = (at: Date): Promise<void> =>
  systemClock.sleep(Math.max(0, at.getTime() - systemClock.now().getTime()));

/** Once a second as a scheduler does, until it is latched; how often a sign-up was in the way, and who. */
async function keepLatching({ cell }: Scene): Promise<readonly string[]> {
  const blockers: string[] = [];
  for (;;) {
    const outcome = await latchGate(cell.context, cell.dataCenter.id);
    if (outcome.kind === 'latched') return blockers;
    if (outcome.kind === 'busy') blockers.push(...outcome.holders.map(({ application }) => application));
    await systemClock.sleep(1_000);
  }
}

/** Passes until one finds nothing, as the sweep does; then the window is over. */
async function sweep({ cell }: Scene): Promise<void> {
  for (let found = 1; found > 0; ) {
    const { runId } = await applyAll(cell);
    const [row] = await cell.sql('select sum(inserted)::int as n from credit_rollout.batches where run_id = $1', [
      String(runId),
    ]);
    found = Number(row?.n);
  }
  expect(await cell.cell.inTransaction('fencer', markSwept)).toBe(true);
}

/** Sign-ups that have asked and stay open until `until`; resolves to them once all have asked. */
async function holdOpen(
  scene: Scene,
  from: number,
  count: number,
  until: Promise<unknown>,
): Promise<Promise<Answer>[]> {
  const held = Array.from({ length: count }, (_, n) =>
    scene.product.signUp({ orgId: makeId(from + n, 'bigint'), until }),
  );
  await waitFor('the held sign-ups to ask', async () => {
    const rows = await scene.cell.sql(
      `select from pg_stat_activity where datname = current_database() and state = 'idle in transaction'
         and query like '%onboard_org%'`,
    );
    return rows.length >= count;
  });
  return held;
}

/** What must be true however the sign-ups fell, once the sweep is over. */
async function expectOneModelEach({ cell, stopPulse }: Scene, answers: readonly Answer[]): Promise<void> {
  const records = await readRecords(cell);
  expect(records.length).toBe(new Set(answers.map(({ orgId }) => orgId)).size);
  const modelOf = new Map(records.map((row) => [row.org_id, row.model]));
  expect(answers.filter(({ orgId, model }) => model !== modelOf.get(orgId))).toEqual([]);
  expect(records.filter(({ model, after }) => (model === 'credits') !== after)).toEqual([]);
  // none missed after the sweep, and nobody got what the other model gives
  expect(records.filter(({ origin }) => origin === null)).toEqual([]);
  expect(records.filter(({ model, floor }) => floor !== (model === 'credits' ? null : '150000'))).toEqual([]);
  expect(records.filter(({ model, origin }) => model === 'legacy' && origin !== 'migrated')).toEqual([]);
  // a call has more than one statement that a busy machine delays
  expect(longest(answers)).toBeLessThan(STALL_MS + 2 * (await stopPulse()));
}

const longest = (answers: readonly Answer[]): number => Math.max(...answers.map(({ tookMs }) => tookMs));
const count = (answers: readonly Answer[], model: string): number =>
  new Set(answers.filter((answer) => answer.model === model).map(({ orgId }) => orgId)).size;

describe('onboard_org around the instant', { timeout: 60_000 }, () => {
  test('1,000 sign-ups over 100 connections: one model each, none missed by the sweep, none stalled', async () => {
    const scene = await makeScene({ connections: 120 });
    const instant = inMs(3_500);
    expect(await arm(scene, instant)).toMatchObject({ kind: 'armed', gate: { effectiveAt: instant } });
    const held = await holdOpen(scene, 5_001, 12, sleepUntil(new Date(instant.getTime() + 2_300)));
    const running = spread(scene.product, { orgs: ORGS, forMs: 6_000, times: 3 });
    await sleepUntil(instant);
    const blockers = await keepLatching(scene);
    // at once, while sign-ups go on
    await sweep(scene);
    const answers = [...(await Promise.all(held)), ...(await running)];
    await expectOneModelEach(scene, answers);
    expect(count(answers, 'legacy')).toBeGreaterThan(100);
    expect(count(answers, 'credits')).toBeGreaterThan(100);
    // the held ones were told legacy before the instant and committed after it
    expect((await Promise.all(held)).map(({ model }) => model)).toEqual(Array(12).fill('legacy'));
    expect(blockers).toContain('product');
  });

  test('with no scheduler across the instant they switch all the same, and a late latch misses nobody', async () => {
    const scene = await makeScene();
    const instant = inMs(1_500);
    await arm(scene, instant);
    const held = await holdOpen(scene, 5_001, 5, sleepUntil(new Date(instant.getTime() + 1_000)));
    const answers = [
      ...(await spread(scene.product, { orgs: ORGS, forMs: 4_000, times: 3 })),
      ...(await Promise.all(held)),
    ];
    expect(await scene.cell.sql('select from credit_rollout.gate where latched_at is null')).toHaveLength(1);
    expect(await keepLatching(scene)).toEqual([]);
    await sweep(scene);
    await expectOneModelEach(scene, answers);
    expect(count(answers, 'credits')).toBeGreaterThan(100);
    expect(count(answers, 'legacy')).toBeGreaterThan(100);
  });

  test('with a late data center the moment of arming is the instant', async () => {
    const scene = await makeScene();
    const configured = inMs(-5_000);
    const running = spread(scene.product, { orgs: ORGS, forMs: 5_000, times: 3 });
    await systemClock.sleep(2_000);
    const before = inMs(0);
    const armed = await waitFor('the gate to be armed', async () => {
      const outcome = await arm(scene, configured);
      return outcome.kind === 'armed' && outcome.gate;
    });
    expect(armed.effectiveAt?.getTime()).toBeGreaterThanOrEqual(before.getTime());
    expect(armed.configuredAt).toEqual(configured);
    await keepLatching(scene);
    await sweep(scene);
    const answers = await running;
    await expectOneModelEach(scene, answers);
    expect(count(answers, 'legacy')).toBeGreaterThan(100);
    expect(count(answers, 'credits')).toBeGreaterThan(100);
  });

  test.skipIf(!pgbouncerAvailable())('through PgBouncer in transaction mode', async () => {
    const pooler = await startPgbouncer();
    closing.push(pooler.stop);
    const scene = await makeScene({ through: pooler.through, connections: 100 });
    const instant = inMs(3_000);
    await arm(scene, instant);
    const held = await holdOpen(scene, 5_001, 2, sleepUntil(new Date(instant.getTime() + 1_500)));
    const running = spread(scene.product, { orgs: ORGS, forMs: 6_000, times: 3 });
    await sleepUntil(instant);
    await keepLatching(scene);
    await sweep(scene);
    const answers = [...(await Promise.all(held)), ...(await running)];
    await expectOneModelEach(scene, answers);
    expect(count(answers, 'credits')).toBeGreaterThan(100);
    expect(
      await scene.cell.sql(`select from pg_locks where locktype = 'advisory' and objid = 4294967295
      and database = (select oid from pg_database where datname = current_database())`),
    ).toEqual([]);
  });
});
