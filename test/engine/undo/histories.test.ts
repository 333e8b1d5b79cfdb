// Thousands of lives in one cell: each org buys, grows, lapses, changes its edition, leaves, comes back or signs up;
// the feed, nights, overrides and rollouts act on it, and undos take rollouts back. A model tells what each org has
// after every step, and which are conflicts and why. The same product, never rolled out, tells what an undone org must
// have. CREDIT_ROLLOUT_HISTORIES=10000 is the whole proof; CREDIT_ROLLOUT_SEED: the seed of one that failed.
import { randomInt } from 'node:crypto';
import { afterEach, expect, test } from 'vitest';
import { feedChanges } from '../../../src/engine/feed/feed-changes.js';
import { previewUndo } from '../../../src/engine/undo/preview-undo.js';
import { approveUndo, requestUndo } from '../../../src/engine/undo/request-undo.js';
import { parseProposalId } from '../../../src/kernel/proposal-id.js';
import { readEnvironment } from '../../../src/platform/environment.js';
import { createRandom } from '../../soak/options.js';
import {
  apply,
  createWorld,
  expectSame,
  expectSameCapacities,
  feed,
  live,
  night,
  override,
  type World,
} from './history-scene.js';
import { falls, findTarget, isTaken, type Target, undoTo } from './life-model.js';

const ORGS = Number(readEnvironment('CREDIT_ROLLOUT_HISTORIES') ?? '1000');

const dropped: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
});

const question = ({ fleet }: World) => ({
  dataCenter: fleet.cell(0).dataCenter.id,
  limit: 10_000_000,
  reason: 'to prove it',
});

interface Aimed extends Target {
  readonly id: number;
}

interface Rollout {
  readonly run: number;
  readonly opened: number;
}

/**
 * Takes the run back; returns the verdicts that there were. Some orgs change after the second person saw them. `older`:
 * what the next undo takes back.
 */
async function undo(world: World, undone: Rollout, older?: Rollout): Promise<ReadonlySet<string>> {
  const { fleet, ana, bob, lives } = world;
  const targets = lives.flatMap((life): readonly Aimed[] => {
    const target = findTarget(life, undone);
    return target === undefined ? [] : [{ id: life.id, ...target }];
  });
  const taken = targets.filter(isTaken);
  const falling = taken.filter((target) => falls(target) && target.paid);
  const count = (holds: (target: Aimed) => boolean): number => targets.filter(holds).length;
  const sum = (of: (target: Aimed) => number | null): string =>
    String(taken.reduce((all, target) => all + Number(of(target)), 0));
  const asked = await requestUndo(ana.engine, question(world));
  expect(asked.conflicts.map(({ orgId, verdict }) => `${orgId} ${verdict}`).toSorted()).toEqual(
    targets
      .filter((target) => !isTaken(target))
      .map(({ id, verdict }) => `${id} ${verdict}`)
      .toSorted(),
  );
  expect(asked.falling.map(({ orgId, becomes }) => `${orgId} ${becomes}`).toSorted()).toEqual(
    falling.map(({ id, becomes }) => `${id} ${becomes}`).toSorted(),
  );
  expect(asked).toMatchObject({
    state: 'proposed',
    undoes: BigInt(undone.run),
    olderRun: older === undefined ? null : BigInt(older.run),
  });
  expect(asked.counts).toEqual({
    orgs: targets.length,
    deletes: count(({ verdict }) => verdict === 'delete'),
    restores: count(({ verdict }) => verdict === 'restore'),
    conflicts: targets.length - taken.length,
    falls: count(falls),
    paidFalls: falling.length,
    beforeCredits: sum(({ total }) => total),
    afterCredits: sum(({ becomes }) => becomes),
  });
  await live(world, 0.01);
  const id = parseProposalId(asked.undoId ?? '');
  if (id?.kind !== 'undo') throw new Error('it was proposed');
  await approveUndo(bob.engine, id, null);
  expect((await fleet.drive())[0]).toBe('undone');
  world.now += 1;
  const seen = new Map(falling.map((target) => [target.id, Number(target.becomes)]));
  for (const life of lives) undoTo(life, world.now, { ...undone, seen });
  await expectSame(world);
  await expectSameCapacities(world);
  expect(await feedChanges(fleet.engine, fleet.cell(0).dataCenter.id, { pace: 'at_once' })).toMatchObject({
    kind: 'closed',
  });
  expect(await previewUndo(ana.engine, question(world))).toMatchObject(
    older === undefined ? { state: 'nothing' } : { state: 'dry_run', undoes: BigInt(older.run) },
  );
  return new Set(targets.map(({ verdict }) => verdict));
}

test(`an undone org is one that was never rolled out, in ${ORGS} lives`, { timeout: 1_200_000 }, async () => {
  const seed = Number(readEnvironment('CREDIT_ROLLOUT_SEED') ?? randomInt(2 ** 31));
  const world = await createWorld(createRandom(seed), ORGS);
  dropped.push(world.drop);
  try {
    const round = async (...steps: readonly ((of: World) => Promise<unknown>)[]): Promise<void> => {
      await live(world, 0.3);
      for (const step of steps) await step(world);
    };
    const first = await apply(world);
    await round(night);
    await round(override, feed, night);
    await round(feed, override);
    const simple = await undo(world, first);
    // most orgs for the first time again; then a second rollout that raises
    await live(world, 0.3);
    const second = await apply(world);
    await round(feed, night);
    await round(override);
    const raising = await apply(world);
    await round(override, feed);
    const restoring = await undo(world, raising, second);
    await live(world, 0.3);
    const third = await apply(world);
    await undo(world, third, second);
    await live(world, 0.3);
    await undo(world, second);
    await apply(world);
    await world.fleet.expectInvariants();
    const known = ['delete', 'restore', 'seats', 'edition', 'lapse', 'paid', 'late input', 'override', 'return'];
    expect([...simple, ...restoring]).toEqual(expect.arrayContaining([...known, 'sign-up', 'gone', 'undecidable']));
  } catch (error) {
    throw new Error(`seed ${seed}`, { cause: error });
  }
});
