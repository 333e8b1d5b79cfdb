// Which cut-overs a configuration may have: one per data center, not before the start; and what counts as changed
// later.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseRolloutConfig } from '../../../src/domain/config/parse-config.js';
import type { RolloutConfig } from '../../../src/domain/config/rollout-config.js';
import { findConfigDrift } from '../../../src/engine/cutover/pinned-instants.js';
import { approvePostponement, proposePostponement } from '../../../src/engine/cutover/postpone.js';
import { checkControl } from '../../../src/engine/doctor/doctor.js';
import { failureOf } from '../../domain/config/failure-of.js';
import { createFleet, type Fleet } from '../../support/fleet.js';
import { createPeople, type TestPeople, type TestPerson } from '../../support/person.js';

const parse = (signups: string, rollout = '{}'): RolloutConfig =>
  parseRolloutConfig(
    `controlDatabase: x\nrateCard: y\nrollout: ${rollout}\nsignups: ${signups}\ndataCenters:\n  - { id: eu, zone: Europe/Berlin, database: z, source: a.b }\n`,
    { lookup: () => undefined },
  );

describe('a configuration', () => {
  test.each([
    ['two cut-overs in one key', '[2098-10-30, 2098-11-03]', '{}', 'is a list, but it must be a local date or time'],
    ['the key twice', '{ cutover: 2098-10-30, cutover: 2098-11-03 }', '{}', 'unique'],
    [
      'a cut-over before the start',
      '{ cutover: 2098-10-05 }',
      '{ notBefore: 2098-10-06 }',
      'must not be before rollout.notBefore',
    ],
    ['a cut-over in a gap', '{ cutover: 2098-03-30T02:30 }', '{}', 'does not exist'],
  ])('rejects %s, with the reason', (_case, signups, rollout, why) => {
    const text = signups.startsWith('[') ? `{ cutover: ${signups} }` : signups;
    expect(failureOf(() => parse(text, rollout)).message).toContain(why);
  });
});

describe('findConfigDrift', () => {
  let fleet: Fleet;
  let crowd: TestPeople;
  beforeAll(async () => {
    fleet = await createFleet({ cells: [{ orgs: [] }] });
    crowd = await createPeople(fleet, 'alice', 'bob');
  });
  afterAll(async () => {
    await crowd.drop();
    await fleet.drop();
  });

  test('leaves a configuration alone that says what was pinned or what was approved, and reports any other', async () => {
    const [alice, bob] = crowd.people as [TestPerson, TestPerson];
    const dataCenter = fleet.cell(0).dataCenter.id;
    const saying = (cutover: string): RolloutConfig => ({ ...fleet.config, signups: { cutover } });
    await fleet.control(`set local session_replication_role = replica; update credit_rollout_control.rollout set pinned_at = now();
      update credit_rollout_control.data_centers set cutover_at = '2098-10-30T00:00Z', cutover_local = '2098-10-30T00:00:00 UTC'`);
    const { proposalId } = await proposePostponement(alice.engine, { dataCenter, to: '2098-11-03', reason: 'x' });
    expect(await findConfigDrift(fleet.engine, saying('2098-10-30'))).toEqual([]);
    expect(await findConfigDrift(fleet.engine, saying('2098-11-03'))).toHaveLength(1);
    await approvePostponement(bob.engine, { kind: 'postponement', dataCenter, proposalId }, null);
    expect(await findConfigDrift(fleet.engine, saying('2098-10-30'))).toEqual([]);
    expect(await findConfigDrift(fleet.engine, saying('2098-11-03'))).toEqual([]);
    const other = saying('2098-12-24');
    expect(await findConfigDrift(fleet.engine, other)).toEqual([
      expect.stringContaining(`was approved as ${dataCenter}-c`),
    ]);
    const pins = async (config: RolloutConfig): Promise<readonly string[]> =>
      (await checkControl(fleet.engine, { config, dataCenters: config.dataCenters }))
        .filter(({ check }) => check === 'pinned instants')
        .map(({ level }) => level);
    expect(await pins(saying('2098-10-30'))).toEqual([]);
    expect(await pins(other)).toEqual(['warning']);
  });
});
