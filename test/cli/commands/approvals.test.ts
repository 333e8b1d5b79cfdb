// approve, protect and override on the command line: two people with a configuration of their own each.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formatRelease } from '../../../src/domain/rollout/hold.js';
import { readStatus } from '../../../src/engine/operate/read-status.js';
import { registerPlan } from '../../../src/engine/plan/register-plan.js';
import { createFleet, type Fleet } from '../../support/fleet.js';
import { createPeople, type TestPeople, type TestPerson } from '../../support/person.js';
import { sealTestPlan } from '../../support/sealed-plan.js';
import { type RanCommand, runCommand } from '../captured-io.js';

let folder = '';
let fleet: Fleet;
let crowd: TestPeople;
let dc = '';
type As = (...args: readonly string[]) => Promise<RanCommand>;
let alice: As;
let bob: As;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credit-rollout-cli-'));
  fleet = await createFleet({ cells: [{ orgs: [{}, {}, { paid: false }] }] });
  crowd = await createPeople(fleet, 'alice', 'bob');
  dc = fleet.cell(0).dataCenter.id;
  await fleet.apply(fleet.cell(0));
  expect(await fleet.drive()).toEqual(['done']);
  [alice, bob] = (await Promise.all(crowd.people.map(asPerson))) as [As, As];
});
afterAll(async () => {
  await crowd.drop();
  await fleet.drop();
  await rm(folder, { recursive: true });
});

async function asPerson({ name, controlUrl }: TestPerson): Promise<As> {
  const config = join(folder, `${name}.yaml`);
  const { url, dataCenter } = fleet.cell(0);
  await writeFile(
    config,
    `controlDatabase: "${controlUrl}"\nqueue: redis://127.0.0.1:1\nrateCard: ${resolve('src/sample/rate-card.yaml')}\ndataCenters:\n  - { id: ${dc}, zone: ${dataCenter.zone}, database: "${url}", source: public.orgs }\n`,
  );
  return (...args) => runCommand(...args, '--config', config);
}

const nameOf = (place: number): string => crowd.people[place]?.name ?? '';

async function makePlan(number: number, rails: 'inside' | 'outside'): Promise<string> {
  // the rollout had plans of its own, with lower numbers
  const planId = `${dc}-${100 + number}`;
  const rail = { rail: 'maxRaiseFactor', value: '4.0', limit: '3', passes: rails === 'inside' } as const;
  const plan = {
    ...{ planId, dataCenter: dc, digest: 'a'.repeat(64), cardHash: 'card', author: nameOf(0), rails: [rail] },
    snapshotAt: '2026-11-22T14:02:11Z',
    counts: {
      ...{ orgs: 2, first: 2, raises: 0, falls: 0, unchanged: 0, touched: 2, legacyWins: 1, paidFalling: 0 },
      ...{ unpaidFalling: 0, traps: 0, quarantined: 0, before: '1000', after: '1100', planCredits: '900' },
      ...{ grandfathered: '100', maxRaiseFactor: 4, maxFloorOverPlan: null, protectedTouched: 0, staleLeftOut: 0 },
    },
  };
  const seal = await sealTestPlan(fleet.control, plan);
  await registerPlan(crowd.people[0]?.engine ?? fleet.engine, { ...plan, seal });
  return planId;
}

describe('approve', () => {
  test('rejects the author with exit code 7, and accepts another person', async () => {
    const planId = await makePlan(1, 'outside');
    const own = await alice('approve', planId);
    expect(own.code).toBe(7);
    expect(own.err).toContain('error [same_person]');
    // not by the command, which has a time limit of its own
    const nextOf = async (): Promise<string> =>
      (await readStatus(fleet.engine)).dataCenters.map(({ next }) => formatRelease(next)).join();
    expect(await nextOf()).toMatch(new RegExp(`approve ${planId} \\(by another person than its author\\)$`, 'u'));
    const { code, out } = await bob('approve', planId, '--reason', 'reviewed');
    expect(code).toBe(0);
    expect(out).toContain(`✔ ${planId}: approved by ${nameOf(1)}; planned by ${nameOf(0)}`);
    expect(out).toMatch(/maxRaiseFactor +4\.0 +3\n/u);
    expect(out).toContain(`apply --dc ${dc} --plan ${planId} --execute`);
    expect(await nextOf()).toMatch(new RegExp(`apply --plan ${planId} --execute$`, 'u'));
  });

  test('names the older approvals it voided, as a document too', async () => {
    const planId = await makePlan(2, 'inside');
    const { code, out } = await bob('approve', planId, '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      ...{ plan_id: planId, kind: 'person', state: 'open', given: true, voided: [`${dc}-101`], inside_rails: true },
      ...{ author: nameOf(0), approver: nameOf(1), digest: 'a'.repeat(64), counts: { touched: 2, before: '1000' } },
    });
    expect((await bob('approve', `${dc}-101`)).code).toBe(6);
  });

  test('names no apply where one waits for the plan already', async () => {
    const planId = await makePlan(3, 'outside');
    const request = (at: string): Promise<unknown> =>
      fleet.control(`set local session_replication_role = replica;
        update credit_rollout_control.data_centers set requested_at = ${at}, plan_id = '${planId}' where id = '${dc}'`);
    await request('now()');
    const { code, out } = await bob('approve', planId);
    await request('null');
    expect(code).toBe(0);
    expect(out).toContain('status --watch');
    expect(out).not.toContain('--execute');
    expect((await bob('approve', planId)).out).toContain(`apply --dc ${dc} --plan ${planId} --execute`);
  });

  test.each(['in', 'in-7', 'nonsense', ''])('knows no plan %j', async (id) => {
    const { code, err } = await bob('approve', id);
    expect(code).toBe(1);
    expect(err).toContain('error [plan_unknown]');
  });

  test('knows no override of a data center that is not configured', async () => {
    const { code, err } = await bob('approve', 'elsewhere-o1');
    expect(code).toBe(1);
    expect(err).toContain('error [unknown_data_center]');
  });
});

describe('override', () => {
  test('shows what would change, changes nothing, and names the command of the second person', async () => {
    const { code, out } = await alice('override', '1', '--dc', dc, '--floor', '200000', '--reason', 'peak of October');
    expect(code).toBe(0);
    expect(out).toContain(`· ${dc}-o1: floor of org 1 in ${dc}, 150,000 → 200,000`);
    expect(out).toContain(`proposed by ${nameOf(0)}: peak of October`);
    expect(out).toMatch(/total_credits +150,000 +200,000\n/u);
    expect(out).toContain(`approve ${dc}-o1`);
    expect((await alice('approve', `${dc}-o1`)).code).toBe(7);
    expect(await fleet.cell(0).sql('select floor from credit_rollout.allotments where org_id = 1')).toEqual([
      { floor: '150000' },
    ]);
  });

  test('is applied by the second person’s approval', async () => {
    const { code, out } = await bob('approve', `${dc}-o1`, '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      ...{ override_id: `${dc}-o1`, data_center: dc, org_id: '1', state: 'applied', floor: '200000' },
      ...{ author: nameOf(0), approver: nameOf(1), before: { floor: '150000' }, after: { total_credits: '200000' } },
    });
    expect((await bob('approve', `${dc}-o1`)).code).toBe(6);
    expect((await alice('verify', '--dc', dc)).code).toBe(0);
  });

  test.each([
    ['without a reason', ['--floor', '300000'], 'needs a reason'],
    ['with an empty one', ['--floor', '300000', '--reason', ' '], 'needs a reason'],
    ['without a floor', ['--reason', 'x'], '--floor'],
    ['with separators', ['--floor', '300,000', '--reason', 'x'], 'without separators'],
    ['with a negative floor', ['--floor=-1', '--reason', 'x'], 'whole number'],
    ['with a floor that no column holds', ['--floor', '9223372036854775808', '--reason', 'x'], 'whole number'],
  ])('rejects one %s', async (_, flags, why) => {
    const { code, err } = await alice('override', '1', '--dc', dc, ...flags);
    expect(code).toBe(1);
    expect(err).toContain(why);
  });

  test('rejects with 6 what the next run would raise again', async () => {
    const { code, err } = await alice('override', '2', '--dc', dc, '--floor', 'none', '--reason', 'x');
    expect(code).toBe(6);
    expect(err).toContain('error [override_refused]');
  });

  test('of an org that does not pay says that its credits stay as they are', async () => {
    const { code, out } = await alice('override', '3', '--dc', dc, '--floor', '200000', '--reason', 'a test');
    expect(code).toBe(0);
    expect(out).toMatch(/⚠ Its credits stay [\d,]+ a day: it does not pay, and a floor counts only while an org pays/u);
    expect((await alice('override', '3', '--dc', dc, '--withdraw', '--reason', 'a test')).code).toBe(0);
  });
});

describe('protect', () => {
  test('explains what follows, and can be taken back', async () => {
    const { code, out } = await alice('protect', '2', '--dc', dc, '--reason', 'launch partner');
    expect(code).toBe(0);
    expect(out).toContain(`✔ org 2 in ${dc} is protected\n`);
    expect((await alice('protect', '2', '--dc', dc)).out).toContain('protected already; nothing was written');
    const removed = await bob('protect', '2', '--dc', dc, '--remove', '--json');
    expect(JSON.parse(removed.out)).toEqual({
      ...{ data_center: dc, org_id: '2', state: 'unprotected', changed: true, protected_orgs: 0 },
    });
  });

  test('rejects an org that is none', async () => {
    expect((await alice('protect', '999', '--dc', dc)).err).toContain('error [org_not_found]');
  });
});
