// What the verification reports about a cut-over: not armed, ahead, sweeping, proven, or broken and by what.
import { afterEach, describe, expect, test } from 'vitest';
import { verifyDataCenter } from '../../../src/engine/operate/verify-data-center.js';
import { applyAll, type TestCell } from '../../support/cell.js';
import { waitFor } from '../../support/wait.js';
import {
  arm,
  closeAll,
  cutOver,
  inMs,
  latch,
  makeCell,
  reachInstant,
  signUp,
  swept,
  writeWaiting,
} from './gate-scene.js';

afterEach(closeAll);

describe('verifyDataCenter', () => {
  const verify = async (cell: TestCell) => (await verifyDataCenter(cell.context, cell.dataCenter.id)).cutover;

  test('proves a cut-over, and lists who is in quarantine', async () => {
    const cell = await makeCell({ orgs: [{}, { edition: 'unheard of' }, { agents: null }] });
    await applyAll(cell);
    expect(await verify(cell)).toMatchObject({ verdict: 'not_armed' });
    await arm(cell, inMs(3_600_000));
    expect(await verify(cell)).toMatchObject({ verdict: 'ahead' });
    await signUp(cell, '10');
    await reachInstant(cell);
    await waitFor('the latch', async () => (await latch(cell)).kind === 'latched');
    await signUp(cell, '11');
    expect(await verify(cell)).toMatchObject({ verdict: 'sweeping', onLegacy: 1 });
    await applyAll(cell);
    await swept(cell);
    await cell.sql(`update public.orgs set agents = 5 where org_id = 3`);
    expect(await verify(cell)).toMatchObject({
      verdict: 'proven',
      onLegacy: 0,
      signUps: { legacy: 1, credits: 1, lateLegacy: 0, flipped: 0 },
      quarantinedOrgs: 2,
      quarantined: [
        { orgId: '2', reason: 'unknown_edition', decidable: false },
        { orgId: '3', reason: 'null_agents', decidable: true },
      ],
    });
  });

  test.each([
    ['an org that nobody decided', `insert into public.orgs (org_id, edition) values (5, 'free')`, { onLegacy: 1 }],
    [
      'a sign-up that was answered legacy after the instant',
      `insert into credit_rollout.sign_ups values (1, 'legacy', clock_timestamp())`,
      { signUps: { lateLegacy: 1 } },
    ],
    [
      'a decision that was changed',
      `alter table credit_rollout.sign_ups disable trigger all;
       update credit_rollout.sign_ups set model = 'legacy', decided_at = '2020-01-01' where org_id = 2`,
      { signUps: { flipped: 1 } },
    ],
  ])('does not prove it with %s', async (_, breakIt, found) => {
    const cell = await makeCell({ orgs: [{}] });
    await applyAll(cell);
    await cutOver(cell);
    await signUp(cell, '2');
    await swept(cell);
    // a worker is about to write it
    expect(await verify(cell)).toMatchObject({ verdict: 'proven' });
    await writeWaiting(cell);
    expect(await verify(cell)).toMatchObject({ verdict: 'proven' });
    await cell.sql(breakIt);
    expect(await verify(cell)).toMatchObject({ verdict: 'broken', ...found });
  });
});
