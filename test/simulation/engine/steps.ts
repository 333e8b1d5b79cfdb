// Lets processes of the world go on: one, everybody, or round by round.
import { nextTick } from 'node:process';
import type { CellDb } from './cell-state.js';
import type { Process, Stops } from './process.js';
import { spawnScheduler, spawnWorker, type World } from './world.js';

const SCHEDULERS = 2;
const WORKERS = 2;
const STEP_MS = 40;

/** Every promise that can go on has gone on: a tick comes after all of them, and before any timer or message. */
export const settle = (): Promise<void> => new Promise((resolve) => nextTick(resolve));

export interface Counter {
  steps: number;
}

export async function goOn(world: World, process: Process, stops: Stops, counter: Counter): Promise<void> {
  if (!process.waits) return;
  world.clock.nowMs += STEP_MS;
  const before = process.passed;
  process.go(stops);
  await settle();
  process.budget = 0;
  counter.steps += process.passed - before;
}

/** A process passes so many stops, and no further one until so many things have happened. */
export async function suspend(
  world: World,
  process: Process,
  { stops, happenings }: { readonly stops: number; readonly happenings: number },
  counter: Counter,
): Promise<void> {
  await goOn(world, process, stops, counter);
  process.asleep = happenings;
}

/** Something has happened; whoever was suspended for long enough goes on with what it had decided then. */
export async function wakeUp(world: World, counter: Counter): Promise<void> {
  for (const process of [...world.processes])
    if (process.asleep > 0) {
      process.asleep -= 1;
      if (process.asleep === 0) await goOn(world, process, 'poll', counter);
    }
}

/** Lets one process pass so many stops. */
export async function step(world: World, who: number, stops: Stops, counter: Counter): Promise<void> {
  const waiting = world.processes.filter((process) => process.waits);
  const process = waiting[who % Math.max(1, waiting.length)];
  if (process !== undefined) await goOn(world, process, stops, counter);
}

/** Everybody, in turn. */
export async function stepAll(world: World, stops: Stops, counter: Counter): Promise<void> {
  for (const process of [...world.processes]) await goOn(world, process, stops, counter);
}

/**
 * One scheduler and one worker, another one each time, and whoever has a command or a sign-up to end. Where a worker
 * would find nothing to do, it looks only once nothing else moves.
 */
export async function stepCalmly(world: World, round: number, counter: Counter): Promise<void> {
  const pick = (kind: string): Process | undefined => {
    const some = world.processes.filter((process) => process.kind === kind);
    return some[round % some.length];
  };
  const others = world.processes.filter(({ kind }) => kind === 'person' || kind === 'product');
  for (const process of [pick('scheduler'), ...others])
    if (process !== undefined) await goOn(world, process, 'poll', counter);
  const worker = pick('worker');
  for (let polls = 0; polls < POLLS; polls += 1)
    if (worker !== undefined && (world.isQuiet || worker.at !== 'poll' || world.cells.some(isWaiting)))
      await goOn(world, worker, 'poll', counter);
}

/** In both cells, whichever comes first. */
const POLLS = 3;

const isWaiting = ({ state: { fence, planRequests, plans } }: CellDb): boolean =>
  fence.state !== 'closed' || planRequests.some(({ planId }) => !plans.some((plan) => plan.planId === planId));

/** Whoever was killed is started again. */
export function staff(world: World): void {
  const count = (kind: string): number => world.processes.filter((process) => process.kind === kind).length;
  for (let n = count('scheduler'); n < SCHEDULERS; n += 1) spawnScheduler(world);
  for (let n = count('worker'); n < WORKERS; n += 1) spawnWorker(world);
}
