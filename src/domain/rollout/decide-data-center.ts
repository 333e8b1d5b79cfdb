// Everything that is decided about one data center in one tick: its rollout, its maintenance, its gate. Pure.
import { isUndoForgotten } from './decide-audit.js';
import { decideGate } from './decide-gate.js';
import { decideMaintenance } from './decide-maintenance.js';
import { decideStep } from './decide-rollout.js';
import { type Decision, IDLE, isPauseOver, paused, type Step } from './decision.js';
import { byCommand, createHold, type Hold } from './hold.js';
import type { DataCenterSnapshot, Snapshot } from './snapshot.js';
import { SLOT_STAGES } from './stage.js';

/** The rollout first: what must stop is stopped before any maintenance begins. Each hold is listed once. */
export function decideDataCenter(snapshot: Snapshot, dc: DataCenterSnapshot): Decision {
  const pause = paused(dc);
  // everything else is decided once it is over
  if (pause !== undefined && isPauseOver(dc, snapshot.now))
    return { steps: [{ kind: 'end_pause', reason: 'the pause ended at its time' }], holds: [pause] };
  // the auditor fails it, once nothing is open: until then nothing goes on
  if (isUndoForgotten(dc.stage, dc.cell)) return dc.maintenance.open === null ? IDLE : decideMaintenance(snapshot, dc);
  const decisions = [decideStep(snapshot, dc), decideMaintenance(snapshot, dc), decideGate(snapshot, dc)];
  const steps = [...decideLanes(dc), ...decideChecks(dc), ...decisions.flatMap((decision) => decision.steps)];
  const holds = [...decisions.flatMap((decision) => decision.holds), ...holdsOfFailures(dc, steps)];
  return {
    steps,
    holds: holds.filter((hold, index) => holds.findIndex(({ code }) => code === hold.code) === index),
  };
}

/** The runs of the cell get the lanes that are wanted now; no batch of theirs is broken off. */
const decideLanes = ({ lanes, cell }: DataCenterSnapshot): readonly Step[] =>
  cell?.kind === 'read' && cell.openLanes.some((open) => open !== lanes)
    ? [{ kind: 'set_lanes', lanes, reason: `${lanes} batches at once are wanted` }]
    : [];

/** The open run of the cell gets the checks that are in force, whatever it was requested with. */
function decideChecks({ cell, stage, runId, maintenance }: DataCenterSnapshot): readonly Step[] {
  if (cell?.kind !== 'read' || cell.otherChecks !== true || cell.openLanes.length === 0) return [];
  const run = SLOT_STAGES.includes(stage) ? runId : (maintenance.open?.runId ?? null);
  return run === null ? [] : [{ kind: 'set_checks', runId: run, reason: 'its checks were changed' }];
}

/** Once may be chance; from the second time on people must see it. */
const FAILING_FROM = 2;

/** The first step that is due and failed again and again. */
function holdsOfFailures({ failedSteps }: DataCenterSnapshot, steps: readonly Step[]): readonly Hold[] {
  const failing = failedSteps.find(
    ({ step, times }) => times >= FAILING_FROM && steps.some(({ kind }) => kind === step),
  );
  if (failing === undefined) return [];
  const { step, code, object } = failing;
  const value = `${step}: ${code}${object === null ? '' : ` (${object})`}`;
  return [createHold('step_failing', byCommand('doctor'), value)];
}
