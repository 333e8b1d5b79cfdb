// Runs one schedule: everything that happens, then calm. Returns what was broken on the way, or at the end.
import { IANAZone } from 'luxon';
import { approvalModel } from './approval-model.js';
import { makeBeginnings } from './beginnings.js';
import { controlModel } from './control-model.js';
import { fenceModel } from './fence-model.js';
import { happen } from './happen.js';
import { nightModel } from './night-model.js';
import { orgsModel } from './orgs-model.js';
import { productModel } from './product.js';
import { plan as makePlanOfWorker, replacedFunctions } from './replaced.js';
import type { Schedule } from './schedule.js';
import { type PlantedFaults, seams } from './seams.js';
import { listUnsettled } from './settled.js';
import { type Counter, settle, staff, stepCalmly } from './steps.js';
import { watchWorld } from './watch.js';
import { type Beginning, cellOf, createWorld, type World } from './world.js';

Object.assign(seams.stores, controlModel, approvalModel, fenceModel, orgsModel, nightModel, productModel);
Object.assign(seams.replaced, replacedFunctions, { servePlanRequest: makePlanOfWorker });

// every data center is in UTC: Intl would be asked for the same offset a million times
IANAZone.prototype.offset = () => 0;

export interface Outcome {
  readonly broken: readonly string[];
  readonly steps: number;
}

/** The others show only what is broken on the way. */
const CALM_BELOW = 2;
const CALM_ROUNDS = 90;
/** Both schedulers and both workers have looked everywhere. */
const QUIET_ROUNDS = 3;
const CALM_MS = 20_000;
/** The bake is over; a night has come. */
const BAKED_MS = 15 * 60_000;
const NIGHT_MS = 26 * 3_600_000;

const stateOf = (world: World): readonly unknown[] => [
  world.control.state.dataCenters,
  world.control.state.runs,
  ...world.cells.flatMap(({ state }) => [state.allotments, state.runs, state.batches, state.gate]),
];

const describe = (world: World): string =>
  world.control.state.dataCenters
    .map(({ id, stage, intent, epoch, runId }) => {
      const { fence } = cellOf(world, id).state;
      return `${id} is ${stage} (${intent}), run ${runId} at epoch ${epoch}, its fence ${fence.state} at ${fence.epoch}`;
    })
    .join('; ');

/** Everything works again, and everybody goes on until nothing moves any more. */
async function calmDown(world: World, calm: number, counter: Counter): Promise<void> {
  world.control.skewMs = 0;
  for (const cell of world.cells) {
    cell.skewMs = 0;
    cell.facts.probe = 'calm';
  }
  for (const process of world.processes) process.cutOff.clear();
  for (const leap of [0, BAKED_MS, ...(calm === 0 ? [NIGHT_MS] : [])]) {
    world.clock.nowMs += leap;
    let quiet = 0;
    for (let round = 0; quiet < QUIET_ROUNDS; round += 1) {
      if (round === CALM_ROUNDS) {
        world.broken.push(`it moves for ever: ${describe(world)}`);
        return;
      }
      staff(world);
      const before = stateOf(world);
      await stepCalmly(world, round, counter);
      world.clock.nowMs += CALM_MS;
      quiet = stateOf(world).every((state, n) => state === before[n]) ? quiet + 1 : 0;
    }
  }
}

const listLacking = (): readonly string[] => [...seams.lacking].map((name) => `the model has no ${name}`);

let beginnings: Promise<readonly Beginning[]> | undefined;

/** `planted` takes the place of what it names while this schedule runs; `without`: what the model is to lack. */
export async function runSchedule(
  { from, calm, happenings }: Schedule,
  planted: PlantedFaults = {},
  without?: string,
): Promise<Outcome> {
  seams.planted = {};
  seams.left = undefined;
  beginnings ??= makeBeginnings();
  const world = createWorld((await beginnings)[from]);
  seams.planted = planted;
  const counter: Counter = { steps: 0 };
  const watch = watchWorld(world);
  seams.lacking.clear();
  seams.left = without;
  staff(world);
  await settle();
  for (const happening of happenings) {
    await happen(world, happening, counter);
    staff(world);
    world.broken.push(...listLacking());
    if (world.broken.length > 0) return { broken: world.broken, steps: counter.steps };
  }
  if (calm >= CALM_BELOW) return { broken: world.broken, steps: counter.steps };
  await calmDown(world, calm, counter);
  world.broken.push(...listLacking());
  if (world.broken.length === 0) world.broken.push(...listUnsettled(world, watch));
  return { broken: world.broken, steps: counter.steps };
}
