// The one table of transitions, by complement: what is not in it is rejected by the domain and by the control database.
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RESTING_STAGES, SLOT_STAGES, STAGE_TRANSITIONS, STAGES } from '../../../src/domain/rollout/stage.js';
import { openPostgres } from '../../../src/platform/postgres.js';
import { createControlDatabase, migrateControl } from '../../../src/stores/control/control-database.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.js';

const PAIRS = STAGES.flatMap((from) => STAGES.filter((to) => to !== from).map((to) => [from, to] as const));
const LEGAL = new Set(STAGE_TRANSITIONS.map(({ from, to }) => `${from} ${to}`));

describe('the table of transitions', () => {
  test('knows every pair once, with a reason', () => {
    expect(LEGAL.size).toBe(STAGE_TRANSITIONS.length);
    for (const { reason } of STAGE_TRANSITIONS) expect(reason).not.toBe('');
  });

  test('every stage can be reached and, but for the last, left', () => {
    for (const stage of STAGES) {
      expect(stage === 'pending' || STAGE_TRANSITIONS.some(({ to }) => to === stage)).toBe(true);
      expect(STAGE_TRANSITIONS.some(({ from }) => from === stage)).toBe(true);
    }
  });

  test('no stage both rests and holds the slot', () => {
    expect(RESTING_STAGES.filter((stage) => SLOT_STAGES.includes(stage))).toEqual([]);
  });
});

describe('the control database', () => {
  let database: TestDatabase;
  let client: pg.Client;

  beforeAll(async () => {
    database = await createTestDatabase('stages');
    const control = createControlDatabase(openPostgres({ url: database.url, applicationName: 'test', max: 1 }));
    await control.inTransaction(migrateControl);
    await control.close();
    client = new pg.Client({ connectionString: database.url });
    await client.connect();
    await client.query(
      `insert into credit_rollout_control.data_centers (id, position, zone) values ('eu', 0, 'UTC'), ('us', 1, 'UTC')`,
    );
    // that a canary needs its approval is another rule than the table
    await client.query(`alter table credit_rollout_control.data_centers disable trigger data_centers_require_approval`);
    // and so is that an undo needs its request
    await client.query(`alter table credit_rollout_control.data_centers disable trigger data_centers_require_undo`);
  });
  afterAll(async () => {
    await client.end();
    await database.drop();
  });

  test('holds the same table, reasons included', async () => {
    const { rows } = await client.query(
      'select from_stage as "from", to_stage as "to", reason from credit_rollout_control.stage_transitions',
    );
    const sort = (list: readonly { from: string; to: string }[]) =>
      [...list].sort((a, b) => `${a.from} ${a.to}`.localeCompare(`${b.from} ${b.to}`));
    expect(sort(rows)).toEqual(sort(STAGE_TRANSITIONS));
  });

  test.each(PAIRS)('%s to %s: lets through only what the table has', async (from, to) => {
    await client.query('begin');
    await client.query(`alter table credit_rollout_control.data_centers disable trigger data_centers_check_transition`);
    await client.query(`update credit_rollout_control.data_centers set stage = $1 where id = 'eu'`, [from]);
    await client.query(`alter table credit_rollout_control.data_centers enable trigger data_centers_check_transition`);
    const code = await client
      .query(`update credit_rollout_control.data_centers set stage = $1 where id = 'eu'`, [to])
      .then(
        () => undefined,
        (error) => error.code,
      );
    await client.query('rollback');
    expect(code).toBe(LEGAL.has(`${from} ${to}`) ? undefined : '23001');
  });

  test.each(SLOT_STAGES)('has one slot: a second data center cannot be %s', async (stage) => {
    await client.query('begin');
    await client.query(`alter table credit_rollout_control.data_centers disable trigger data_centers_check_transition`);
    await client.query(`update credit_rollout_control.data_centers set stage = 'migrating' where id = 'eu'`);
    const code = await client
      .query(`update credit_rollout_control.data_centers set stage = $1 where id = 'us'`, [stage])
      .then(
        () => undefined,
        (error) => error.code,
      );
    await client.query('rollback');
    expect(code).toBe('23505');
  });

  test('keeps its audit append-only', async () => {
    await client.query(`insert into credit_rollout_control.audit (actor, action) values ('tester', 'x')`);
    for (const statement of [
      'update credit_rollout_control.audit set actor = $$me$$',
      'delete from credit_rollout_control.audit',
      'truncate credit_rollout_control.audit',
    ])
      await expect(client.query(statement)).rejects.toMatchObject({ code: '23001' });
  });
});
