// Schedulers of the world: read, decide with the real decision functions, write what the calendar makes due, take the
// steps. They may die between any two steps, and may execute late what they decided early.
import { decideAlarms, listMissing } from '../../src/domain/calendar/decide-alarms.js';
import { decideNights } from '../../src/domain/calendar/decide-nights.js';
import type { DueChange } from '../../src/domain/calendar/due-work.js';
import { decideGate } from '../../src/domain/rollout/decide-gate.js';
import { decideMaintenance } from '../../src/domain/rollout/decide-maintenance.js';
import { decideStep } from '../../src/domain/rollout/decide-rollout.js';
import type { Step } from '../../src/domain/rollout/decision.js';
import type { Hold } from '../../src/domain/rollout/hold.js';
import type { DataCenterSnapshot } from '../../src/domain/rollout/snapshot.js';
import { executeInWorld } from './execute-step.js';
import { readWorld, type Seen } from './read-world.js';
import { find, RECENT_ROWS, type World } from './world.js';

/** The decision functions under test; a planted bug is another one in their place. */
export interface Deciders {
  readonly decideStep: typeof decideStep;
  readonly decideMaintenance: typeof decideMaintenance;
  readonly decideGate: typeof decideGate;
  readonly decideNights: typeof decideNights;
  readonly decideAlarms: typeof decideAlarms;
}

export const REAL: Deciders = { decideStep, decideMaintenance, decideGate, decideNights, decideAlarms };

const MAX_STEPS_PER_TICK = 40;

/** What one poll decided for a data center. */
interface Decided {
  readonly id: string;
  readonly version: number;
  readonly seen: DataCenterSnapshot;
  readonly changes: readonly DueChange[];
  readonly steps: readonly Step[];
}

/** Polls until nothing is due; dies after `limit` polls. */
export function tickWorld(world: World, deciders: Deciders, limit = MAX_STEPS_PER_TICK): void {
  for (let poll = 0; poll < limit; poll += 1) if (!takeDueSteps(world, deciders)) return;
}

/** True: something moved, and the others are to be decided on anew. */
function takeDueSteps(world: World, deciders: Deciders): boolean {
  const seen = readWorld(world);
  return seen.dataCenters.some((dc) => executeDecided(world, decide(world, deciders, seen, dc)));
}

/** Decides on everything now, for a scheduler that executes it when it wakes up. */
export function decideAll(world: World, deciders: Deciders): readonly Decided[] {
  const seen = readWorld(world);
  return seen.dataCenters.map((dc) => decide(world, deciders, seen, dc));
}

function decide(world: World, deciders: Deciders, seen: Seen, dc: DataCenterSnapshot): Decided {
  const decisions = [
    deciders.decideStep(seen, dc),
    deciders.decideMaintenance(seen, dc),
    deciders.decideGate(seen, dc),
  ];
  const holds = decisions.flatMap((decision) => decision.holds);
  return {
    id: dc.id,
    version: seen.versions.get(dc.id) ?? 0,
    seen: dc,
    changes: decideChanges(world, deciders, seen, dc, holds),
    steps: decisions.flatMap((decision) => decision.steps),
  };
}

function decideChanges(
  world: World,
  deciders: Deciders,
  { now }: Seen,
  dc: DataCenterSnapshot,
  holds: readonly Hold[],
): readonly DueChange[] {
  const { doneAt, cutoverSetAt, due } = find(world, dc.id);
  const rows = due.slice(-RECENT_ROWS);
  const { zone, cutoverAt, knownGate } = dc;
  const heldBy = holds[0]?.code ?? null;
  const nights = deciders.decideNights({ zone, at: world.nightAt, since: doneAt, rows, heldBy, now });
  const alarms = { zone, cutoverAt, setAt: cutoverSetAt, rows, gate: knownGate, missing: listMissing(dc, holds), now };
  return [...nights, ...deciders.decideAlarms(alarms)];
}

export function executeDecided(world: World, { id, version, seen, changes, steps }: Decided): boolean {
  const written = changes.map((change) => saveChange(world, id, change));
  const dc = find(world, id);
  const moved = steps.map((step) => executeInWorld(world, { dc, version, seen }, step));
  return [...written, ...moved].includes(true);
}

/** As the database does: a key once, and only what is due can be missed. */
function saveChange(world: World, dataCenter: string, change: DueChange): boolean {
  const { work, localDate } = change;
  const { due } = find(world, dataCenter);
  const stored = due.findLast((row) => row.work === work && row.localDate === localDate);
  if (change.kind === 'miss') {
    if (stored?.state !== 'due') return false;
    Object.assign(stored, { state: 'missed', note: change.note });
    return true;
  }
  if (stored !== undefined) return false;
  const { dueAt, state, note } = change;
  const fresh = { startedAt: null, runId: null, insertedAt: world.now };
  due.push({ work, localDate, dueAt, state, note, ...fresh });
  return true;
}
