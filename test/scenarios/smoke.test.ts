import { expect, test } from 'vitest';
import { allDone, createFleet } from '../support/fleet.js';

test('drive', async () => {
  const fleet = await createFleet({ cells: [{}, {}, {}] });
  await fleet.apply(...fleet.cells);
  expect(await fleet.drive()).toEqual(['done', 'done', 'done']);
  await fleet.expectInvariants();
  await fleet.drop();
});
test('pg queue', async () => {
  const fleet = await createFleet({ cells: [{}, {}], queue: 'postgres' });
  fleet.startWorker();
  fleet.startScheduler();
  await fleet.apply(...fleet.cells);
  await fleet.waitForStages(allDone);
  await fleet.expectInvariants();
  await fleet.drop();
});
test('spawn', async () => {
  const fleet = await createFleet({ cells: [{}, {}], queue: 'postgres' });
  await fleet.spawn('worker');
  const s = await fleet.spawn('scheduler');
  await fleet.apply(...fleet.cells);
  await fleet.waitForStages(allDone);
  await fleet.expectInvariants();
  console.log(s.output().slice(0, 3000));
  await fleet.drop();
});
