// Sixty nights, four retentions of them: what they leave behind reaches a plateau.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { planDataCenter } from '../../src/engine/plan/plan-data-center.js';
import { purgeNights } from '../../src/engine/reconcile/purge-nights.js';
import { requestReconcile } from '../../src/engine/reconcile/request-reconciliation.js';
import { createFleet, type Fleet } from '../support/fleet.js';
import { type Counts, type Nights, simulateNights } from './simulate-nights.js';
import { CELL_TABLES, CONTROL_TABLES } from './tables.js';

const RETENTION = 15;
/** After so many every purge has had its turn; after as many again nothing may have grown. */
const PERIOD = 2 * RETENTION;
const NIGHTS = 2 * PERIOD;
const ORGS = 20;
const UNDECIDABLE = 2;
/** Every so many nights a person plans, and asks for a reconciliation. */
const PERSON_EVERY = 5;

let fleet: Fleet;
let nights: Nights;
beforeAll(async () => {
  fleet = await createFleet({
    cells: [{ orgs: [...Array(ORGS).fill({}), { edition: 'unknown' }, { agents: null }] }],
    rollout: '{ batchSize: 100, planRetention: P10D, approval: auto, guardRails: { quarantinedShare: 1 } }',
    sections: `reconcile: { driftRetention: P${RETENTION}D }\nsignups: { cutover: 2025-10-30 }`,
  });
  await fleet.apply(fleet.cell(0));
  await fleet.drive();
  nights = await simulateNights(fleet);
});
afterAll(() => fleet.drop());

/** A day with one edit, and a person now and then. */
async function live(day: number): Promise<void> {
  const { dataCenter, card, sql } = fleet.cell(0);
  await sql('update public.orgs set agents = agents + 1 where org_id = $1', [1 + (day % ORGS)]);
  // a process that was killed, and never says goodbye
  await sql('insert into credit_rollout.workers (worker_id) values ($1)', [`worker:${day}`]);
  await fleet.control('insert into credit_rollout_control.schedulers (scheduler_id) values ($1)', [`scheduler:${day}`]);
  if (day % PERSON_EVERY === 0) {
    await planDataCenter(fleet.engine, { config: fleet.config, dataCenter: dataCenter.id, card, save: 'plan' });
    await requestReconcile(fleet.engine, { dataCenter: dataCenter.id, reason: 'to be sure' });
  }
  await nights.next();
}

const grownBy = (from: Counts, to: Counts): Readonly<Record<string, number>> =>
  Object.fromEntries(
    Object.entries(to).flatMap(([name, rows]) => (rows === from[name] ? [] : [[name, rows - (from[name] ?? 0)]])),
  );

describe('sixty nights, four retentions of them,', () => {
  test('leave no more behind than one retention of them', async () => {
    const seen: Counts[] = [];
    for (let day = 1; day <= NIGHTS; day += 1) {
      await live(day);
      if (day % PERIOD === 0) seen.push(await nights.count());
    }
    const [first = {}, last = {}] = seen;
    const persons = PERIOD / PERSON_EVERY;
    // whole periods lie between both: what grows is what people did, and the history of orgs
    expect(grownBy(first, last)).toEqual({
      'credit_rollout.allotment_changes': PERIOD,
      'credit_rollout_control.audit': 2 * persons,
      'credit_rollout_control.audit_gaps': persons,
      'credit_rollout_control.audit_links': 2 * persons,
    });
    expect(last).toMatchObject({
      'credit_rollout_control.due_work': RETENTION,
      'credit_rollout.workers': 0,
      'credit_rollout_control.schedulers': 0,
    });
    for (const [name, growth] of [
      ...Object.entries(CELL_TABLES).map(([table, of]) => [`credit_rollout.${table}`, of] as const),
      ...Object.entries(CONTROL_TABLES).map(([table, of]) => [`credit_rollout_control.${table}`, of] as const),
    ])
      if (growth === 'time' && !/\.audit(?:_links)?$/u.test(name))
        expect(last[name], name).toBeLessThanOrEqual((RETENTION + 2) * (1 + UNDECIDABLE));
  });

  test('leave what is needed: the newest night, and the reason of every org that cannot be decided', async () => {
    const { sql } = fleet.cell(0);
    expect(await sql(`select distinct org_id::int from credit_rollout.quarantine order by 1`)).toEqual([
      { org_id: ORGS + 1 },
      { org_id: ORGS + 2 },
    ]);
    expect(await sql(`select count(*)::int as runs from credit_rollout.runs where kind = 'migrate'`)).toEqual([
      { runs: 1 },
    ]);
    const [kept] = await fleet.control(
      `select min(local_date) >= current_date - ${RETENTION + 1} as young, max(local_date) >= current_date - 1 as newest
       from credit_rollout_control.due_work where kind = 'reconcile'`,
    );
    expect(kept).toEqual({ young: true, newest: true });
    const [forgotten] = await fleet.control(`select count(*) > 0 as some, bool_and(details ? 'control') as whole
      from credit_rollout_control.audit where action = 'forget_nights'`);
    expect(forgotten).toEqual({ some: true, whole: true });
    await sql(`insert into credit_rollout.workers (worker_id) values ('alive')`);
    await sql(`insert into credit_rollout.plan_parts values (1, 1, 'of a planning that broke off', '{}')`);
    expect(await purgeNights(fleet.engine, { retentionDays: RETENTION })).toBe(0);
    expect(await sql('select worker_id from credit_rollout.workers')).toEqual([{ worker_id: 'alive' }]);
    expect(await sql('select from credit_rollout.plan_parts')).toEqual([]);
    // a migration whose plan is purged cannot be compared with it any more
    await fleet.expectInvariants(['I16']);
  });
});
