// What commands leave in control: who paused and until when, the end of a pause by a scheduler's own login, and the
// revision that keeps one person from undoing what another has just done.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readStatus } from '../../../src/engine/operate/read-status.js';
import { isAcknowledged, setIntent, setIntentAndWait } from '../../../src/engine/operate/set-intent.js';
import { readLanes, setLanes } from '../../../src/engine/operate/set-lanes.js';
import { tick } from '../../../src/engine/scheduler/tick.js';
import { serveOpenWork } from '../../../src/engine/worker/serve-cell.js';
import { createFleet, type Fleet } from '../../support/fleet.js';
import { createPeople, type TestPeople } from '../../support/person.js';

let fleet: Fleet;
let crowd: TestPeople;
beforeAll(async () => {
  fleet = await createFleet({ orgs: 20 });
  crowd = await createPeople(
    fleet,
    { name: 'ana', roles: ['operator'] },
    { name: 'ben', roles: ['operator'] },
    { name: 'clock', roles: ['scheduler'] },
  );
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
const read = async () => {
  const [status] = (await readStatus(fleet.engine)).dataCenters;
  if (status === undefined) throw new Error('no data center');
  return status;
};
const set = (name: string, change: object) =>
  setIntent(personOf(name).engine, { dataCenter: dc(), intent: 'pause', reason: null, ...change });

describe('a pause with an end', () => {
  test('names who paused, why and until when, and a scheduler resumes it as itself', async () => {
    await set('ana', { reason: 'a deploy', end: { kind: 'for', text: 'PT2H' } });
    const { pause, holds } = await read();
    expect(pause).toMatchObject({ by: personOf('ana').name, reason: 'a deploy' });
    expect(holds).toContainEqual(expect.objectContaining({ code: 'paused', needsPerson: false }));
    await tick(personOf('clock').engine);
    expect((await read()).intent).toBe('pause');
    // its time comes
    await fleet.control(`set local session_replication_role = replica;
      update credit_rollout_control.data_centers set paused_until = clock_timestamp()`);
    await tick(personOf('clock').engine);
    expect(await read()).toMatchObject({ intent: 'run', pause: null });
    expect(
      await fleet.control(
        `select actor, details ->> 'cause' as cause, details ->> 'paused_by' as paused_by
         from credit_rollout_control.audit where action = 'resume'`,
      ),
    ).toEqual([{ actor: personOf('clock').name, cause: 'pause_ended', paused_by: personOf('ana').name }]);
  });

  test('another pause replaces its end, and keeps since when', async () => {
    await set('ana', { end: { kind: 'for', text: 'PT2H' } });
    const first = (await read()).pause;
    await set('ben', { reason: 'longer', end: { kind: 'for', text: 'P2D' } });
    const second = (await read()).pause;
    expect(second).toMatchObject({ by: personOf('ben').name, reason: 'longer', since: first?.since });
    await set('ben', { reason: 'for good' });
    expect((await read()).pause).toMatchObject({ until: null });
    await set('ben', { intent: 'run' });
  });

  test('the database lets no pause end later than in 30 days, and nobody sign as somebody else', async () => {
    const ana = personOf('ana').engine.control;
    const update = (columns: string) =>
      ana.inTransaction((tx) => tx.raw(`update credit_rollout_control.data_centers set ${columns}`));
    await expect(update(`intent = 'pause', paused_until = 'infinity'`)).rejects.toMatchObject({
      constraint: 'data_centers_pause_length_check',
    });
    for (const column of [`paused_by = 'ben'`, 'paused_at = null', 'revision = 1'])
      await expect(update(column)).rejects.toMatchObject({ code: '42501' });
    await expect(update(`pause_reason = 'x'`)).resolves.toBeDefined();
    expect(await fleet.control('select pause_reason from credit_rollout_control.data_centers')).toEqual([
      { pause_reason: null },
    ]);
  });
});

describe('the revision', () => {
  test('keeps one who looked earlier from resuming what another has paused since', async () => {
    const { revision } = await read();
    await set('ana', { reason: 'stop', revision });
    await expect(set('ben', { intent: 'run', revision })).rejects.toMatchObject({
      code: 'revision_changed',
      message: expect.stringMatching(new RegExp(`paused since .* by ${personOf('ana').name} \\(stop\\)`, 'u')),
    });
    expect((await read()).pause).toMatchObject({ reason: 'stop' });
    await set('ben', { intent: 'run', revision: (await read()).revision });
  });

  test('lets one of many who saw the same change it', async () => {
    const { revision } = await read();
    const all = Array.from({ length: 6 }, (_, n) =>
      set(n % 2 === 0 ? 'ana' : 'ben', { intent: 'pause', reason: `${n}`, revision }).then(
        () => 'done',
        (error: { readonly code: string }) => error.code,
      ),
    );
    expect((await Promise.all(all)).toSorted()).toEqual(['done', ...Array(5).fill('revision_changed')]);
    await set('ana', { intent: 'run' });
  });

  test('does not grow with the steps of a scheduler', async () => {
    const { revision } = await read();
    await fleet.control(`update credit_rollout_control.data_centers set failure = null, quiet = quiet`);
    expect((await read()).revision).toBe(revision);
  });
});

describe('lanes', () => {
  const inCell = async () =>
    (await fleet.cell(0).sql(`select lanes from credit_rollout.runs where state = 'open'`)).map((row) => row.lanes);

  test('set by one operator reach the open run, and taken back follow the request', async () => {
    await tick(fleet.engine);
    await serveOpenWork(fleet.engine, dc()); // makes its plan
    await fleet.tickUntil('an open run', async () => (await inCell()).length > 0);
    const dataCenter = dc();
    const { requested, revision } = await readLanes(fleet.engine, dataCenter);
    const { engine } = personOf('ana');
    const set = await setLanes(engine, { dataCenter, lanes: 7, reason: 'a quiet night', revision });
    expect(set).toMatchObject({ lanes: 7, set: 7, setBy: personOf('ana').name, requested });
    await expect(setLanes(engine, { dataCenter, lanes: 1, reason: 'x', revision })).rejects.toMatchObject({
      code: 'revision_changed',
    });
    await tick(personOf('clock').engine);
    expect(await inCell()).toEqual([7]);
    await setLanes(engine, { dataCenter, lanes: null, reason: 'done' });
    await tick(personOf('clock').engine);
    expect(await inCell()).toEqual([requested]);
    expect(
      await fleet.control(
        `select action, actor, reason, details from credit_rollout_control.audit where action like '%set_lanes' order by seq`,
      ),
    ).toMatchObject([
      { action: 'set_lanes', reason: 'a quiet night', details: { from: requested, to: 7, set: 7 } },
      { action: 'unset_lanes', reason: 'done', details: { from: 7, to: requested, set: null } },
    ]);
  });
});

describe('an abort', () => {
  test('beside pauses and resumes of others says what is true afterwards, and so does another one', async () => {
    const ask = (intent: 'pause' | 'run' | 'abort'): Promise<string> =>
      setIntentAndWait(fleet.engine, { dataCenter: dc(), intent, reason: null }).then(
        (report) => (isAcknowledged(report) ? 'is so' : 'not yet'),
        (error: { readonly code: string }) => error.code,
      );
    const others = ['pause', 'run', 'pause', 'run'] as const;
    const [aborted, ...rest] = await Promise.all([ask('abort'), ...others.map(ask)]);
    expect([aborted, (await read()).stage]).toEqual(['is so', 'aborted']);
    for (const one of rest) expect(['is so', 'not yet', 'wrong_stage']).toContain(one);
    expect(await ask('abort')).toBe('is so');
  });
});
