// A data center that was rolled out, and an undo of it by two people: what tests of undo begin with.
import { expect } from 'vitest';
import { approveUndo, requestUndo } from '../../../src/engine/undo/request-undo.js';
import { parseProposalId } from '../../../src/kernel/proposal-id.js';
import { createFleet, type Fleet, type FleetOptions } from '../../support/fleet.js';
import { createPeople, type TestPerson } from '../../support/person.js';

/** A data center that is done, and two people. */
export interface Done {
  readonly fleet: Fleet;
  readonly ana: TestPerson;
  readonly bob: TestPerson;
}

type Keep = (drop: () => Promise<void>) => unknown;

/** `keep` is told what is to be dropped. */
export async function createDone(keep: Keep, options: FleetOptions = { orgs: 300 }): Promise<Done> {
  const fleet = await createFleet(options);
  keep(fleet.drop);
  await fleet.apply(...fleet.cells);
  expect(await fleet.drive()).toEqual(fleet.cells.map(() => 'done'));
  return addPeople(fleet, keep);
}

export async function addPeople(fleet: Fleet, keep: Keep): Promise<Done> {
  const { people, drop } = await createPeople(fleet, 'ana', 'bob');
  keep(drop);
  const [ana, bob] = people;
  if (ana === undefined || bob === undefined) throw new Error('there are two people');
  return { fleet, ana, bob };
}

export const question = (fleet: Fleet) => ({
  dataCenter: fleet.cell(0).dataCenter.id,
  limit: 20,
  reason: 'a wrong card',
});
export const undoOf = (name: string | null) => {
  const id = parseProposalId(name ?? '');
  if (id?.kind !== 'undo') throw new Error(`${name} names no undo`);
  return id;
};
export const allotmentsOf = (fleet: Fleet) =>
  fleet.cell(0).sql('select org_id, total_credits from credit_rollout.allotments order by org_id');
export const capacitiesOf = (fleet: Fleet) =>
  fleet.cell(0).sql('select org_id, model, capacity from credit_rollout.org_capacity order by org_id');

/** Proposes it as ana, approves it as bob, and lets it run. */
export async function undo({ fleet, ana, bob }: Done) {
  const proposed = await requestUndo(ana.engine, question(fleet));
  if (proposed.state === 'proposed') await approveUndo(bob.engine, undoOf(proposed.undoId), 'seen');
  await fleet.drive();
  return proposed;
}
