// Simulates a calendar on a virtual clock: schedulers and workers at every poll, sign-ups, outages and operators in
// between, then calm until everything that can happen has happened.

import { SLOT_STAGES } from '../../src/domain/rollout/stage.js';
import type { WindowSpec } from '../../src/domain/windows/windows.js';
import { type Disturbance, disturb } from './disturb.js';
import { signUp } from './gate.js';
import { type Deciders, tickWorld } from './scheduler.js';
import { watch } from './watch.js';
import { work } from './work.js';
import { createCell, type DataCenter, NO_GATE, type World } from './world.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const MINUTE_MS = 60_000;

export interface PlannedDataCenter {
  readonly zone: string;
  /** Hours after the start; null: at once. */
  readonly notBefore: number | null;
  /** Hours after the start; null: no cut-over. */
  readonly cutover: number | null;
  readonly bakeHours: number;
  readonly windows: readonly WindowSpec[];
  /** Of its cell's clock. */
  readonly skewMs: number;
}

export interface Plan {
  /** ISO 8601. */
  readonly start: string;
  readonly days: number;
  /** `reconcile.at`. */
  readonly nightAt: string;
  /** Between two checks of a scheduler, about. */
  readonly pollMinutes: number;
  /** Rounds of work within one poll. */
  readonly pace: number;
  readonly dataCenters: readonly PlannedDataCenter[];
  readonly disturbances: readonly Disturbance[];
}

/** Everything that is to be done at an instant. */
export interface Happening {
  readonly at: number;
  readonly act: (world: World) => void;
}

/** Whether somebody schedules. */
export interface Staff {
  schedulers: boolean;
}

export interface Simulation {
  readonly world: World;
  /** Promises that were broken while it was simulated. */
  readonly seen: readonly string[];
  /** When a scheduler polled last. */
  readonly until: Date;
}

/** Then checks are seldom, and everything is quick. */
const CALM_DAYS = 15;
const CALM_POLL_MINUTES = 150;
const CALM_PACE = 40;

export function simulate(plan: Plan, deciders: Deciders): Simulation {
  const world = createWorld(plan);
  const staff: Staff = { schedulers: true };
  const start = world.now.getTime();
  const end = start + plan.days * DAY_MS;
  const calm = Math.max(end, ...listCutovers(plan, start)) + CALM_DAYS * DAY_MS;
  const seen: string[] = [];
  const poll = (): void => {
    if (staff.schedulers)
      for (let round = 0; round < (world.now.getTime() < end ? plan.pace : CALM_PACE); round += 1) {
        tickWorld(world, deciders);
        if (!work(world)) break;
      }
    seen.push(...watch(world));
  };
  const happenings = [
    ...listPolls(plan.pollMinutes, start, end).map((at) => ({ at, act: poll })),
    ...listPolls(CALM_POLL_MINUTES, end, calm).map((at) => ({ at, act: poll })),
    ...plan.disturbances.flatMap((one) => disturb(one, { start, end, staff, deciders })),
    ...listSignUps(plan, start, calm),
  ].toSorted((a, b) => a.at - b.at);
  for (const { at, act } of happenings) {
    world.now = new Date(at);
    act(world);
  }
  // after the last poll everything is at rest
  for (let round = 0; round < 60; round += 1) poll();
  return { world, seen: [...new Set(seen)], until: world.now };
}

function createWorld({ start, nightAt, dataCenters }: Plan): World {
  const now = new Date(start);
  const after = (hours: number | null): Date | null =>
    hours === null ? null : new Date(now.getTime() + hours * HOUR_MS);
  const create = (planned: PlannedDataCenter, position: number): DataCenter => ({
    ...{
      id: `dc${position}`,
      position,
      zone: planned.zone,
      stage: 'pending',
      intent: 'run',
      fenceConfirmedClosed: true,
    },
    ...{ requested: true, runId: null, epoch: null, bakeUntil: null, doneAt: null, singleWrites: false },
    ...{ failedAt: null, version: 0, windows: planned.windows, bakeMs: planned.bakeHours * HOUR_MS },
    notBeforeAt: after(planned.notBefore),
    cutoverAt: after(planned.cutover),
    cutoverSetAt: now,
    knownGate: { ...NO_GATE },
    due: [],
    cell: createCell(planned.skewMs),
  });
  return { now, nightAt, epoch: 0n, dataCenters: dataCenters.map(create), open: null, facts: [] };
}

const listCutovers = ({ dataCenters, disturbances }: Plan, start: number): readonly number[] => {
  const moved = disturbances.reduce((sum, one) => sum + (one.kind === 'postpone' ? one.hours : 0), 0);
  return dataCenters.flatMap(({ cutover }) => (cutover === null ? [] : [start + (cutover + moved) * HOUR_MS]));
};

/** Irregular, the same ones for the same plan. */
function listPolls(minutes: number, start: number, end: number): readonly number[] {
  const polls: number[] = [];
  let noise = 1;
  for (let at = start; at <= end; at += (0.5 + noise / 2 ** 31) * minutes * MINUTE_MS) {
    polls.push(Math.floor(at));
    noise = (noise * 1_103_515_245 + 12_345) % 2 ** 31;
  }
  return polls;
}

const AROUND_MS = [-HOUR_MS, -1_000, -1, 0, 1, 1_000, HOUR_MS] as const;

function listSignUps(plan: Plan, start: number, end: number): readonly Happening[] {
  const everyDay = Array.from({ length: Math.ceil((end - start) / DAY_MS) }, (_, day) => start + day * DAY_MS + 7);
  const around = listCutovers(plan, start).flatMap((at) => AROUND_MS.map((by) => at + by));
  const act = (world: World): void => {
    for (const dc of world.dataCenters) if (!SLOT_STAGES.includes(dc.stage)) signUp(world, dc);
  };
  return [...everyDay, ...around].map((at) => ({ at, act }));
}
