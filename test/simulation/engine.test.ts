// The whole engine on a model of its databases: a hundred schedules of crashes, partitions, failovers, restored
// copies and operators. `npm run simulate` runs them for as long as asked, and all planted faults.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundleEngine } from './engine/bundle.js';

type Bundle = typeof import('./fixtures/simulate.js');

const folder = mkdtempSync(join(tmpdir(), 'simulated-engine-'));
let engine: Bundle;
beforeAll(async () => {
  const bundle = join(folder, 'simulate.mjs');
  await bundleEngine(fileURLToPath(new URL('./fixtures/simulate.ts', import.meta.url)), bundle);
  engine = (await import(pathToFileURL(bundle).href)) as Bundle;
});
afterAll(() => rmSync(folder, { recursive: true }));

test('breaks no promise in any schedule, and everything that is pending ends or says why it waits', async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const { script, broken, schedules, steps } = await engine.simulate({ seed, schedules: 100 });
  expect({ script, broken }, `seed ${seed}`).toEqual({ script: null, broken: [] });
  expect(steps / schedules).toBeGreaterThan(50);
});

test.each([
  'a batch does not compare the epoch',
  'a checkpoint of another transaction',
  'no auditor',
  'a floor that grants nothing',
])('finds a fault that is planted: %s', async (plant) => {
  const { script, broken } = await engine.simulate({ seed: 1, schedules: 200, plant, shortens: false });
  expect(broken.length).toBeGreaterThan(0);
  // and it is the fault that was found, not the schedule
  expect((await engine.simulate({ seed: 1, schedules: 1, script: script ?? '' })).broken).toEqual([]);
});

test.each([
  // a scheduler closes the fence; a failover loses that; another one opens it again; and the first one records the close
  'from 6 0, wait 0 1, suspend 2 0, suspend 1 41, failOver 0 4',
  // control is restored to before an abort, and opens the fence for a run that the cell has ended
  'from 9 0, abort 4 0, together 0 0, step 0 0, restoreControl 0 1, step 0 0',
  'from 8 0, overtake 4 24, overtake 6 8, restoreControl 0 2, step 0 0',
])('breaks no promise in a schedule that once did: %s', async (script) => {
  expect((await engine.simulate({ seed: 1, schedules: 1, script })).broken).toEqual([]);
});

test('a function of a store that the model lacks breaks the schedule by its name', async () => {
  const { broken } = await engine.simulate({ seed: 1, schedules: 5, without: 'listDataCenters', shortens: false });
  expect(broken).toContain('the model has no listDataCenters');
});
