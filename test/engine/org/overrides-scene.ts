// What the tests of overrides share: a data center that was rolled out, two people, and what they propose and approve.
import { expect } from 'vitest';
import { approveOverride } from '../../../src/engine/org/approve-override.js';
import { type OverrideReport, proposeOverride } from '../../../src/engine/org/override-proposals.js';
import { parseProposalId } from '../../../src/kernel/proposal-id.js';
import type { TestCell, TestOrg } from '../../support/cell.js';
import { createFleet, type Fleet } from '../../support/fleet.js';
import { createPeople, type TestPerson } from '../../support/person.js';

export const dropped: (() => Promise<void>)[] = [];
const dropAll = async (list: (() => Promise<void>)[]): Promise<void> => {
  for (const drop of list.splice(0).reverse()) await drop();
};
/** Drops what a test made for itself. */
export const dropOwn = (): Promise<void> => dropAll(dropped);

export interface Scene {
  readonly fleet: Fleet;
  readonly cell: TestCell;
  readonly alice: TestPerson;
  readonly bob: TestPerson;
}

/** A fleet of one data center and two people; these orgs were rolled out there. */
export async function makeScene(orgs: readonly TestOrg[], later = dropped): Promise<Scene> {
  const fleet = await createFleet({ cells: [{ orgs }] });
  later.push(fleet.drop);
  const crowd = await createPeople(fleet, 'alice', 'bob');
  later.push(crowd.drop);
  const [alice, bob] = crowd.people as [TestPerson, TestPerson];
  const cell = fleet.cell(0);
  await fleet.apply(cell);
  expect(await fleet.drive()).toEqual(['done']);
  return { fleet, cell, alice, bob };
}

/** One data center for all tests that are about a single org; each takes the next one, of standard with 300 agents. */
const shared: (() => Promise<void>)[] = [];
export let scene: Scene;
let taken = 0;
export const takeOrg = (): string => String(++taken);
export async function openShared(): Promise<void> {
  taken = 0;
  scene = await makeScene(
    Array.from({ length: 20 }, () => ({})),
    shared,
  );
}
export const dropShared = (): Promise<void> => dropAll(shared);

export const propose = ({ cell, alice }: Scene, floor: bigint | null, orgId = '1'): Promise<OverrideReport> =>
  proposeOverride(alice.engine, { dataCenter: cell.dataCenter.id, orgId, floor, reason: 'usage' });
export function approve({ bob }: Scene, overrideId: string, person: TestPerson = bob): Promise<OverrideReport> {
  const id = parseProposalId(overrideId);
  if (id?.kind !== 'override') throw new Error(`no override: ${overrideId}`);
  return approveOverride(person.engine, id, 'agreed');
}
export const rowOf = async ({ cell }: Scene, orgId = '1'): Promise<Record<string, unknown>> =>
  (await cell.sql('select * from credit_rollout.allotments where org_id = $1', [orgId]))[0] ?? {};
export const auditOf = ({ fleet }: Scene): Promise<readonly Record<string, unknown>[]> =>
  fleet.control(`select action, actor, data_center, reason, details from credit_rollout_control.audit
    where details ? 'override' order by seq`);
