// The gate of a cell in the world: changed and asked by the cell's clock only, latched for good.
import type { DataCenterSnapshot } from '../../src/domain/rollout/snapshot.js';
import type { SetRow } from './execute-step.js';
import { cellNow, type DataCenter, type SimulatedGate, type World } from './world.js';

/** With the instant that the scheduler saw, which may be an old one. */
export function armSimulatedGate(
  world: World,
  dc: DataCenter,
  { cutoverAt }: DataCenterSnapshot,
  set: SetRow,
): boolean {
  const { gate } = dc.cell;
  const armed = cutoverAt !== null && configure(gate, cutoverAt, cellNow(world, dc));
  set({ knownGate: { ...gate } });
  return armed;
}

function configure(gate: SimulatedGate, at: Date, now: Date): boolean {
  const open = gate.latchedAt === null && (gate.effectiveAt === null || gate.effectiveAt > now);
  const same = gate.effectiveAt !== null && gate.configuredAt?.getTime() === at.getTime();
  if (open && !same)
    Object.assign(gate, { configuredAt: at, effectiveAt: new Date(Math.max(at.getTime(), now.getTime())) });
  return open && !same;
}

/**
 * As `cutover postpone` does once it is approved: the gate of the cell first, then control. Rejected into the past, and
 * once the instant has come.
 */
export function postpone(world: World, dc: DataCenter, hours: number): void {
  const { cutoverAt, cell } = dc;
  if (cutoverAt === null || !cell.up || isGateBegun(world, dc)) return;
  const to = new Date(cutoverAt.getTime() + hours * HOUR_MS);
  if (to <= world.now) return;
  if (cell.gate.effectiveAt !== null) configure(cell.gate, to, cellNow(world, dc));
  Object.assign(dc, { cutoverAt: to, cutoverSetAt: world.now, version: dc.version + 1 });
}

const HOUR_MS = 3_600_000;

export function disarmSimulatedGate(world: World, dc: DataCenter, set: SetRow): boolean {
  const { gate } = dc.cell;
  const open = gate.latchedAt === null && gate.effectiveAt !== null && gate.effectiveAt > cellNow(world, dc);
  if (open) gate.effectiveAt = null;
  set({ knownGate: { ...gate } });
  return open;
}

/** Whatever has begun since it was decided: at its instant the cut-over has happened, and the latch only records it. */
export function latchSimulatedGate(world: World, dc: DataCenter, { stage }: DataCenterSnapshot, set: SetRow): boolean {
  const { gate } = dc.cell;
  const now = cellNow(world, dc);
  const { effectiveAt, configuredAt } = gate;
  const due = gate.latchedAt === null && effectiveAt !== null && effectiveAt <= now;
  if (due && configuredAt !== null) {
    gate.latchedAt = now;
    const { id: dataCenter } = dc;
    world.facts.push({ kind: 'latched', dataCenter, at: world.now, cellAt: now, effectiveAt, configuredAt, stage });
  }
  set({ knownGate: { ...gate } });
  return due;
}

/** A new org asks for its model; one on legacy has no allotment until a night or the sweep. */
export function signUp(world: World, dc: DataCenter): void {
  const { gate, signUps } = dc.cell;
  const at = cellNow(world, dc);
  const onCredits = gate.latchedAt !== null || (gate.effectiveAt !== null && at >= gate.effectiveAt);
  signUps.push({ at, model: onCredits ? 'credits' : 'legacy' });
  if (!onCredits && dc.doneAt !== null) dc.cell.missing += 1;
}

/** From here on sign-ups start on credits: too late to move it. */
function isGateBegun(world: World, dc: DataCenter): boolean {
  const { latchedAt, effectiveAt } = dc.cell.gate;
  return latchedAt !== null || (effectiveAt !== null && effectiveAt <= cellNow(world, dc));
}
