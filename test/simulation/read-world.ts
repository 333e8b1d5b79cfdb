// Reads the world as a scheduler reads its databases: control's rows, and the cells in which something is due.

import { isGateDue } from '../../src/domain/rollout/decide-gate.js';
import { isMaintenanceDue } from '../../src/domain/rollout/decide-maintenance.js';
import type { CellReading, DataCenterSnapshot, Snapshot } from '../../src/domain/rollout/snapshot.js';
import { SLOT_STAGES } from '../../src/domain/rollout/stage.js';
import { isWindowOpen, type WindowAnswer } from '../../src/domain/windows/windows.js';
import { PLANS } from '../domain/rollout/sample-snapshot.js';
import { type DataCenter, findDueNight, type World } from './world.js';

/** A snapshot, and the versions of the rows that it was read from. */
export interface Seen extends Snapshot {
  readonly versions: ReadonlyMap<string, number>;
}

export function readWorld(world: World): Seen {
  const dataCenters = world.dataCenters
    .toSorted((a, b) => a.position - b.position)
    .map((dc) => readDataCenter(world, dc));
  return { now: world.now, dataCenters, versions: new Map(world.dataCenters.map((dc) => [dc.id, dc.version])) };
}

function readDataCenter(world: World, dc: DataCenter): DataCenterSnapshot {
  const known = toKnown(world, dc);
  const due =
    SLOT_STAGES.includes(dc.stage) ||
    !dc.fenceConfirmedClosed ||
    dc.requested ||
    isMaintenanceDue(known) ||
    isGateDue(known, world.now);
  return due ? { ...known, cell: readCell(world, dc) } : known;
}

function toKnown(world: World, dc: DataCenter): DataCenterSnapshot {
  const { open } = world;
  const night = findDueNight(dc);
  return {
    id: dc.id,
    position: dc.position,
    zone: dc.zone,
    stage: dc.stage,
    failedSteps: [],
    intent: dc.intent,
    pause: null,
    fenceConfirmedClosed: dc.fenceConfirmedClosed,
    requested: dc.requested,
    undoFailed: false,
    runId: dc.runId,
    epoch: dc.epoch,
    notBeforeAt: dc.notBeforeAt,
    cutoverAt: dc.cutoverAt,
    bakeUntil: dc.bakeUntil,
    cutoverLocal: null,
    notBeforeLocal: null,
    knownGate: { ...dc.knownGate },
    singleWrites: dc.singleWrites,
    maintenance: {
      open: open?.dataCenter === dc.id ? { runId: open.runId, kind: open.kind, epoch: open.epoch } : null,
      closedEpoch: open?.dataCenter === dc.id ? open.closedEpoch : null,
      night: night ? { localDate: night.localDate, dueAt: night.dueAt } : null,
      requested: false,
      failedAt: dc.failedAt,
    },
    lanes: 2,
    canaryWaitMs: 0,
    orgsTouched: null,
    plan: PLANS.approved,
    window: readWindow(dc, world.now),
    cell: undefined,
  };
}

const answers = new WeakMap<DataCenter, { readonly from: Date; readonly answer: WindowAnswer }>();

/** Asked once per period in which the answer stays the same. */
function readWindow(dc: DataCenter, now: Date): WindowAnswer {
  const known = answers.get(dc);
  if (known && known.from <= now && (known.answer.changesAt === null || now < known.answer.changesAt))
    return known.answer;
  const answer = isWindowOpen(dc.windows, dc.zone, now);
  answers.set(dc, { from: now, answer });
  return answer;
}

const READY = { passed: true, pending: 0, unverified: 0, mismatches: 0, verifiedForMs: null } as const;

function readCell(world: World, { id, runId, cell }: DataCenter): CellReading {
  if (!cell.up) return { kind: 'unreachable', code: 'unreachable' };
  const { fence, run, maintenance } = cell;
  const named = run?.runId === runId ? run : null;
  const wanted = world.open?.dataCenter === id ? world.open.runId : null;
  return {
    kind: 'read',
    fence: { ...fence, sameTimeline: true, sameServer: true, failure: null },
    run: named
      ? {
          ...{ canary: READY, staleLeft: 0, touched: 0, followedUp: false, cut: true, mismatches: 0, idleMs: 0 },
          ...{ batches: named.batches, pending: named.pending, verified: named.verified },
        }
      : undefined,
    source: 'attached',
    workersAlive: cell.workers ? 1 : 0,
    openLanes: [],
    lastError: null,
    bakeQuery: undefined,
    bakeError: null,
    gate: { ...cell.gate },
    gateHolder: null,
    freeze: cell.frozen && { since: cell.frozen, by: 'an operator', reason: null },
    maintenance:
      maintenance && maintenance.runId === wanted
        ? { detected: maintenance.detected, pending: maintenance.pending, found: maintenance.found, idleMs: 0 }
        : undefined,
  };
}
