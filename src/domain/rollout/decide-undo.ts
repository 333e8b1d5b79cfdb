// Decides about the undo of one data center: when it starts, and its next step. Pure. The stage moves before anything
// is taken back, so that nothing else puts it there again; the gate is disarmed before the fence opens.
import {
  type Decision,
  frozen,
  go,
  hold,
  isClosed,
  paused,
  type ReadCell,
  sourceHold,
  unreachable,
  workHolds,
} from './decision.js';
import { byCommand, byWaiting, createHold, type Hold, type ReleaseCommand } from './hold.js';
import type { DataCenterSnapshot, GateReading, Snapshot } from './snapshot.js';
import { SLOT_STAGES, type Stage } from './stage.js';

/** Where there may be something to undo, and nothing is under way. */
export const UNDOABLE_STAGES: readonly Stage[] = ['done', 'aborted', 'failed', 'undone'];

/** Whether an undo is to start here before anything else. */
export const isUndoDue = ({ undoRequested, stage }: Pick<DataCenterSnapshot, 'undoRequested' | 'stage'>): boolean =>
  undoRequested === true && UNDOABLE_STAGES.includes(stage);

/**
 * What to do now for an undo that was asked for. It waits for no window: it is a way out. It is dropped where the
 * cut-over began while it waited: started, it could only fail.
 */
export function decideUndoStart(snapshot: Snapshot, dc: DataCenterSnapshot): Decision {
  if (hasBegun(dc.cell?.kind === 'read' ? dc.cell.gate : dc.knownGate, snapshot.now))
    return go({ kind: 'drop_undo', reason: 'the cut-over has begun' });
  const slot = snapshot.dataCenters.find((other) => other.id !== dc.id && SLOT_STAGES.includes(other.stage));
  const holds: (Hold | undefined)[] = [
    frozen(dc),
    paused(dc),
    slot && createHold('slot_taken', byWaiting('it starts by itself'), slot.id),
    dc.maintenance.open === null
      ? undefined
      : createHold('maintenance', byWaiting('it starts by itself'), dc.maintenance.open.kind),
    dc.cell?.kind === 'read' ? undefined : unreachable(dc),
    sourceHold(dc),
  ];
  const found = holds.filter((one) => one !== undefined);
  return found.length > 0 ? hold(...found) : go({ kind: 'start_undo', reason: 'it was asked for' });
}

/** The next step of an undo that is under way. */
export function decideUndoing(snapshot: Snapshot, dc: DataCenterSnapshot, cell: ReadCell): Decision {
  const { fence, gate, run } = cell;
  const closed = isClosed(dc, fence);
  const failure = nameFailure(snapshot, dc, cell);
  if (failure !== undefined)
    return closed
      ? go({ kind: 'fail', code: failure, reason: 'a rule was broken' })
      : go({ kind: 'close_fence', reason: 'a rule was broken' });
  const stopped = paused(dc) ?? sourceHold(dc);
  if (stopped !== undefined)
    return { steps: closed ? [] : [{ kind: 'close_fence', reason: 'it was stopped' }], holds: [stopped] };
  const held = frozen(dc);
  if (held !== undefined) return hold(held);
  // disarmed in this tick: see decideGate
  if (gate.effectiveAt !== null) return { steps: [], holds: [] };
  if (run?.pending === 0)
    return closed
      ? go({ kind: 'advance', to: 'undone', reason: 'every change of the run is undone or listed as a conflict' })
      : go({ kind: 'close_fence', reason: 'nothing is pending' });
  const ours = fence.epoch === dc.epoch && fence.runId === dc.runId && fence.sameTimeline && fence.sameServer;
  if (run === undefined || !ours || fence.state !== 'open')
    return go({ kind: 'open_fence', state: 'open', reason: 'ranges are to be undone' });
  const want = Math.min(dc.lanes, run.pending);
  return {
    steps: [{ kind: 'wake_workers', job: 'apply', want, reason: 'ranges are to be undone' }],
    holds: workHolds(dc, cell, run),
  };
}

/** Once sign-ups start on credits, no org may be on the old model. */
function nameFailure({ now }: Snapshot, { epoch }: DataCenterSnapshot, { fence, gate }: ReadCell): string | undefined {
  if (fence.failure !== null && fence.epoch === epoch) return fence.failure;
  return hasBegun(gate, now) ? 'cutover_begun' : undefined;
}

const hasBegun = ({ latchedAt, effectiveAt }: GateReading, now: Date): boolean =>
  latchedAt !== null || (effectiveAt !== null && effectiveAt <= now);

/**
 * What goes on after a failure. An undo is not retried: it is asked for again; once the cut-over has begun, what it
 * took back is rolled out again.
 */
export function continueFailed(
  dc: Pick<DataCenterSnapshot, 'id' | 'stage' | 'undoRequested' | 'undoFailed' | 'cell' | 'knownGate'>,
  now: Date,
): ReleaseCommand {
  const { id, undoFailed, cell, knownGate } = dc;
  if (isUndoDue(dc)) return byCommand('wait', '--dc', id);
  if (!undoFailed) return byCommand('retry', '--dc', id);
  const begun = hasBegun(cell?.kind === 'read' ? cell.gate : knownGate, now);
  return begun ? byCommand('apply', '--dc', id, '--execute') : byCommand('undo', '--dc', id);
}
