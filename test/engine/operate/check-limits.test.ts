// The limit of a check while a rollout runs: what one operator sets reaches the cell, sealed; what is looser ends by
// itself; and what two people agreed on reaches a run that has begun.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readStatus } from '../../../src/engine/operate/read-status.js';
import { type CheckLimitRequest, readCheckLimits, setCheckLimit } from '../../../src/engine/operate/set-check-limit.js';
import { tick } from '../../../src/engine/scheduler/tick.js';
import { approvePolicyChange, proposePolicyChanges } from '../../../src/engine/settings/change-policy.js';
import { serveOpenWork } from '../../../src/engine/worker/serve-cell.js';
import { createFleet, type Fleet } from '../../support/fleet.js';
import { createPeople, type TestPeople } from '../../support/person.js';

let fleet: Fleet;
let crowd: TestPeople;
beforeAll(async () => {
  const checks = `[{ name: probe }, { name: load, query: select 1, limit: 100 },
    { name: quiet, query: select false, holds: [start] }]`;
  fleet = await createFleet({ orgs: 20, rollout: `{ checks: ${checks} }` });
  crowd = await createPeople(
    fleet,
    { name: 'ana', roles: ['operator'] },
    { name: 'ben', roles: ['approver'] },
    { name: 'clock', roles: ['scheduler'] },
  );
  await fleet.control(`insert into credit_rollout_control.webhooks (webhook) values ('ops')`);
  await fleet.apply(fleet.cell(0));
});
afterAll(async () => {
  await crowd.drop();
  await fleet.drop();
});

const dc = (): string => fleet.cell(0).dataCenter.id;
const personOf = (name: string) => {
  const person = crowd.people.find((one) => one.name.startsWith(`${name}_`));
  if (person === undefined) throw new Error(`there is no ${name}`);
  return person;
};
const set = (name: string, value: string | null, own: Partial<CheckLimitRequest> = {}) =>
  setCheckLimit(personOf('ana').engine, { dataCenter: dc(), name, value, emergency: false, reason: 'why', ...own });
const by = (name: string, sql: string): Promise<unknown> =>
  personOf(name)
    .engine.control.inTransaction((tx) => tx.raw(sql))
    .then(
      () => 'done',
      (error: { readonly code: string; readonly constraint?: string }) => error.constraint ?? error.code,
    );
const inCell = async (name = 'load') =>
  (
    await fleet.cell(0).sql(
      `select limit_value as limit, loosened_limit, loosened_until > now() as loosened from credit_rollout.checks
       where name = $1`,
      [name],
    )
  )[0];
const revision = async () => (await readStatus(fleet.engine)).dataCenters[0]?.revision;
const events = () =>
  fleet.control(`select kind, code, value, due_at > now() as later from credit_rollout_control.webhook_events
    where kind like 'check%' order by event_id`);
const tickAsScheduler = () => tick(personOf('clock').engine);

test('what holds a start is off for two hours by one operator, and is told', async () => {
  const holds = async () => (await readStatus(fleet.engine)).dataCenters[0]?.holds.map(({ code }) => code);
  await fleet.tickUntil('it is held', async () => (await holds())?.includes('check_failed') === true);
  await expect(set('quiet', 'off')).rejects.toMatchObject({ code: 'setting_refused' });
  const report = await set('quiet', 'off', { emergency: true });
  expect(report).toMatchObject({ isOff: true, ofPolicy: { isOff: false }, set: [{ kind: 'loosened', limit: null }] });
  expect((await readStatus(fleet.engine)).dataCenters[0]?.checkLimits).toMatchObject([
    { name: 'quiet', kind: 'loosened', setBy: personOf('ana').name, reason: 'why', until: expect.any(Date) },
  ]);
  expect(await events()).toEqual([
    { kind: 'check.loosened', code: 'quiet', value: 'off', later: false },
    { kind: 'check.restored', code: 'quiet', value: null, later: true },
  ]);
  await tickAsScheduler();
  await serveOpenWork(fleet.engine, dc()); // makes its plan
  await fleet.tickUntil('an open run', async () => (await inCell()) !== undefined);
  expect(await inCell('quiet')).toBeUndefined();
  await set('quiet', null);
  expect((await events()).at(-1)).toMatchObject({ kind: 'check.restored', later: false });
  expect((await events()).length).toBe(2);
});

describe('in a run that has begun', () => {
  test('a stricter limit reaches the cell at the next tick, and is measured before the next batch', async () => {
    await fleet.cell(0).sql(`update credit_rollout.throttle set sampled_at = clock_timestamp(), looked_at = now()`);
    const seen = await revision();
    expect(await set('load', '50', { revision: seen })).toMatchObject({ limit: 50, revision: (seen ?? 0) + 1 });
    await expect(set('load', '40', { revision: seen })).rejects.toMatchObject({ code: 'revision_changed' });
    await tickAsScheduler();
    expect(await inCell()).toMatchObject({ limit: 50, loosened: null });
    expect(
      await fleet.cell(0).sql(`select looked_at is null and sampled_at < now() - interval '15 s' as due
        from credit_rollout.throttle where scope = 'write'`),
    ).toEqual([{ due: true }]);
    await set('load', null);
    await tickAsScheduler();
    expect(await inCell()).toMatchObject({ limit: 100 });
  });

  test('an emergency ends in the cell by itself, also where no scheduler runs', async () => {
    await set('load', '900', { emergency: true });
    await tickAsScheduler();
    expect(await inCell()).toMatchObject({ limit: 100, loosened_limit: 900, loosened: true });
    const past = `set local session_replication_role = replica;
      update credit_rollout_control.check_limits set until = now() - interval '1 s' where ended_at is null`;
    await fleet.control(past);
    expect(await readCheckLimits(fleet.engine, dc(), 'load')).toMatchObject([{ limit: 100, set: [] }]);
    await tickAsScheduler();
    expect(await inCell()).toMatchObject({ limit: 100, loosened: null });
    await set('load', '900', { emergency: true });
    // a stricter one ends it at once
    await set('load', '60');
    expect(await readCheckLimits(fleet.engine, dc(), 'load')).toMatchObject([{ limit: 60, set: [{ limit: 60 }] }]);
    await set('load', null);
  });

  test('what two people agreed on reaches it', async () => {
    const spec = { kind: 'value', name: 'rollout.checks.load', value: '300' } as const;
    const [change] = await proposePolicyChanges(personOf('ana').engine, spec, 'a larger server');
    await tickAsScheduler();
    expect(await inCell()).toMatchObject({ limit: 100 });
    if (change === undefined) throw new Error('nothing was proposed');
    await approvePolicyChange(personOf('ben').engine, change.changeId, null);
    await tickAsScheduler();
    expect(await inCell()).toMatchObject({ limit: 300 });
  });

  test('an older seal brings nothing back', async () => {
    const seal = async () =>
      (
        await fleet.control(`select credit_rollout_control.seal_checks(run_id)::text as seal
      from credit_rollout_control.data_centers`)
      )[0]?.seal;
    await set('load', '900', { emergency: true });
    const loose = await seal();
    await set('load', '50');
    await tickAsScheduler();
    await fleet.cell(0).sql('select credit_rollout.change_checks($1::jsonb)', [loose]);
    expect(await inCell()).toMatchObject({ limit: 50, loosened: null });
    await set('load', null);
  });

  test('leaves who, why, before and after in the audit', async () => {
    expect(
      await fleet.control(`select action, actor, reason, details ->> 'from' as before, details ->> 'to' as after
        from credit_rollout_control.audit where action ~ '_check$' and details ->> 'setting' = 'checks.quiet' order by seq`),
    ).toEqual([
      { action: 'loosen_check', actor: personOf('ana').name, reason: 'why', before: null, after: 'off' },
      { action: 'unset_check', actor: personOf('ana').name, reason: 'why', before: 'off', after: null },
    ]);
  });
});

describe('a login of the database', () => {
  const insert = (columns: string, values: string): string =>
    `insert into credit_rollout_control.check_limits (data_center, name, kind, ${columns})
     values ('${dc()}', 'load', ${values})`;

  test('never loosens for longer, in another name, or for good', async () => {
    expect(await by('ana', insert('limit_value, reason, until', `'loosened', 900, 'x', now()`))).toBe('42501');
    expect(await by('ana', insert('limit_value, reason', `'tightened', null, 'x'`))).toBe(
      'check_limits_tightened_check',
    );
    expect(await by('ana', insert('limit_value, reason', `'tightened', 3, 'x'`).replace('load', 'made-up'))).toBe(
      'check_limits_known_check',
    );
    for (const column of ['until', 'set_by', 'set_at', 'kind', 'name'])
      expect(await by('ana', `update credit_rollout_control.check_limits set ${column} = ${column}`)).toBe('42501');
    expect(await by('ana', 'delete from credit_rollout_control.check_limits')).toBe('42501');
    expect(await by('ana', `update credit_rollout_control.data_centers set checks_at = now()`)).toBe('42501');
    // what counts is the stricter of the row and the policy
    await by(
      'ana',
      `update credit_rollout_control.check_limits set limit_value = 100000, ended_at = null
      where name = 'load' and kind = 'tightened'`,
    );
    expect(await readCheckLimits(fleet.engine, dc(), 'load')).toMatchObject([{ limit: 300 }]);
    for (const name of ['ben', 'clock'])
      expect(await by(name, insert('limit_value, reason', `'loosened', 900, 'x'`))).toBe('42501');
    expect(await by('ana', 'select credit_rollout_control.seal_checks(1)')).toBe('42501');
  });
});
