// A data center whose cut-over is taken back by two people, Alice and Bob, and the row of its gate.
import { expect } from 'vitest';
import { withdrawCutoverProposal } from '../../../src/engine/cutover/proposals.js';
import { approveReversal, proposeReversal } from '../../../src/engine/cutover/reverse.js';
import type { TestCell } from '../../support/cell.js';
import { createFleet, type Fleet } from '../../support/fleet.js';
import { createPeople, type TestPerson } from '../../support/person.js';
import { openProduct, type Product } from './sign-ups.js';

const closing: (() => Promise<unknown>)[] = [];

export async function closeAll(): Promise<void> {
  for (const close of closing.splice(0).reverse()) await close();
}

export interface World {
  readonly fleet: Fleet;
  readonly cell: TestCell;
  readonly dc: string;
  readonly alice: TestPerson;
  readonly bob: TestPerson;
  readonly product: Product;
}

/** A data center that is done; `cutover`: its first line. One whose date has passed is latched and swept too. */
export async function makeWorld(cutover: string): Promise<World> {
  const fleet = await createFleet({ orgs: 20, sections: `signups: { cutover: ${cutover} }` });
  closing.push(fleet.drop);
  const crowd = await createPeople(fleet, 'alice', 'bob');
  closing.push(crowd.drop);
  const [alice, bob] = crowd.people;
  if (alice === undefined || bob === undefined) throw new Error('two people were made');
  const cell = fleet.cell(0);
  const product = openProduct(cell.url, 20);
  closing.push(product.close);
  await fleet.apply(cell);
  expect(await fleet.drive()).toEqual(['done']);
  return { fleet, cell, dc: cell.dataCenter.id, alice, bob, product };
}

export const HAPPENED = '2025-10-30';
const NEXT = '2098-11-03';

export const propose = ({ dc }: World, person: TestPerson, to = NEXT) =>
  proposeReversal(person.engine, { dataCenter: dc, to, reason: 'the product was not ready' });
export const approve = ({ dc }: World, person: TestPerson, proposalId: bigint) =>
  approveReversal(person.engine, { kind: 'reversal', dataCenter: dc, proposalId }, 'seen');
export const withdraw = ({ dc }: World, person: TestPerson, reason: string) =>
  withdrawCutoverProposal(person.engine, { kind: 'reversal', dataCenter: dc, reason });
export async function reverse(world: World, to = NEXT): Promise<void> {
  const { proposalId } = await propose(world, world.alice, to);
  await approve(world, world.bob, proposalId);
}

export const gateOf = async ({ cell }: World) =>
  (
    await cell.sql(`select armed_at, effective_at, latched_at, swept_at, configured_at, configured_local,
      (select last_value::int from credit_rollout.gate_latches) as latches from credit_rollout.gate`)
  )[0];
export const signUp = async ({ product }: World, orgId: number): Promise<string> =>
  (await product.signUp({ orgId: String(orgId) })).model;
export const rejectionOf = (asked: Promise<unknown>): Promise<unknown> =>
  asked.then(
    () => undefined,
    (error: { code?: unknown; constraint?: unknown }) => error.constraint ?? error.code,
  );
