// Decides about what runs in a data center that is done: its nightly run, a requested reconciliation, the sweep after
// its cut-over, and whether the change feed may write. Pure. At most one such run in the whole rollout at a time.
import {
  type Decision,
  go,
  hold,
  IDLE,
  isClosedAt,
  paused,
  type ReadCell,
  sourceHold,
  unreachable,
  workHolds,
} from './decision.js';
import { byCommand, byWaiting, createHold, type Hold } from './hold.js';
import type { DataCenterSnapshot, MaintenanceReading, MaintenanceRun, Snapshot } from './snapshot.js';

/** What to do now for the maintenance of one data center, or why nothing is done. */
export function decideMaintenance(snapshot: Snapshot, dc: DataCenterSnapshot): Decision {
  const { open } = dc.maintenance;
  if (open !== null) return decideOpen(dc, open);
  const run = chooseRun(dc);
  if (dc.stage !== 'done' || !dc.fenceConfirmedClosed) return IDLE;
  const { steps } = decideSingleWrites(dc);
  if (run === undefined) return { steps, holds: [...listPause(dc), ...unattached(dc)] };
  // opening the fence would hide the failover from the auditor, who has it rolled out again
  if (hasFailedOver(dc)) return IDLE;
  const holds = listHolds(snapshot, dc);
  return holds.length > 0 ? { steps, holds } : go({ kind: 'start_maintenance', of: run.kind, reason: run.reason });
}

const hasFailedOver = ({ cell }: DataCenterSnapshot): boolean => cell?.kind === 'read' && !cell.fence.sameTimeline;

/** Whether the answer depends on the cell: else it need not be read for it. */
export function isMaintenanceDue(dc: DataCenterSnapshot): boolean {
  if (dc.maintenance.open !== null) return true;
  return dc.stage === 'done' && (chooseRun(dc) !== undefined || (dc.intent === 'run') !== dc.singleWrites);
}

/** The sweep first: until it is over, orgs are missing. */
function chooseRun(
  dc: DataCenterSnapshot,
): { readonly kind: 'reconcile' | 'sweep'; readonly reason: string } | undefined {
  const gate = dc.cell?.kind === 'read' ? dc.cell.gate : dc.knownGate;
  if (gate.latchedAt !== null && gate.sweptAt === null)
    return { kind: 'sweep', reason: 'sign-ups from before the cut-over are to be found' };
  if (dc.maintenance.night !== null)
    return { kind: 'reconcile', reason: `the night of ${dc.maintenance.night.localDate} is due` };
  return dc.maintenance.requested ? { kind: 'reconcile', reason: 'it was asked for' } : undefined;
}

function listHolds(snapshot: Snapshot, dc: DataCenterSnapshot): readonly Hold[] {
  const { cell } = dc;
  if (cell?.kind !== 'read') return [unreachable(dc)];
  const other = snapshot.dataCenters.find(({ id, maintenance }) => id !== dc.id && maintenance.open !== null);
  const holds: (Hold | undefined)[] = [
    ...stops(dc, cell),
    sourceHold(dc),
    other && createHold('maintenance_slot_taken', byWaiting('it starts by itself'), other.id),
    rests(snapshot, dc),
  ];
  return holds.filter((found) => found !== undefined);
}

/** After a failure it is retried, but not at once. */
const REST_MS = 60_000;

function rests({ now }: Snapshot, { id, maintenance: { failedAt } }: DataCenterSnapshot): Hold | undefined {
  if (failedAt === null || now.getTime() - failedAt.getTime() >= REST_MS) return undefined;
  return createHold('maintenance_failed', byCommand('verify', '--dc', id), failedAt.toISOString());
}

const stops = (dc: DataCenterSnapshot, { freeze }: ReadCell): readonly Hold[] => [
  ...(freeze === null ? [] : [createHold('frozen', byCommand('unfreeze', '--dc', dc.id), freeze.since.toISOString())]),
  ...listPause(dc),
];

function listPause(dc: DataCenterSnapshot): readonly Hold[] {
  const held = paused(dc);
  return held === undefined ? [] : [held];
}

/** What our views say is no more the product's: nothing is healed by it until `init` has attached them again. */
const changed = (dc: DataCenterSnapshot): readonly Hold[] =>
  unattached(dc).filter(({ code }) => code === 'source_changed');

/** Also where nothing is due: the product's view is gone, or does not see its orgs, meanwhile. */
function unattached(dc: DataCenterSnapshot): readonly Hold[] {
  const held = sourceHold(dc);
  return held === undefined ? [] : [held];
}

function decideOpen(dc: DataCenterSnapshot, open: MaintenanceRun): Decision {
  const { cell } = dc;
  if (cell?.kind !== 'read') return hold(unreachable(dc));
  const { fence } = cell;
  const { epoch } = open;
  // on record too: a scheduler that died between the cell and control left a fence whose closing control did not record
  const closed = isClosedAt(epoch, fence) && dc.maintenance.closedEpoch === epoch;
  const failure = nameFailure(epoch, cell);
  if (failure !== undefined)
    return closed
      ? go({ kind: 'end_maintenance', run: open, state: 'failed', reason: failure })
      : go({ kind: 'close_maintenance', run: open, reason: failure });
  const held = [...stops(dc, cell), ...changed(dc)];
  if (held.length > 0)
    return closed ? hold(...held) : go({ kind: 'close_maintenance', run: open, reason: 'an operator stopped it' });
  const run = cell.maintenance;
  if (run?.detected && run.pending === 0) return decideFinished(open, run, closed);
  if (run === undefined || fence.state !== 'open' || fence.epoch !== epoch || !fence.sameServer)
    return go({ kind: 'open_maintenance', run: open, reason: 'it is to be worked on' });
  return {
    steps: [
      run.detected
        ? {
            kind: 'wake_workers',
            job: 'apply',
            want: Math.min(dc.lanes, run.pending),
            epoch,
            reason: 'orgs are to be healed',
          }
        : { kind: 'wake_workers', job: 'detect', want: 1, epoch, reason: 'drift is to be found' },
    ],
    holds: [
      ...workHolds(dc, cell, run),
      createHold('maintenance', byWaiting('it ends by itself; pause holds it'), open.kind),
    ],
  };
}

/** Why it cannot go on. After a failover nobody knows what of it, and of the rollout before it, was lost. */
function nameFailure(epoch: bigint, { fence, undone }: ReadCell): string | undefined {
  if (undone === true) return 'the cell has an undo that control does not know';
  if (fence.failure !== null && fence.epoch === epoch) return `a rule was broken: ${fence.failure}`;
  return fence.sameTimeline ? undefined : 'the cell has failed over';
}

function decideFinished(open: MaintenanceRun, run: MaintenanceReading, closed: boolean): Decision {
  if (!closed) return go({ kind: 'close_maintenance', run: open, reason: 'nothing is pending' });
  return open.kind === 'sweep' && run.found > 0
    ? go({ kind: 'sweep_again', run: open, reason: `the last pass found ${run.found} orgs` })
    : go({ kind: 'end_maintenance', run: open, state: 'done', reason: 'nothing is left to heal' });
}

/** The change feed writes while no run does: between the runs of a data center that is done. */
function decideSingleWrites(dc: DataCenterSnapshot): Decision {
  const { cell } = dc;
  if (cell?.kind !== 'read' || cell.fence.state !== 'closed') return IDLE;
  const wanted = dc.intent === 'run' && cell.freeze === null && cell.source === 'attached';
  if (wanted === cell.fence.singleWrites && wanted === dc.singleWrites) return IDLE;
  if (!wanted) {
    if (!cell.fence.singleWrites && !dc.singleWrites) return IDLE;
    return go({ kind: 'stop_single_writes', reason: 'an operator stopped it' });
  }
  return go({ kind: 'allow_single_writes', reason: 'nothing is under way' });
}
