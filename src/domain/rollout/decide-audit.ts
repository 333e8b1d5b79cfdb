// Decides whether a data center is still what was verified, or undone: a failover or a restore can lose the tail of a
// run.
import type { CellReading } from './snapshot.js';
import type { Stage } from './stage.js';

/** Nothing is under way, but the fence is open: a restored control database does not know that it opened it. */
export function isLeftOpen(cell: CellReading): boolean {
  return cell.kind === 'read' && cell.fence.state !== 'closed';
}

/**
 * Why an undo is not what ended here any more, or undefined: a failover or a restore lost its end, and what it took
 * away is there again. Nothing goes on by itself: two people agreed on what was there then.
 */
export function decideUndoneAudit(dc: { readonly epoch: bigint | null }, cell: CellReading): string | undefined {
  if (cell.kind === 'unreachable' || dc.epoch === null) return undefined;
  const { fence, run } = cell;
  if (run === undefined) return 'the cell no longer knows the undo';
  if (run.pending > 0) return 'ranges of the undo are pending again';
  return fence.epoch < dc.epoch ? 'the fence is at an older epoch than the undo had' : undefined;
}

/**
 * The cell took back what control calls rolled out: control was restored to before the undo. A night would put it all
 * there again, against what two people agreed on; a person decides.
 */
export const isUndoForgotten = (stage: Stage, cell: CellReading | undefined): boolean =>
  (stage === 'done' || stage === 'baking') && cell?.kind === 'read' && cell.undone === true;

/** Why it must be rolled out again, or undefined. An unreadable cell proves nothing either way. */
export function decideAudit(dc: { readonly epoch: bigint | null }, cell: CellReading): string | undefined {
  if (cell.kind === 'unreachable' || dc.epoch === null) return undefined;
  const { fence, run } = cell;
  if (run === undefined) return 'the cell no longer knows the run';
  if (run.pending > 0) return 'ranges of the run are pending again';
  if (run.verified < run.batches) return 'verified ranges are unverified again';
  if (fence.epoch < dc.epoch) return 'the fence is at an older epoch than it was closed at';
  if (fence.state !== 'closed') return 'the fence is open again';
  if (!fence.sameTimeline) return 'the cell has failed over since it was verified';
  return undefined;
}
