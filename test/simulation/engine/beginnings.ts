// Where schedules begin: what a rollout, a cut-over or an undo leaves committed when everything stops in its middle.
import type { Stage } from '../../../src/domain/rollout/stage.js';
import { apply, undo } from './people.js';
import { type Counter, staff, stepAll } from './steps.js';
import { type Beginning, contextOf, createWorld, IDS, spawn, type World } from './world.js';

const record = ({ clock, control, cells }: World): Beginning => ({
  nowMs: clock.nowMs,
  control: control.state,
  cells: cells.map(({ state }) => state),
});

const MOST_ROUNDS = 400;
const STOPS = 12;
const HOUR_MS = 3_600_000;

async function runUntil(world: World, what: string, isSo: () => boolean): Promise<Beginning> {
  const counter: Counter = { steps: 0 };
  for (let round = 0; !isSo(); round += 1) {
    if (round === MOST_ROUNDS || world.broken.length > 0)
      throw new Error(`no beginning ${what}: ${world.broken.join('; ')}`);
    await stepAll(world, STOPS, counter);
    world.clock.nowMs += 10_000;
  }
  return record(world);
}

/** In the order in which a fleet goes through them. */
export async function makeBeginnings(): Promise<readonly Beginning[]> {
  const world = createWorld();
  const at = (id: string): Stage | undefined => world.control.state.dataCenters.find((row) => row.id === id)?.stage;
  const [first, second] = IDS;
  const gate = () => world.cells[0]?.state.gate;
  const cutoverAt = new Date(world.clock.nowMs + 2 * HOUR_MS);
  const dataCenters = world.control.state.dataCenters.map((row) => ({ ...row, cutoverAt, cutoverSetAt: new Date(0) }));
  world.control.state = { ...world.control.state, dataCenters };
  for (const id of IDS) spawn(world, 'person', (process) => apply(contextOf(world, process), id));
  staff(world);
  const isAsked = (): boolean => world.control.state.dataCenters.every(({ requestedAt }) => requestedAt !== null);
  const found = [
    await runUntil(world, 'asked', isAsked),
    await runUntil(world, 'canary', () => at(first) === 'canary'),
    await runUntil(world, 'migrating', () => at(first) === 'migrating'),
    await runUntil(world, 'verifying', () => at(first) === 'verifying'),
    await runUntil(world, 'second', () => at(first) === 'done' && at(second) === 'canary'),
    await runUntil(world, 'done', () => IDS.every((id) => at(id) === 'done') && gate()?.effectiveAt !== null),
  ];
  // the same fleet, once with an undo and once with its cut-over
  const other = createWorld(found.at(-1));
  other.control.state = {
    ...other.control.state,
    dataCenters: other.control.state.dataCenters.map((row) => ({ ...row })),
  };
  spawn(other, 'person', (process) => undo(other, process, first));
  staff(other);
  const isUndoing = (): boolean => other.control.state.dataCenters.some(({ stage }) => stage === 'undoing');
  found.push(await runUntil(other, 'undoing', isUndoing));
  world.clock.nowMs = cutoverAt.getTime() - 30_000;
  found.push(await runUntil(world, 'latched', () => gate()?.latchedAt != null));
  return found;
}
