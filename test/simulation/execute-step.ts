// Executes one decided step on the world, as the engine does on the databases: compare-and-set on the row's version,
// the fence by its epoch, the gate by its cell's clock. True: something moved.
import { decideEnd } from '../../src/domain/calendar/due-work.js';
import type { Step } from '../../src/domain/rollout/decision.js';
import type { DataCenterSnapshot, MaintenanceRun } from '../../src/domain/rollout/snapshot.js';
import { SLOT_STAGES, type Stage } from '../../src/domain/rollout/stage.js';
import { armSimulatedGate, disarmSimulatedGate, latchSimulatedGate } from './gate.js';
import { cellNow, type DataCenter, findDueNight, type World } from './world.js';

const BATCHES = 3;

export interface SimulatedStep {
  readonly dc: DataCenter;
  /** The version of its row that was seen. */
  readonly version: number;
  readonly seen: DataCenterSnapshot;
}

export function executeInWorld(world: World, { dc, version, seen }: SimulatedStep, step: Step): boolean {
  const set = (change: Partial<DataCenter>): boolean => {
    if (dc.version !== version) return false;
    Object.assign(dc, change, { version: dc.version + 1 });
    return true;
  };
  if (step.kind !== 'advance' && !dc.cell.up) return false;
  switch (step.kind) {
    case 'activate':
      return activate(world, dc, set);
    case 'open_fence':
      return openFence(world, dc, step.state, set);
    case 'close_fence':
      return closeFence(dc, set);
    case 'advance':
      return advance(world, dc, step.to, set);
    case 'arm_gate':
      return armSimulatedGate(world, dc, seen, set);
    case 'disarm_gate':
      return disarmSimulatedGate(world, dc, set);
    case 'latch_gate':
      return latchSimulatedGate(world, dc, seen, set);
    case 'allow_single_writes':
      if (dc.cell.fence.state !== 'closed' || dc.cell.frozen !== null) return false;
      dc.cell.fence.singleWrites = true;
      return set({ singleWrites: true });
    case 'stop_single_writes':
      dc.cell.fence.singleWrites = false;
      return set({ singleWrites: false });
    case 'start_maintenance':
      return startMaintenance(world, dc, step.of, set);
    case 'open_maintenance':
      return openMaintenance(world, dc, step.run);
    case 'close_maintenance':
      return closeMaintenance(world, dc, step.run);
    case 'sweep_again':
      return beginPass(dc, step.run);
    case 'end_maintenance':
      return endMaintenance(world, dc, step.run, set);
    default:
      // workers poll without wake-ups; nothing here plans or breaks a rule
      return false;
  }
}

export type SetRow = (change: Partial<DataCenter>) => boolean;

function activate(world: World, dc: DataCenter, set: SetRow): boolean {
  const taken = world.dataCenters.some((other) => SLOT_STAGES.includes(other.stage));
  if (taken) return false;
  const epoch = takeEpoch(world, dc);
  const moved = set({
    ...{ stage: 'canary', epoch, runId: epoch, fenceConfirmedClosed: false, bakeUntil: null, singleWrites: false },
  });
  if (moved) world.facts.push({ kind: 'activated', dataCenter: dc.id, at: world.now });
  return moved;
}

function takeEpoch(world: World, { cell }: DataCenter): bigint {
  const seen = cell.fence.epoch;
  if (seen > world.epoch) world.epoch = seen;
  world.epoch += 1n;
  return world.epoch;
}

function openFence(world: World, dc: DataCenter, state: 'open' | 'verifying', set: SetRow): boolean {
  const { cell, epoch, runId } = dc;
  if (runId === null) return false;
  if (epoch === null || epoch <= cell.fence.epoch)
    return set({ epoch: takeEpoch(world, dc), fenceConfirmedClosed: false });
  if (cell.run?.runId !== runId) cell.run = { runId, batches: BATCHES, pending: BATCHES, verified: 0 };
  cell.fence = { state, epoch, runId, singleWrites: false };
  return true;
}

function closeFence(dc: DataCenter, set: SetRow): boolean {
  const superseded = SLOT_STAGES.includes(dc.stage) && dc.cell.fence.epoch > (dc.epoch ?? 0n);
  if (!superseded) lockOut(dc, dc.epoch ?? 0n);
  return set({ fenceConfirmedClosed: true });
}

function lockOut({ cell: { fence } }: DataCenter, epoch: bigint): boolean {
  if (fence.epoch > epoch) return false;
  fence.state = 'closed';
  fence.epoch = epoch;
  return true;
}

function advance(world: World, dc: DataCenter, to: Stage, set: SetRow): boolean {
  if (to === 'aborted') return set({ stage: to, fenceConfirmedClosed: true, requested: false });
  if (to === 'baking') {
    const bakeUntil = new Date(world.now.getTime() + dc.bakeMs);
    return set({ stage: to, bakeUntil, fenceConfirmedClosed: true, requested: false });
  }
  const first = to === 'done' && dc.doneAt === null ? { doneAt: world.now } : {};
  return set({ stage: to, ...first, ...(SLOT_STAGES.includes(to) ? {} : { fenceConfirmedClosed: true }) });
}

function startMaintenance(world: World, dc: DataCenter, kind: 'reconcile' | 'sweep', set: SetRow): boolean {
  if (world.open !== null) return false;
  const night = findDueNight(dc);
  if (kind === 'reconcile' && night === undefined) return false;
  if (!set({ singleWrites: false })) return false;
  const runId = takeEpoch(world, dc);
  world.open = { dataCenter: dc.id, runId, kind, epoch: runId, closedEpoch: null };
  if (kind === 'reconcile' && night !== undefined) {
    Object.assign(night, { state: 'running', startedAt: world.now, runId });
    world.facts.push({ kind: 'night', dataCenter: dc.id, localDate: night.localDate, at: world.now });
  }
  return true;
}

function openMaintenance(world: World, dc: DataCenter, run: MaintenanceRun): boolean {
  const { cell } = dc;
  const { fence } = cell;
  const { open } = world;
  if (open === null || open.runId !== run.runId) return false;
  if (run.epoch <= fence.epoch && !(run.epoch === fence.epoch && fence.state === 'open')) {
    if (open.epoch !== run.epoch) return false;
    open.epoch = takeEpoch(world, dc);
    return true;
  }
  if (fence.epoch >= run.epoch) return true;
  if (cell.maintenance?.runId !== run.runId)
    cell.maintenance = { runId: run.runId, kind: run.kind, detected: false, pending: 0, found: 0, seen: 0 };
  cell.fence = { state: 'open', epoch: run.epoch, runId: run.runId, singleWrites: false };
  return true;
}

function closeMaintenance({ open }: World, dc: DataCenter, run: MaintenanceRun): boolean {
  const { fence } = dc.cell;
  if (!lockOut(dc, run.epoch) && fence.state !== 'closed') return false;
  if (open?.runId !== run.runId || open.epoch !== run.epoch || open.closedEpoch === run.epoch) return false;
  open.closedEpoch = run.epoch;
  return true;
}

function beginPass({ cell }: DataCenter, run: MaintenanceRun): boolean {
  if (cell.maintenance?.runId !== run.runId) return false;
  Object.assign(cell.maintenance, { detected: false, pending: 0, found: 0, seen: 0 });
  return true;
}

function endMaintenance(world: World, dc: DataCenter, run: MaintenanceRun, set: SetRow): boolean {
  if (world.open?.runId !== run.runId) return false;
  if (run.kind === 'sweep') dc.cell.gate.sweptAt ??= cellNow(world, dc);
  world.open = null;
  const night = dc.due.find((row) => row.runId === run.runId && row.state === 'running');
  if (night?.startedAt) night.state = decideEnd(night.dueAt, night.startedAt);
  set({ knownGate: { ...dc.knownGate, sweptAt: dc.cell.gate.sweptAt } });
  return true;
}
