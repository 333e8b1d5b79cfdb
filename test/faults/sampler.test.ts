// The worker that measures the checks is killed in the middle: nothing of its measurement counts, the others write until
// the one before it is 15 s old, then nothing is written until somebody measures again.
import { afterEach, expect, test } from 'vitest';
import { allDone, createFleet, type Fleet, slowDown, speedUp } from '../support/fleet.js';
import { waitFor } from '../support/wait.js';

const dropped: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
});

/** A measurement takes its time, so that it can be met in the middle. */
const CHECK = '{ name: slow, query: "select 1 from pg_sleep(0.4)", limit: 100 }';

/** Each batch notes how old the newest measurement was when it was done, and how long it took itself. */
const NOTE_AGES = `
create table public.ages (age_ms float8, batch_ms float8);
create function public.note_age() returns trigger language plpgsql security definer as $$
begin
  insert into public.ages select extract(epoch from clock_timestamp() - t.sampled_at) * 1000,
      extract(epoch from clock_timestamp() - now()) * 1000
    from credit_rollout.throttle t where t.scope = 'write';
  return null;
end $$;
create trigger note_age after update on credit_rollout.batches for each row
  when (old.state <> 'done' and new.state = 'done') execute function public.note_age()`;

const MEASURING = `select from pg_stat_activity where datname = current_database() and state = 'active'
  and query ~ '^fetch' and wait_event = 'PgSleep'`;

async function startFleet(): Promise<Fleet> {
  const fleet = await createFleet({
    orgs: 4_000,
    queue: 'postgres',
    rollout: `{ batchSize: 100, checks: [${CHECK}] }`,
  });
  dropped.push(fleet.drop);
  await fleet.cell(0).sql(NOTE_AGES);
  await slowDown(fleet.cell(0), 250);
  fleet.startScheduler();
  await fleet.apply(fleet.cell(0));
  return fleet;
}

const one = async ({ cell }: Fleet, sql: string): Promise<Readonly<Record<string, unknown>>> =>
  (await cell(0).sql(sql))[0] ?? {};

const holds = async (fleet: Fleet): Promise<readonly unknown[]> =>
  (await fleet.control('select code from credit_rollout_control.holds')).map(({ code }) => code);

test('no batch begins 15 s after the last measurement, `no_data` says why, and it goes on with the next one', async () => {
  const fleet = await startFleet();
  const { cell, sql } = fleet.cell(0);
  const killed = await fleet.spawn('worker');
  const written = async (): Promise<number> => Number((await one(fleet, 'select count(*) as n from public.ages')).n);
  await waitFor('batches', async () => (await written()) >= 2);
  await waitFor('a measurement in the middle', async () => (await sql(MEASURING)).length > 0, { everyMs: 5 });
  await killed.kill();
  await waitFor('its sessions to end', async () => (await sql(MEASURING)).length === 0);
  const throttle = `select looked_at > sampled_at as in_the_middle, lanes from credit_rollout.throttle
    where scope = 'write'`;
  const { in_the_middle: inTheMiddle, lanes } = await one(fleet, throttle);
  expect([inTheMiddle, Number(lanes)]).toEqual([true, expect.toSatisfy((allowed: number) => allowed > 0)]);

  // most of the 15 s have passed, and nobody else may measure
  await sql(
    `truncate public.ages; update credit_rollout.throttle set sampled_at = clock_timestamp() - interval '10 s'`,
  );
  await cell.asOwner(async (tx) => {
    await tx.raw(`select from credit_rollout.throttle where scope = 'write' for update`);
    fleet.startWorker({ pollMs: 500 });
    await waitFor('the hold', async () => (await holds(fleet)).includes('no_data'));
  });
  const before = await one(
    fleet,
    `select count(*)::int as written, max(age_ms - batch_ms) as begun, max(age_ms) as done from public.ages`,
  );
  expect(before).toMatchObject({ written: expect.toSatisfy((count: number) => count > 0) });
  expect(before).toMatchObject({ done: expect.toSatisfy((ms: number) => ms > 10_000) });
  expect(before).toMatchObject({ begun: expect.toSatisfy((ms: number) => ms <= 15_000) });

  await speedUp(fleet.cell(0));
  await fleet.waitForStages(allDone);
  expect(await one(fleet, 'select max(age_ms - batch_ms) <= 15000 as in_time from public.ages')).toEqual({
    in_time: true,
  });
  await fleet.expectInvariants();
});
