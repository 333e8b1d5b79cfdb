// What goes wrong, and what operators do, as happenings on the virtual clock. Everything is over when the calm begins.
import { postpone } from './gate.js';
import { type Deciders, decideAll, executeDecided, tickWorld } from './scheduler.js';
import type { Happening, Staff } from './simulate.js';
import { type DataCenter, find, type World } from './world.js';

const HOUR_MS = 3_600_000;

/** `at` and `hours` in hours from the start; `dc` counts from 0, beyond the last from the first again. */
export type Disturbance =
  | { readonly kind: 'no_scheduler'; readonly at: number; readonly hours: number }
  | {
      readonly kind: 'cell_down' | 'no_worker' | 'freeze' | 'pause';
      readonly dc: number;
      readonly at: number;
      readonly hours: number;
    }
  | { readonly kind: 'postpone'; readonly dc: number; readonly at: number; readonly hours: number }
  | { readonly kind: 'reopen' | 'apply'; readonly dc: number; readonly at: number }
  | { readonly kind: 'reorder'; readonly at: number }
  | { readonly kind: 'restarts'; readonly at: number; readonly times: number; readonly polls: number }
  | { readonly kind: 'suspended'; readonly at: number; readonly hours: number };

interface Stage {
  readonly start: number;
  /** Of what is planned: then it is calm. */
  readonly end: number;
  readonly staff: Staff;
  readonly deciders: Deciders;
}

export function disturb(one: Disturbance, { start, end, staff, deciders }: Stage): readonly Happening[] {
  const at = Math.min(start + one.at * HOUR_MS, end);
  const over = 'hours' in one ? Math.min(at + one.hours * HOUR_MS, end) : at;
  const pick = (world: World): DataCenter => find(world, `dc${('dc' in one ? one.dc : 0) % world.dataCenters.length}`);
  const during = (begin: (dc: DataCenter, now: Date) => void, finish: (dc: DataCenter) => void): Happening[] => [
    { at, act: (world) => begin(pick(world), world.now) },
    { at: over, act: (world) => finish(pick(world)) },
  ];
  switch (one.kind) {
    case 'no_scheduler':
      return [
        { at, act: () => Object.assign(staff, { schedulers: false }) },
        { at: over, act: () => Object.assign(staff, { schedulers: true }) },
      ];
    case 'cell_down':
      return during(
        ({ cell }) => Object.assign(cell, { up: false }),
        ({ cell }) => Object.assign(cell, { up: true }),
      );
    case 'no_worker':
      return during(
        ({ cell }) => Object.assign(cell, { workers: false }),
        ({ cell }) => Object.assign(cell, { workers: true }),
      );
    case 'freeze':
      return during(
        ({ cell }, now) => {
          cell.frozen = now;
          cell.fence.singleWrites = false;
        },
        ({ cell }) => Object.assign(cell, { frozen: null }),
      );
    case 'pause':
      return during(
        (dc) => Object.assign(dc, { intent: 'pause', version: dc.version + 1 }),
        (dc) => Object.assign(dc, { intent: 'run', version: dc.version + 1 }),
      );
    case 'postpone':
      return [{ at, act: (world) => postpone(world, pick(world), one.hours) }];
    case 'reopen':
      return [{ at, act: (world) => reopen(pick(world)) }];
    case 'apply':
      return [{ at, act: (world) => apply(pick(world)) }];
    case 'reorder':
      return [{ at, act: ({ dataCenters }) => rotate(dataCenters) }];
    case 'restarts':
      return Array.from({ length: one.times }, (_, index) => ({
        at: Math.min(at + index * 60_000, end),
        act: (world: World) => tickWorld(world, deciders, one.polls),
      }));
    case 'suspended':
      return suspendScheduler(at, over, deciders);
  }
}

/** A scheduler that decides, is suspended, and executes afterwards what it had decided. */
function suspendScheduler(at: number, over: number, deciders: Deciders): readonly Happening[] {
  let decided: ReturnType<typeof decideAll> = [];
  return [
    {
      at,
      act: (world) => {
        decided = decideAll(world, deciders);
      },
    },
    {
      at: over,
      act: (world) => {
        for (const one of decided) executeDecided(world, one);
      },
    },
  ];
}

/** The auditor found that a verified data center is not what it was. */
function reopen(dc: DataCenter): void {
  if ((dc.stage !== 'done' && dc.stage !== 'baking') || dc.requested) return;
  Object.assign(dc, { stage: 'pending', fenceConfirmedClosed: false, requested: true, version: dc.version + 1 });
}

function apply(dc: DataCenter): void {
  if (dc.requested || dc.stage !== 'done') return;
  Object.assign(dc, { requested: true, intent: 'run', version: dc.version + 1 });
}

function rotate(dataCenters: readonly DataCenter[]): void {
  for (const dc of dataCenters)
    Object.assign(dc, { position: (dc.position + 1) % dataCenters.length, version: dc.version + 1 });
}
