// The checks of a cell on a real server: what is measured, what holds and for how long. No worker gets past it.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { CheckSpec } from '../../../src/domain/checks/check.js';
import { applyBatches } from '../../../src/engine/batch/apply-batches.js';
import { sampleChecks } from '../../../src/engine/batch/sample-checks.js';
import { cellRoleName } from '../../../src/stores/cell/cell-database.js';
import { applyCanary, contextOf, createTestCell, openRun, type TestCell } from '../../support/cell.js';
import { fillCell, uniqueId } from '../../support/fleet.js';
import { expectInvariants } from '../../support/invariants.js';

let cell: TestCell;
let at: { readonly dataCenter: string; readonly epoch: bigint; readonly forMs: number };

beforeAll(async () => {
  // its worker is granted something, and roles are the server's
  cell = await createTestCell({ dataCenter: uniqueId('t') });
  await fillCell(cell, 1_000);
  const epoch = await openRun(cell.cell, cell.card, { batchSize: 100, lanes: 3 });
  at = { dataCenter: cell.dataCenter.id, epoch, forMs: 60_000 };
  await applyCanary(cell.cell, at);
});
afterEach(async () => {
  await cell.sql('drop table if exists public.load');
});
afterAll(async () => {
  await expectInvariants({ cells: [{ id: cell.dataCenter.id, sql: cell.sql }], except: ['I23'] });
  await cell.drop();
});

/** As the seal of a run brings them. */
const sealChecks = (...specs: readonly CheckSpec[]): Promise<unknown> =>
  cell.sql('select credit_rollout.set_checks($1::jsonb)', [JSON.stringify(specs)]);

/** The cell has these checks, and nobody has sampled yet. */
async function setChecks(...specs: readonly CheckSpec[]): Promise<void> {
  await sealChecks(...specs);
  await cell.sql(`update credit_rollout.throttle
    set lanes = null, good_samples = 0, changed_at = null, sampled_at = null, looked_at = null, slowed = false;
    update credit_rollout.checks set calm_ms = '{}'`);
}

async function setLoad(value: number | null): Promise<void> {
  await cell.sql(`create table if not exists public.load (value float8); delete from public.load;
    grant select on public.load to public; insert into public.load values (${value ?? 'null'})`);
}

const LOAD: CheckSpec = { name: 'load', query: 'select value from public.load', limit: 100 };

const readings = async (): Promise<unknown> =>
  Object.fromEntries(
    (await cell.sql('select name, value, error from credit_rollout.checks')).map(({ name, value, error }) => [
      name,
      error ?? value,
    ]),
  );

const lanes = async (): Promise<unknown> =>
  (await cell.sql(`select lanes from credit_rollout.throttle where scope = 'write'`))[0]?.lanes;

const pending = async (): Promise<number> =>
  Number((await cell.sql(`select count(*) from credit_rollout.batches where state = 'pending'`))[0]?.count);

/** Makes it so that the newest sample was this long ago. */
const age = (seconds: number): Promise<unknown> =>
  cell.sql(`update credit_rollout.throttle set sampled_at = sampled_at - make_interval(secs => ${seconds}),
    looked_at = looked_at - make_interval(secs => ${seconds})`);

describe('the checks of a cell', () => {
  test('are measured once before the first batch, and by one worker at a time', async () => {
    await setChecks({ name: 'probe' }, { name: 'lockWaits' }, { name: 'batchTime' }, { name: 'wal', limit: 1_000 });
    const before = await pending();
    // a clock that stands: on a busy machine a second would pass, and one more measurement
    const standing = { ...contextOf(cell.cell), clock: { now: () => new Date(0), sleep: async () => undefined } };
    expect((await applyBatches(standing, { ...at, forMs: 0 })).batches).toBe(1);
    expect(await pending()).toBe(before - 1);
    expect(await readings()).toMatchObject({ probe: expect.any(Number), lockWaits: 0, wal: 0 });
    expect(await lanes()).toBe(2);
    expect(await sampleChecks(cell.cell, 4_500)).toBe(false);
    expect(await sampleChecks(cell.cell, 0)).toBe(true);
  });

  test('hold from twice the limit, and go on with an eighth of a lane after three good samples', async () => {
    await setChecks(LOAD);
    await setLoad(200);
    const before = await pending();
    expect((await applyBatches(contextOf(cell.cell), at)).last).toEqual({ kind: 'throttled' });
    await setLoad(10);
    for (const expected of [0, 0, 0.125]) {
      await sampleChecks(cell.cell, 0);
      expect(await lanes()).toBe(expected);
    }
    expect(await pending()).toBe(before);
    // the newest batch was half a second long, and has just ended
    await cell.sql(`update credit_rollout.batches set duration_ms = 500, done_at = clock_timestamp()
      where done_at = (select max(done_at) from credit_rollout.batches)`);
    const rests: number[] = [];
    const context = contextOf(cell.cell);
    const clock = {
      ...context.clock,
      sleep: async (ms: number) => {
        rests.push(ms);
        await cell.sql(`update credit_rollout.batches set done_at = done_at - make_interval(secs => 4)`);
      },
    };
    expect((await applyBatches({ ...context, clock }, { ...at, forMs: 0 })).last.kind).toBe('done');
    expect(rests).toEqual([expect.toSatisfy((ms: number) => ms > 3_000 && ms <= 3_500)]);
  });

  test.each([
    ['cannot be read', async () => cell.sql('drop table public.load'), '42P01'],
    ['may not be read', async () => cell.sql('revoke select on public.load from public'), '42501'],
    ['gives no number', async () => setLoad(null), 'not_a_number'],
  ])('hold where one %s, at once', async (_, breakIt, code) => {
    await setLoad(1);
    await setChecks(LOAD);
    await sampleChecks(cell.cell, 0);
    expect(await lanes()).toBe(2);
    await breakIt();
    await sampleChecks(cell.cell, 0);
    expect([await readings(), await lanes()]).toEqual([{ load: code }, 0]);
    expect((await applyBatches(contextOf(cell.cell), at)).last).toEqual({ kind: 'throttled' });
  });

  test('hold while a query hangs, for a second', async () => {
    await setChecks({ name: 'load', query: 'select 1 from pg_sleep(60)', limit: 100 });
    const began = performance.now();
    expect((await applyBatches(contextOf(cell.cell), at)).last).toEqual({ kind: 'throttled' });
    expect(performance.now() - began).toBeLessThan(10_000);
    expect(await readings()).toEqual({ load: '57014' });
  });

  test('let nobody write 15 s after the last sample, unless a new one allows it', async () => {
    await setLoad(1);
    await setChecks(LOAD);
    await sampleChecks(cell.cell, 0);
    await age(14);
    expect((await applyBatches(contextOf(cell.cell), { ...at, forMs: 0 })).batches).toBe(1);
    await setLoad(200);
    await age(2);
    // the sample is due first, and it holds
    expect((await applyBatches(contextOf(cell.cell), at)).last).toEqual({ kind: 'throttled' });
    // nobody can sample: another session holds the row of those who want to
    await cell.sql(`update credit_rollout.throttle set sampled_at = clock_timestamp() - interval '16 s', lanes = 3`);
    const clock = { now: () => new Date(), sleep: async () => undefined };
    const before = await pending();
    const last = await cell.cell.asOwner(async (tx) => {
      await tx.raw(`select from credit_rollout.throttle where scope = 'write' for update`);
      return (await applyBatches({ ...contextOf(cell.cell), clock }, at)).last;
    });
    expect(last.kind).toBe('unsampled');
    expect(await pending()).toBe(before);
  });

  test('of a clock that was set back let nobody write until a new sample', async () => {
    await setLoad(1);
    await setChecks(LOAD);
    await sampleChecks(cell.cell, 0);
    await age(-3_600);
    await setLoad(200);
    expect((await applyBatches(contextOf(cell.cell), at)).last).toEqual({ kind: 'throttled' });
  });

  test('that only read numbers of others say what is missing, and read them with pg_read_all_stats', async () => {
    const worker = cellRoleName(cell.dataCenter.id, 'worker');
    await setChecks({ name: 'sessions', limit: 1_000 }, { name: 'lag' }, { name: 'archive' });
    await sampleChecks(cell.cell, 0);
    expect(await readings()).toEqual({ sessions: '42501', lag: '42501', archive: 'archive_off' });
    await cell.sql(`grant pg_read_all_stats to "${worker}"`);
    await sampleChecks(cell.cell, 0);
    expect(await readings()).toMatchObject({ sessions: expect.any(Number), lag: 'no_standby' });
    await cell.sql(`revoke pg_read_all_stats from "${worker}"`);
  });

  test('change with a scheduler, keep their readings, and are gone when there are none', async () => {
    await setLoad(200);
    await setChecks(LOAD);
    await sampleChecks(cell.cell, 0);
    await sealChecks({ ...LOAD, limit: 1_000 });
    expect(await readings()).toEqual({ load: 200 });
    await setChecks();
    const { last } = await applyBatches(contextOf(cell.cell), at);
    expect(last).toEqual({ kind: 'nothing_pending' });
  });
});
