// Everything that is decided about one data center in one tick: its rollout, its maintenance, its gate. Pure.
import { decideGate } from './decide-gate.js';
import { decideMaintenance } from './decide-maintenance.js';
import { decideStep } from './decide-rollout.js';
import type { Decision } from './decision.js';
import type { DataCenterSnapshot, Snapshot } from './snapshot.js';

/** The rollout first: what must stop is stopped before any maintenance begins. Each hold is listed once. */
export function decideDataCenter(snapshot: Snapshot, dc: DataCenterSnapshot): Decision {
  const decisions = [decideStep(snapshot, dc), decideMaintenance(snapshot, dc), decideGate(snapshot, dc)];
  const holds = decisions.flatMap((decision) => decision.holds);
  return {
    steps: decisions.flatMap((decision) => decision.steps),
    holds: holds.filter((hold, index) => holds.findIndex(({ code }) => code === hold.code) === index),
  };
}
