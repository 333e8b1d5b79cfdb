// What must hold of the sign-up gate and of every sign-up.
import type { CellDb, CellState } from './cell-state.js';
import type { Say } from './watch.js';
import type { World } from './world.js';

export function watchGate(world: World, cell: CellDb, before: CellState, after: CellState, say: Say): void {
  if (before.gate !== after.gate) watchChange(world, cell, before, after, say);
  for (const { orgId, model, decidedAt } of after.signUps.slice(before.signUps.length)) {
    const { effectiveAt } = after.gate;
    const over = effectiveAt !== null && decidedAt >= effectiveAt;
    if (over !== (model === 'credits')) say(`${orgId} signed up on ${model}, on the wrong side of the instant`);
  }
}

/** Somebody moves it now: the gate of the cell first, then control. */
const isBeingMoved = ({ control }: World, id: string): boolean =>
  [...control.open].some((tx) => tx.process.kind === 'person' && tx.has(`row ${id}`));

function watchChange(world: World, cell: CellDb, { gate: old }: CellState, after: CellState, say: Say): void {
  const { gate, orgs, allotments, quarantine, signUps } = after;
  const { effectiveAt, configuredAt, latchedAt, sweptAt } = gate;
  if (old.latchedAt !== null && (latchedAt === null || effectiveAt?.getTime() !== old.effectiveAt?.getTime()))
    say('a latched gate was changed');
  if (old.latchedAt === null && latchedAt !== null) {
    if (effectiveAt === null || latchedAt < effectiveAt) say('latched before its instant');
    for (const tx of cell.open)
      if (tx.has('gate') && tx.process.kind === 'product') say('latched while a sign-up had asked');
  }
  if (effectiveAt !== null && configuredAt !== null && effectiveAt < configuredAt) say('in effect before its instant');
  if (old.effectiveAt === null && effectiveAt !== null && !world.isControlRestored) {
    const row = world.control.state.dataCenters.find(({ id }) => id === cell.name);
    if (row?.stage !== 'done') say(`armed while ${row?.stage}`);
    if (row?.cutoverAt?.getTime() !== configuredAt?.getTime() && !isBeingMoved(world, cell.name))
      say('armed for an instant that was moved');
  }
  if (old.sweptAt !== null || sweptAt === null) return;
  if (latchedAt === null) say('swept before it was latched');
  const isMissed = ([id, { createdAt }]: readonly [string, { readonly createdAt: Date | null }]): boolean =>
    createdAt !== null &&
    effectiveAt !== null &&
    createdAt < effectiveAt &&
    !allotments.has(id) &&
    !quarantine.some(({ orgId }) => orgId === id) &&
    !signUps.some(({ orgId, model }) => orgId === id && model === 'credits');
  const missed = [...orgs].filter(isMissed).map(([id]) => id);
  if (missed.length > 0) say(`swept, and ${missed.join(', ')} has no allotment`);
}
