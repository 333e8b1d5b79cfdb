// Where schedules begin: what a rollout, a cut-over or an undo leaves committed when everything stops in its middle.
import type { Stage } from '../../../src/domain/rollout/stage.js';
import { apply, undo } from './people.js';
import { type Counter, staff, stepAll } from './steps.js';
import { type Beginning, contextOf, createWorld, IDS, spawn, type World } from './world.js';

const record = ({ clock, control, cells }: World): Beginning => ({
  nowMs: clock.nowMs,
  control: [...control.history],
  cells: cells.map(({ history }) => [...history]),
});

const MOST_ROUNDS = 400;
const STOPS = 12;
const CUTOVER_MS = 2 * 3_600_000;

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

/** A fleet in which these were asked for, with cut-overs in two hours. */
function createAsked(ids: readonly string[]): World {
  const world = createWorld();
  const cutoverAt = new Date(world.clock.nowMs + CUTOVER_MS);
  const dataCenters = world.control.state.dataCenters.map((row) => ({ ...row, cutoverAt, cutoverSetAt: new Date(0) }));
  world.control.state = { ...world.control.state, dataCenters };
  world.control.history = [world.control.state];
  for (const id of ids) spawn(world, 'person', (process) => apply(contextOf(world, process), id));
  staff(world);
  return world;
}

const stageOf = ({ control }: World, id: string): Stage | undefined =>
  control.state.dataCenters.find((row) => row.id === id)?.stage;

/** Both data centers in the order in which a fleet goes through them; at the end the first one alone. */
export async function makeBeginnings(): Promise<readonly Beginning[]> {
  const [first, second] = IDS;
  const world = createAsked(IDS);
  const at = (id: string): Stage | undefined => stageOf(world, id);
  const gate = () => world.cells[0]?.state.gate;
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
  world.clock.nowMs = (gate()?.effectiveAt?.getTime() ?? 0) - 30_000;
  found.push(await runUntil(world, 'latched', () => gate()?.latchedAt != null));
  const alone = createAsked([first]);
  for (const stage of ['canary', 'migrating', 'verifying'] as const)
    found.push(await runUntil(alone, `${stage} alone`, () => stageOf(alone, first) === stage));
  return found;
}
