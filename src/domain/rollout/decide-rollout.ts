// Decides the next step of one data center from a snapshot and a time: pure, and the first reason wins. The order
// matters for safety: what must stop comes before what may go on, and a fence is closed before its stage moves.
import { askedHold } from './check-holds.js';
import { decideCanary } from './decide-canary.js';
import { decidePlanned, unusablePlan } from './decide-planned.js';
import { continueFailed, decideUndoing, decideUndoStart, isUndoDue } from './decide-undo.js';
import {
  type Decision,
  frozen,
  go,
  hold,
  IDLE,
  isClosed,
  paused,
  type ReadCell,
  sourceHold,
  unreachable,
  workHolds,
} from './decision.js';
import { byCommand, byWaiting, createHold, type Hold, type Release } from './hold.js';
import type { DataCenterSnapshot, RunReading, Snapshot } from './snapshot.js';
import { RESTING_STAGES, SLOT_STAGES } from './stage.js';

export type { Decision, JobKind, Step } from './decision.js';

/** What to do now for one data center, or why nothing is done. */
export function decideStep(snapshot: Snapshot, dc: DataCenterSnapshot): Decision {
  if (RESTING_STAGES.includes(dc.stage)) return decideResting(snapshot, dc);
  if (dc.stage === 'baking') return decideBaking(snapshot, dc);
  const cell = dc.cell;
  if (cell === undefined || cell.kind === 'unreachable') return hold(unreachable(dc));
  if (dc.stage === 'undoing') return decideUndoing(snapshot, dc, cell);
  return (
    decideStop(dc, cell) ??
    decideFrozen(dc) ??
    decideChanged(dc, cell) ??
    decideWithoutPlan(dc, cell) ??
    decideWork(dc, cell)
  );
}

function decideResting(snapshot: Snapshot, dc: DataCenterSnapshot): Decision {
  // a fence left open by a crash or a restored control database is closed before anything else
  if (!dc.fenceConfirmedClosed)
    return dc.cell?.kind === 'read'
      ? go({ kind: 'close_fence', reason: 'nothing is under way' })
      : hold(unreachable(dc));
  if (isUndoDue(dc)) return decideUndoStart(snapshot, dc);
  if (!dc.requested) return decideFrozen(dc) ?? holdChanged(dc) ?? IDLE;
  const holds = listStartHolds(snapshot, dc);
  return holds.length > 0 ? hold(...holds) : decidePlanned(dc);
}

function listStartHolds(snapshot: Snapshot, dc: DataCenterSnapshot): readonly Hold[] {
  const others = snapshot.dataCenters.filter((other) => other.id !== dc.id);
  const earlier = others.filter((other) => other.position < dc.position);
  // one that is requested again is waited for
  const failed = earlier.find((other) => other.stage === 'failed' && !other.requested);
  const before =
    earlier.find((other) => other.stage === 'baking' || SLOT_STAGES.includes(other.stage)) ??
    others.find((other) => other.requested && standsBefore(other, dc));
  const slot = others.find((other) => SLOT_STAGES.includes(other.stage));
  const unconfirmed = others.find((other) => !other.fenceConfirmedClosed && RESTING_STAGES.includes(other.stage));
  const holds: (Hold | undefined)[] = [
    frozen(dc),
    paused(dc),
    failed && createHold('predecessor_failed', continueFailed(failed, snapshot.now), failed.id),
    dc.notBeforeAt !== null && snapshot.now < dc.notBeforeAt
      ? createHold(
          'not_before',
          byWaiting('it starts by itself'),
          snapshot.now.toISOString(),
          dc.notBeforeLocal ?? dc.notBeforeAt.toISOString(),
        )
      : undefined,
    before && createHold('waits_for_order', byWaiting('it starts by itself'), before.id),
    slot && slot !== before ? createHold('slot_taken', byWaiting('it starts by itself'), slot.id) : undefined,
    unconfirmed && createHold('not_quiet', byCommand('doctor'), unconfirmed.id),
    dc.maintenance.open === null
      ? undefined
      : createHold('maintenance', byWaiting('it starts by itself'), dc.maintenance.open.kind),
    dc.cell?.kind === 'read' ? undefined : unreachable(dc),
    sourceHold(dc),
    windowHold(dc),
    askedHold(dc),
  ];
  return holds.filter((found) => found !== undefined);
}

/** What was done before stands last: a plan of it that waits for its approval keeps nobody from the first rollout. */
function standsBefore(
  one: Pick<DataCenterSnapshot, 'stage' | 'position'>,
  other: Pick<DataCenterSnapshot, 'stage' | 'position'>,
): boolean {
  const last = one.stage === 'done';
  return last === (other.stage === 'done') ? one.position < other.position : !last;
}

const windowHold = (dc: DataCenterSnapshot): Hold | undefined =>
  dc.window.open
    ? undefined
    : createHold(
        'window_closed',
        dc.window.changesAt === null
          ? { ...byCommand('abort', '--dc', dc.id), after: ', then apply with other rollout.windows' }
          : byWaiting('it goes on by itself'),
        dc.window.reason,
        dc.window.changesAt?.toISOString() ?? null,
      );

/** Everything that stops a run: a broken rule, an abort, a pause, a closed window. Undefined: it may go on. */
function decideStop(dc: DataCenterSnapshot, cell: ReadCell): Decision | undefined {
  const { fence } = cell;
  if (fence.failure !== null && fence.epoch === dc.epoch)
    return isClosed(dc, fence)
      ? go({ kind: 'fail', code: fence.failure, reason: 'a rule was broken' })
      : go({ kind: 'close_fence', reason: 'a rule was broken' });
  const why =
    dc.intent === 'abort' ? 'the operator aborted' : dc.intent === 'pause' ? 'the operator paused' : dc.window.reason;
  if (dc.intent === 'run' && dc.window.open) return undefined;
  if (!isClosed(dc, fence)) return go({ kind: 'close_fence', reason: why });
  if (dc.intent === 'abort') return go({ kind: 'advance', to: 'aborted', reason: why });
  const held: (Hold | undefined)[] = [frozen(dc), paused(dc), windowHold(dc)];
  return hold(...held.filter((found) => found !== undefined));
}

/** An open fence stays open: workers check for a freeze themselves, and a frozen cell's fence can still be closed. */
function decideFrozen(dc: DataCenterSnapshot): Decision | undefined {
  const held = frozen(dc);
  return held && hold(held);
}

/** Our views read another table than the source: nothing is decided by what they say. */
const holdChanged = (dc: DataCenterSnapshot): Decision | undefined => {
  const held = sourceHold(dc);
  return held?.code === 'source_changed' ? hold(held) : undefined;
};

/** No batch writes then. The run goes on as soon as `init` has attached the views again. */
function decideChanged(dc: DataCenterSnapshot, { fence }: ReadCell): Decision | undefined {
  const held = holdChanged(dc);
  if (held === undefined || isClosed(dc, fence)) return held;
  return {
    steps: [{ kind: 'close_fence', reason: 'our views read another table than the source' }],
    holds: held.holds,
  };
}

/** A run that follows no plan, as an earlier version could begin one: nothing more of it is written. */
function decideWithoutPlan(dc: DataCenterSnapshot, { fence }: ReadCell): Decision | undefined {
  if (dc.plan.kind !== 'unusable') return undefined;
  return isClosed(dc, fence)
    ? hold(unusablePlan(dc, dc.plan.code))
    : go({ kind: 'close_fence', reason: 'the run follows no plan' });
}

function decideWork(dc: DataCenterSnapshot, cell: ReadCell): Decision {
  const { fence, run } = cell;
  const opened = fence.sameTimeline && fence.sameServer;
  const ours = fence.epoch === dc.epoch && fence.runId === dc.runId && opened;
  if (run !== undefined && !run.canary.passed) return decideCanary(dc, cell, run, ours);
  if (dc.stage === 'canary')
    return ours && fence.state === 'open' && run !== undefined
      ? go({ kind: 'advance', to: 'migrating', reason: 'the canary is applied and verified' })
      : go({ kind: 'open_fence', state: 'open', reason: 'the run begins' });
  if (run === undefined)
    return go({
      kind: 'open_fence',
      state: dc.stage === 'verifying' ? 'verifying' : 'open',
      reason: 'the cell lost the run',
    });
  return dc.stage === 'verifying' ? decideVerifying(dc, cell, run, ours) : decideMigrating(dc, cell, run, ours);
}

function decideMigrating(dc: DataCenterSnapshot, cell: ReadCell, run: RunReading, ours: boolean): Decision {
  const { fence } = cell;
  if (run.pending === 0)
    return isClosed(dc, fence)
      ? go({ kind: 'advance', to: 'verifying', reason: 'nothing is pending and the fence is closed' })
      : go({ kind: 'close_fence', reason: 'nothing is pending' });
  if (!ours || fence.state !== 'open') return go({ kind: 'open_fence', state: 'open', reason: 'ranges are pending' });
  const want = Math.min(dc.lanes, run.pending);
  return {
    steps: [{ kind: 'wake_workers', job: 'apply', want, reason: 'ranges are pending' }],
    holds: workHolds(dc, cell, run),
  };
}

function decideVerifying(dc: DataCenterSnapshot, cell: ReadCell, run: RunReading, ours: boolean): Decision {
  const { fence } = cell;
  if (run.pending > 0)
    return isClosed(dc, fence)
      ? go({ kind: 'advance', to: 'migrating', reason: 'work came back pending' })
      : go({ kind: 'close_fence', reason: 'work came back pending' });
  if (run.verified === run.batches) {
    if (!isClosed(dc, fence)) return go({ kind: 'close_fence', reason: 'every range is verified' });
    if (run.mismatches > 0)
      return go({ kind: 'fail', code: 'verification_mismatch', reason: `${run.mismatches} allotments break the rule` });
    return mayFollowUp(dc, run)
      ? go({ kind: 'follow_up', reason: `${run.staleLeft} orgs changed since the plan` })
      : go({ kind: 'advance', to: 'baking', reason: 'every range is verified without a mismatch' });
  }
  if (!ours || fence.state !== 'verifying')
    return go({ kind: 'open_fence', state: 'verifying', reason: 'ranges are to be verified' });
  const want = Math.min(dc.lanes, run.batches - run.verified);
  return {
    steps: [{ kind: 'wake_workers', job: 'verify', want, reason: 'ranges are to be verified' }],
    holds: workHolds(dc, cell, run, 'read'),
  };
}

/** Once, and not beyond what the guard-rails allow the plan and its follow-up together. */
const mayFollowUp = (dc: DataCenterSnapshot, run: RunReading): boolean =>
  run.staleLeft > 0 && !run.followedUp && (dc.orgsTouched === null || run.touched + run.staleLeft <= dc.orgsTouched);

/**
 * `doctor` shows what is wrong. A run keeps the bake query that it was requested with: another query needs a new run.
 */
const correctBakeQuery = (id: string): Release => ({
  ...byCommand('doctor', '--dc', id),
  after: ` shows what is wrong; to use another query, abort --dc ${id}, then apply again`,
});

function decideBaking(snapshot: Snapshot, dc: DataCenterSnapshot): Decision {
  if (dc.intent === 'abort') return go({ kind: 'advance', to: 'aborted', reason: 'the operator aborted' });
  const stopped = paused(dc);
  if (stopped !== undefined) return hold(stopped);
  const held = decideFrozen(dc) ?? holdChanged(dc);
  if (held !== undefined) return held;
  if (dc.bakeUntil !== null && snapshot.now < dc.bakeUntil)
    return hold(
      createHold('baking', byWaiting('it goes on by itself'), snapshot.now.toISOString(), dc.bakeUntil.toISOString()),
    );
  if (dc.cell?.kind === 'unreachable') return hold(unreachable(dc));
  if (dc.cell?.kind === 'read' && dc.cell.bakeError !== null)
    return hold(createHold('bake_query_failed', correctBakeQuery(dc.id), dc.cell.bakeError));
  if (dc.cell?.kind === 'read' && dc.cell.bakeQuery === false)
    return hold(
      createHold('bake_query', byWaiting('it goes on by itself once the query returns true'), 'false', 'true'),
    );
  const asked = askedHold(dc);
  return asked === undefined ? go({ kind: 'advance', to: 'done', reason: 'the bake is over' }) : hold(asked);
}
