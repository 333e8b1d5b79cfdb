// Protecting orgs on a real cell: the row stays there, control learns of it only that it happened.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ProtectRequest, protectOrg } from '../../../src/engine/org/protect-org.js';
import { createFleet, type Fleet } from '../../support/fleet.js';

const ID = '00000000-0000-4000-8000-00000000abcd';
let fleet: Fleet;
beforeAll(async () => {
  fleet = await createFleet({ cells: [{ idType: 'uuid', orgs: [{ org_id: ID }, {}] }] });
});
afterAll(() => fleet.drop());

const protect = (own: Partial<ProtectRequest> = {}) =>
  protectOrg(fleet.engine, {
    ...{ dataCenter: fleet.cell(0).dataCenter.id, orgId: ID, to: 'protected', reason: 'launch partner' },
    ...own,
  });
const audit = (): Promise<readonly Record<string, unknown>[]> =>
  fleet.control(
    `select action, actor, reason, details from credit_rollout_control.audit where action like '%protect' order by seq`,
  );

describe('protectOrg', () => {
  test('keeps who, when and why in the cell, and verb, count and a hash in control', async () => {
    expect(await protect({ orgId: ID.toUpperCase() })).toMatchObject({ orgId: ID, changed: true, protectedOrgs: 1 });
    expect(await fleet.cell(0).sql('select org_id, reason, protected_by from credit_rollout.protected_orgs')).toEqual([
      { org_id: ID, reason: 'launch partner', protected_by: 'tester' },
    ]);
    const details = { orgs: 1, org_hash: expect.stringMatching(/^[0-9a-f]{64}$/u) };
    expect(await audit()).toEqual([{ action: 'protect', actor: 'tester', reason: 'launch partner', details }]);
  });

  test('repeats without effect and without an audit row', async () => {
    expect(await protect({ reason: 'another' })).toMatchObject({ changed: false, protectedOrgs: 1 });
    expect(await audit()).toHaveLength(1);
  });

  test('takes it back, with the same hash', async () => {
    expect(await protect({ to: 'unprotected' })).toMatchObject({ changed: true, protectedOrgs: 0 });
    const [first, second] = await audit();
    expect(second).toMatchObject({ action: 'unprotect', details: first?.details });
    expect(await protect({ to: 'unprotected' })).toMatchObject({ changed: false });
  });

  test('rejects an org that is none, and an id that is none', async () => {
    await expect(protect({ orgId: ID.replace('abcd', 'ffff') })).rejects.toMatchObject({ code: 'org_not_found' });
    await expect(protect({ orgId: '7' })).rejects.toMatchObject({ code: 'invalid_org_id' });
  });

  test.each([
    (id: string) =>
      `insert into credit_rollout.protected_orgs (org_id, reason, protected_by) values ('${id}', 'mine', 'me')`,
    (id: string) => `insert into credit_rollout.enforcement (org_id, credits) values ('${id}', 'off')`,
  ])('the cell refuses an id that nobody has, whoever may override: %s', async (insert) => {
    const { sql, dataCenter } = fleet.cell(0);
    const asOverride = (id: string) =>
      sql(`begin; set local role "credit_rollout_${dataCenter.id}_override"; ${insert(id)}; commit`);
    await expect(asOverride(ID.replace('abcd', 'fffe'))).rejects.toMatchObject({ constraint: 'org_known' });
    await sql('rollback');
    await asOverride(ID);
  });
});
