// Runs one schedule: everything that happens, then calm. Returns what was broken on the way, or at the end.
import { IANAZone } from 'luxon';
import { approvalModel } from './approval-model.js';
import { makeBeginnings } from './beginnings.js';
import { controlModel } from './control-model.js';
import { addCount } from './counts.js';
import { fenceModel } from './fence-model.js';
import { happen } from './happen.js';
import { nightModel } from './night-model.js';
import { orgsModel } from './orgs-model.js';
import { productModel } from './product.js';
import { plan as makePlanOfWorker, replacedFunctions } from './replaced.js';
import type { Schedule } from './schedule.js';
import { type PlantedFaults, seams } from './seams.js';
import { listUnsettled, watchProgress } from './settled.js';
import { type Counter, settle, staff, stepCalmly, wakeUp } from './steps.js';
import { watchWorld } from './watch.js';
import { type Beginning, cellOf, createWorld, type World } from './world.js';

Object.assign(seams.stores, controlModel, approvalModel, fenceModel, orgsModel, nightModel, productModel);
Object.assign(seams.replaced, replacedFunctions, { servePlanRequest: makePlanOfWorker });

// every data center is in UTC: Intl would be asked for the same offset a million times
IANAZone.prototype.offset = () => 0;

export interface Outcome {
  readonly broken: readonly string[];
  readonly steps: number;
  /** What came about, and how often. */
  readonly counts: ReadonlyMap<string, number>;
}

const CALM_ROUNDS = 90;
/** Nothing moves, then both schedulers audit and both workers look everywhere, and what bakes is done. */
const QUIET_ROUNDS = 4;
const CALM_MS = 300_000;
const TO_THE_END_BELOW = 6;
/** Both schedulers have ended what they were about to do, and looked again. */
const SHORT_ROUNDS = 4;
/** A night has come. */
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

/** Everything works again from here on. */
function heal(world: World): void {
  world.isCalm = true;
  world.control.skewMs = 0;
  for (const cell of world.cells) {
    cell.skewMs = 0;
    cell.facts.probe = 'calm';
  }
  for (const process of world.processes) {
    process.cutOff.clear();
    process.losesAnswer = false;
    process.asleep = 0;
  }
}

/** Everybody has a few turns. */
async function goOnCalmly(world: World, counter: Counter): Promise<void> {
  for (let round = 0; round < SHORT_ROUNDS; round += 1) {
    staff(world);
    // schedulers audit every 30 s: once is enough
    world.isQuiet = round === SHORT_ROUNDS - 1;
    await stepCalmly(world, round, counter);
    world.clock.nowMs += CALM_MS;
  }
}

/** Everybody goes on until nothing moves any more. */
async function calmDown(world: World, calm: number, counter: Counter): Promise<void> {
  for (const leap of calm === 0 ? [0, NIGHT_MS] : [0]) {
    world.clock.nowMs += leap;
    let quiet = 0;
    for (let round = 0; quiet < QUIET_ROUNDS; round += 1) {
      if (round === CALM_ROUNDS) {
        world.broken.push(`it moves for ever: ${describe(world)}`);
        return;
      }
      staff(world);
      world.isQuiet = quiet > 0;
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
  seams.isPlain = true;
  beginnings ??= makeBeginnings();
  const world = createWorld((await beginnings)[from]);
  seams.planted = planted;
  const counter: Counter = { steps: 0 };
  const { broken, counts } = world;
  const watch = watchWorld(world);
  seams.lacking.clear();
  seams.left = without;
  seams.isPlain = without === undefined && Object.keys(planted).length === 0;
  staff(world);
  await settle();
  for (const happening of happenings) {
    addCount(counts, `happened: ${happening.kind}`);
    await wakeUp(world, counter);
    await happen(world, happening, counter);
    staff(world);
    broken.push(...listLacking());
    if (broken.length > 0) return { broken, steps: counter.steps, counts };
  }
  heal(world);
  if (calm < TO_THE_END_BELOW) {
    await calmDown(world, calm, counter);
    addCount(counts, calm === 0 ? 'healed until nothing moved, and a night' : 'healed until nothing moved');
    if (broken.length === 0) broken.push(...listUnsettled(world, watch));
  } else {
    const isStuck = watchProgress(world);
    await goOnCalmly(world, counter);
    addCount(counts, 'healed until all had gone on');
    if (broken.length === 0) broken.push(...isStuck());
  }
  broken.push(...listLacking());
  return { broken, steps: counter.steps, counts };
}
