// A scheduler's login gave a run the largest number there is: no cell opened it, it held the slot of every night of the
// fleet, and no command ended it.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ControlScene, openControlScene, underItsEpoch } from './control-scene.js';

const schema = 'credit_rollout_control';
const RESTRICTED = '23001';
const HUGE = '9223372036854775807';
let scene: ControlScene;
beforeAll(async () => {
  scene = await openControlScene();
});
afterAll(() => scene.drop());

const dc = (): string => scene.dataCenters[0];
const insert = (run: number | string, kind: string): string =>
  `insert into ${schema}.runs (run_id, data_center, kind, card_hash) values (${run}, '${dc()}', '${kind}', 'x')`;
const runs = (): Promise<readonly Record<string, unknown>[]> =>
  scene.fleet.control(`select run_id, state from ${schema}.runs order by run_id`);

test('a run has the epoch that was taken for it, and a sweep a cut-over that is to be swept', async () => {
  const { scheduler } = scene.logins;
  for (const run of [HUGE, 7]) expect(await scheduler.attempt(insert(run, 'migrate'))).toBe(RESTRICTED);
  // taken by another transaction
  expect(await scheduler.attempt(underItsEpoch(7, 'select'), insert(7, 'migrate'))).toBe(RESTRICTED);
  expect(await scheduler.attempt(underItsEpoch(8, insert(8, 'sweep')))).toBe(RESTRICTED);
  await scene.past(`update ${schema}.data_centers set run_id = 9`);
  expect(await scheduler.attempt(underItsEpoch(9, insert(9, 'migrate')))).toBe('done');
  for (const set of [`epoch = ${HUGE}`, `epoch = 9, shut_epoch = ${HUGE}`])
    expect([set, await scheduler.attempt(`update ${schema}.runs set ${set}`)]).toEqual([set, RESTRICTED]);
  await scene.past(`delete from ${schema}.runs; update ${schema}.data_centers set run_id = null`);
});

test('one that was begun all the same is given up by the next tick, and frees the slot', async () => {
  await scene.past(`insert into ${schema}.runs (run_id, data_center, kind, card_hash, epoch)
      values (${HUGE}, '${dc()}', 'sweep', 'x', ${HUGE});
    update ${schema}.data_centers set stage = 'done', quiet = true where id = '${dc()}'`);
  await scene.fleet.drive();
  expect(await runs()).toEqual([{ run_id: HUGE, state: 'failed' }]);
  expect(await scene.fleet.control(`select action, reason from ${schema}.audit where run_id = ${HUGE}`)).toEqual([
    { action: 'end_sweep', reason: 'the cell can never open it: epoch_not_taken' },
  ]);
});
