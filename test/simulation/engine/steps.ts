// Lets processes of the world go on: one, everybody, or round by round.
import type { Process, Stops } from './process.js';
import { spawnScheduler, spawnWorker, type World } from './world.js';

const SCHEDULERS = 2;
const WORKERS = 2;
const STEP_MS = 40;

/** Every promise that can go on has gone on. */
export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export interface Counter {
  steps: number;
}

async function goOn(world: World, process: Process, stops: Stops, counter: Counter): Promise<void> {
  if (!process.waits) return;
  world.clock.nowMs += STEP_MS;
  const before = process.passed;
  process.go(stops);
  await settle();
  process.budget = 0;
  counter.steps += process.passed - before;
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

/** One scheduler and one worker, another one each time, and whoever has a command or a sign-up to end. */
export async function stepCalmly(world: World, round: number, counter: Counter): Promise<void> {
  const pick = (kind: string): Process | undefined => {
    const some = world.processes.filter((process) => process.kind === kind);
    return some[round % some.length];
  };
  const worker = pick('worker');
  const others = world.processes.filter(({ kind }) => kind === 'person' || kind === 'product');
  for (const process of [pick('scheduler'), ...others, worker, worker, worker])
    if (process !== undefined) await goOn(world, process, 'poll', counter);
}

/** Whoever was killed is started again. */
export function staff(world: World): void {
  const count = (kind: string): number => world.processes.filter((process) => process.kind === kind).length;
  for (let n = count('scheduler'); n < SCHEDULERS; n += 1) spawnScheduler(world);
  for (let n = count('worker'); n < WORKERS; n += 1) spawnWorker(world);
}
