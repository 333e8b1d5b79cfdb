// Ids that no index of ours can hold: such orgs are left out everywhere and counted, and nothing fails because of one.
import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { createEmptyUsage } from '../../../src/domain/meter/usage.js';
import { feedChanges } from '../../../src/engine/feed/feed-changes.js';
import { readStatus } from '../../../src/engine/operate/read-status.js';
import { verifyDataCenter } from '../../../src/engine/operate/verify-data-center.js';
import { addSignUpTrigger, installChangeFeed } from '../../../src/engine/setup/triggers.js';
import { recordUsage } from '../../../src/engine/usage/record-usage.js';
import { systemClock } from '../../../src/kernel/clock.js';
import { createFleet, type Fleet } from '../../support/fleet.js';
import { closeAll as closeGate, cutOver, makeCell as makeGate, onboard } from '../cutover/gate-scene.js';
import { checkCells, closeAll as closeDoctor, makeCell as makeChecked, of } from '../doctor/doctor-scene.js';

const dropped: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
  await closeDoctor();
  await closeGate();
});

/** So many bytes that nothing compresses much. */
const noise = (bytes: number): string => randomBytes(bytes).toString('base64').slice(0, bytes);
const HELD = ['a', 'b', 'm'.repeat(2_000), 'é'.repeat(1_000), noise(2_000)];
const TOO_LONG = ['m'.repeat(2_001), `${'é'.repeat(1_000)}x`, noise(2_001), noise(3_000), noise(200_000)];
const ORGS = [...HELD, ...TOO_LONG].map((org_id) => ({ org_id }));

const idsIn = async (fleet: Fleet, table: string): Promise<readonly unknown[]> =>
  (await fleet.cell(0).sql(`select org_id::text as id from credit_rollout.${table}`)).map(({ id }) => id).toSorted();

describe('orgs whose ids are too long', () => {
  test('are left out of a whole life and counted, and nothing of it fails', async () => {
    const fleet = await createFleet({ cells: [{ idType: 'text', key: 'none', orgs: ORGS }] });
    dropped.push(fleet.drop);
    const { cell, dataCenter, sql } = fleet.cell(0);
    expect(await fleet.whatIf(fleet.cell(0))).toMatchObject({ leftOut: 5, counts: { orgs: 5 }, quarantined: [] });
    const statusOf = async () => (await readStatus(fleet.engine)).dataCenters[0];
    expect(await statusOf()).toMatchObject({ leftOut: 0 });
    await installChangeFeed(cell, { dataCenter, clock: systemClock, feed: 'wanted' });

    await fleet.apply(fleet.cell(0));
    expect(await fleet.drive()).toEqual(['done']);
    expect(await idsIn(fleet, 'allotments')).toEqual(HELD.toSorted());
    expect(await statusOf()).toMatchObject({ leftOut: 5, unreachable: null, failure: null });
    expect(await verifyDataCenter(fleet.engine, dataCenter.id)).toMatchObject({ checked: 5, mismatches: 0 });
    expect(await sql(`select count(*) as orgs from credit_rollout.org_capacity`)).toEqual([{ orgs: '5' }]);

    // the feed: one statement of the product that changes all of them
    await sql('update public.orgs set agents = agents + 500, updated_at = now()');
    expect(await idsIn(fleet, 'changed_orgs')).toEqual(HELD.toSorted());
    await feedChanges(fleet.cell(0).context, dataCenter.id, { pace: 'at_once' });
    expect(
      await sql('select failure, (select count(*) from credit_rollout.changed_orgs) as left from credit_rollout.feed'),
    ).toEqual([{ failure: null, left: '0' }]);
    expect(await sql('select from credit_rollout.allotments where agents = 800')).toHaveLength(5);

    // a night: an org gets such an id, and another one comes
    await sql(`update public.orgs set org_id = 'b' || org_id where org_id = $1`, [HELD[2]]);
    await sql(`update public.orgs set agents = agents + 500 where octet_length(org_id) > 1000`);
    await fleet.control(`update credit_rollout_control.data_centers set done_at = done_at - interval '2 days'`);
    await fleet.drive();
    expect(await fleet.control(`select counts from credit_rollout_control.due_work where state <> 'missed'`)).toEqual([
      { counts: expect.objectContaining({ 'cause gone': 1 }) },
    ]);
    expect(await idsIn(fleet, 'quarantine')).toEqual([]);
    expect(await statusOf()).toMatchObject({ leftOut: 6, failure: null });
    expect(await fleet.plan(fleet.cell(0))).toMatchObject({ leftOut: 6, counts: { orgs: 4 } });
    await fleet.expectInvariants();
  });

  test('are a warning of doctor with their number', async () => {
    const cell = await makeChecked({ idType: 'text', key: 'none', orgs: ORGS });
    await cell.insertOrgs({ org_id: null });
    const found = of(await checkCells([cell]), cell.dataCenter.id).filter(({ check }) => check === 'null ids');
    expect(found).toMatchObject([
      { level: 'error', code: 'source_null_ids', found: '1 rows have no org_id' },
      { level: 'warning', found: '5 orgs have ids of over 2000 bytes; they are left out, and keep what they have' },
    ]);
  });

  test('are not metered, and end nothing of what was counted of others', async () => {
    const cell = await makeGate({ idType: 'text', key: 'none', orgs: ORGS });
    const [{ day } = {}] = await cell.sql(
      `select (now() at time zone zone)::date::text as day from credit_rollout.cell`,
    );
    const used = [...TOO_LONG, ...HELD].map((id) => ({ ...createEmptyUsage(id, String(day), 'legacy'), calls: 1 }));
    expect(await recordUsage(cell.cell, used)).toMatchObject({ rejected: TOO_LONG.length });
    expect(
      (await cell.sql('select org_id from credit_rollout.usage_days')).map(({ org_id }) => org_id).toSorted(),
    ).toEqual(HELD.toSorted());
    await expect(recordUsage(cell.cell, used.slice(0, 1))).resolves.toMatchObject({ rejected: 1 });
  });

  test('sign up as the gate says, and nothing fails', async () => {
    const cell = await makeGate({ idType: 'text', key: 'none' });
    await addSignUpTrigger(cell.cell, { dataCenter: cell.dataCenter, clock: systemClock, trigger: 'wanted' });
    for (const id of TOO_LONG) expect(await onboard(cell, id)).toBe('legacy');
    await cutOver(cell);
    for (const id of TOO_LONG.map((before) => `x${before}`)) {
      await cell.insertOrgs({ org_id: id, created_at: 'now' });
      expect(await onboard(cell, id)).toBe('credits');
    }
    expect(await cell.sql('select from credit_rollout.allotments')).toEqual([]);
    // nobody could ever write it, so nothing waits for it
    expect(await cell.sql('select from credit_rollout.pending_sign_ups')).toEqual([]);
  });
});

describe('the source of texts', () => {
  test('is still read by a key range, and nearly every row is expected', async () => {
    const cell = await makeGate({ idType: 'text' });
    await cell.sql(`insert into public.orgs (org_id, edition, paid, agents, light_agents, additional_credits, created_at)
      select 'org ' || n, 'standard', true, 300, 0, 0, now() from generate_series(1, 4000) n; analyze public.orgs`);
    const explain = async (sql: string): Promise<string> =>
      (await cell.sql(`explain ${sql}`)).map((row) => row['QUERY PLAN']).join('\n');
    const range = await explain(`select * from credit_rollout.decided('org 100', 'org 120', null, null)`);
    expect(range).toMatch(/Index (Only )?Scan using orgs_pkey|Bitmap Index Scan on orgs_pkey/u);
    expect(range).not.toMatch(/Function Scan on (assessed|decided)/u);
    expect(await explain('select * from credit_rollout.source_orgs')).toMatch(/Seq Scan on orgs .* rows=39\d\d/u);
  });
});
