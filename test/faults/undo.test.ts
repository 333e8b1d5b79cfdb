// An undo in the middle of which a worker and its backend are lost: it goes on, takes back every org exactly once, and is
// nothing the second time.
import { afterEach, describe, expect, test } from 'vitest';
import { approveUndo, requestUndo } from '../../src/engine/undo/request-undo.js';
import { parseProposalId } from '../../src/kernel/proposal-id.js';
import { createFleet, type Fleet, type FleetOptions } from '../support/fleet.js';
import { createPeople, type TestPerson } from '../support/person.js';
import { waitFor } from '../support/wait.js';

const ORGS = 600;
// as fillCell has them
const DECIDABLE = ORGS - ORGS / 200;

const dropped: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
});

const capacitiesOf = (fleet: Fleet) =>
  fleet.cell(0).sql('select org_id, model, capacity from credit_rollout.org_capacity order by org_id');

interface Approved {
  readonly fleet: Fleet;
  /** What each org had before anything was rolled out. */
  readonly before: Awaited<ReturnType<typeof capacitiesOf>>;
  readonly ask: () => ReturnType<typeof requestUndo>;
}

/** A data center that is rolled out, with an approved undo whose batches take a while. */
async function approveSlowUndo(options: FleetOptions): Promise<Approved> {
  const fleet = await createFleet({ orgs: ORGS, rollout: '{ batchSize: 100 }', ...options });
  dropped.push(fleet.drop);
  const { sql, dataCenter } = fleet.cell(0);
  const before = await capacitiesOf(fleet);
  await fleet.apply(fleet.cell(0));
  expect(await fleet.drive()).toEqual(['done']);
  const { people, drop } = await createPeople(fleet, 'ana', 'bob');
  dropped.push(drop);
  const [ana, bob] = people as readonly [TestPerson, TestPerson];
  const ask = () => requestUndo(ana.engine, { dataCenter: dataCenter.id, limit: 1, reason: 'a wrong card' });
  const id = parseProposalId((await ask()).undoId ?? '');
  if (id?.kind !== 'undo') throw new Error('it was proposed');
  await approveUndo(bob.engine, id, null);
  await sql(`create function public.slow_down() returns trigger language plpgsql as
    $$ begin perform pg_sleep(0.3); return null; end $$`);
  await sql(`create trigger slow_down after insert on credit_rollout.undone_allotments
    for each statement execute function public.slow_down()`);
  return { fleet, before, ask };
}

const speedUp = (fleet: Fleet) => fleet.cell(0).sql('drop trigger slow_down on credit_rollout.undone_allotments');

const sleeper = async (fleet: Fleet): Promise<number | undefined> =>
  (
    await fleet.cell(0).sql(`select pid from pg_stat_activity where datname = current_database()
    and application_name = 'credit-rollout' and wait_event = 'PgSleep' limit 1`)
  )[0]?.pid as number | undefined;
const inBatch = (fleet: Fleet): Promise<number> =>
  waitFor('a batch in the middle of its write', () => sleeper(fleet).catch(() => undefined));

async function expectExact({ fleet, before, ask }: Approved): Promise<void> {
  expect(await fleet.stages()).toEqual(['undone']);
  expect(await capacitiesOf(fleet)).toEqual(before);
  const { sql } = fleet.cell(0);
  expect(await sql('select org_id from credit_rollout.allotments')).toEqual([]);
  expect(
    await sql(
      `select count(*)::int as rows, count(distinct org_id)::int as orgs from credit_rollout.undone_allotments`,
    ),
  ).toEqual([{ rows: DECIDABLE, orgs: DECIDABLE }]);
  expect(await ask()).toMatchObject({ state: 'nothing' });
  await fleet.expectInvariants();
}

describe('an undo', () => {
  test('goes on after kill -9 of its worker, and after the end of its backend', async () => {
    const undo = await approveSlowUndo({ queue: 'postgres' });
    const { fleet } = undo;
    fleet.startScheduler();
    const killed = await fleet.spawn('worker');
    await inBatch(fleet);
    await killed.kill();
    await waitFor('its batch to end', async () => (await sleeper(fleet)) === undefined);
    fleet.startWorker();
    await fleet.cell(0).sql('select pg_terminate_backend($1)', [await inBatch(fleet)]);
    await speedUp(fleet);
    await fleet.waitForStages(([stage]) => stage === 'undone');
    await expectExact(undo);
  });
});
