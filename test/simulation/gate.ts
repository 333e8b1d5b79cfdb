// The gate of a cell in the world: changed and asked by the cell's clock only, latched for good.
import type { SetRow } from './carry-out.js';
import { cellNow, type DataCenter, type World } from './world.js';

export function armGate(world: World, dc: DataCenter, set: SetRow): boolean {
  const { gate } = dc.cell;
  const now = cellNow(world, dc);
  const { cutoverAt } = dc;
  if (cutoverAt === null) return false;
  const open = gate.latchedAt === null && (gate.effectiveAt === null || gate.effectiveAt > now);
  const same = gate.effectiveAt !== null && gate.configuredAt?.getTime() === cutoverAt.getTime();
  if (open && !same) Object.assign(gate, { configuredAt: cutoverAt, effectiveAt: cutoverAt > now ? cutoverAt : now });
  set({ knownGate: { ...gate } });
  return open && !same;
}

export function disarmGate(world: World, dc: DataCenter, set: SetRow): boolean {
  const { gate } = dc.cell;
  const open = gate.latchedAt === null && gate.effectiveAt !== null && gate.effectiveAt > cellNow(world, dc);
  if (open) gate.effectiveAt = null;
  set({ knownGate: { ...gate } });
  return open;
}

export function latchGate(world: World, dc: DataCenter, set: SetRow): boolean {
  const { gate } = dc.cell;
  const now = cellNow(world, dc);
  const { effectiveAt, configuredAt } = gate;
  const due = gate.latchedAt === null && effectiveAt !== null && effectiveAt <= now;
  if (due && configuredAt !== null) {
    gate.latchedAt = now;
    const { id: dataCenter, stage } = dc;
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
export function isGateBegun(world: World, dc: DataCenter): boolean {
  const { latchedAt, effectiveAt } = dc.cell.gate;
  return latchedAt !== null || (effectiveAt !== null && effectiveAt <= cellNow(world, dc));
}
