// What the snapshot of a data center means for people: its state in one word, and who or what must move it on.
import { isMaintenanceDue } from './decide-maintenance.js';
import { continueFailed, isUndoDue } from './decide-undo.js';
import { isClosedAt } from './decision.js';
import { byCommand, type Hold, type ReleaseCommand } from './hold.js';
import type { DataCenterSnapshot } from './snapshot.js';
import { RESTING_STAGES } from './stage.js';

/**
 * running, pausing, paused, aborting, waiting, or the stage where nothing is under way. `paused` is a proof: it needs
 * the fence as it was read in the cell just now, since control or the cell may have been restored to another moment.
 */
export function nameState(dc: DataCenterSnapshot): string {
  if (RESTING_STAGES.includes(dc.stage)) return dc.requested ? 'waiting' : dc.stage;
  if (dc.intent === 'abort') return 'aborting';
  if (dc.intent === 'pause') return dc.stage === 'baking' || isReadClosed(dc) ? 'paused' : 'pausing';
  return 'running';
}

const isReadClosed = ({ fenceConfirmedClosed, epoch, cell }: DataCenterSnapshot): boolean =>
  fenceConfirmedClosed && cell?.kind === 'read' && isClosedAt(epoch ?? 0n, cell.fence);

/** The newest plan, where no run has followed it yet. */
export interface PlanToUse {
  readonly planId: string;
  readonly step: 'approve' | 'apply';
}

/** What is there to be used, beside the snapshot. */
export interface NextFacts {
  readonly now: Date;
  readonly plan: PlanToUse | undefined;
  /** Why it is at stage `failed`. */
  readonly failure: string | null;
  /** The newest repair since then; `name`: as it is approved, for example `in-p3`. */
  readonly repair: { readonly state: 'proposed' | 'applied'; readonly name: string } | undefined;
  /** There is a run that wrote and is not undone: asked for after an undo only. */
  readonly undoable?: boolean;
}

/** The command to try next: it uses what is there. While it moves by itself, the one that waits for its end. */
export function nextCommand(dc: DataCenterSnapshot, holds: readonly Hold[], facts: NextFacts): ReleaseCommand {
  if (dc.cell?.kind === 'unreachable' && dc.cell.code === 'not_initialised') return byCommand('init');
  const release = findRelease(holds.filter(({ code }) => code !== 'cutover_late'));
  if (release !== undefined) return release;
  if (isUnderWay(dc)) return byCommand('wait', '--dc', dc.id);
  if (facts.repair?.state === 'proposed') return approveByOther(facts.repair.name);
  if (dc.stage === 'failed') return nextAfterFailure(dc, facts);
  if (facts.plan !== undefined) return usePlan(facts.plan);
  if (dc.stage === 'undone' && facts.undoable) return byCommand('undo', '--dc', dc.id);
  return (
    findRelease(holds) ??
    (dc.stage === 'done' ? byCommand('verify', '--dc', dc.id) : byCommand('apply', '--dc', dc.id, '--execute'))
  );
}

const findRelease = (holds: readonly Hold[]): ReleaseCommand | undefined =>
  holds.map(({ release }) => release).find((release): release is ReleaseCommand => release.kind === 'command');

/** Whoever reads it may be the one person who cannot. */
const approveByOther = (name: string): ReleaseCommand => ({
  ...byCommand('approve', name),
  after: ' (by another person than its author)',
});

const usePlan = ({ planId, step }: PlanToUse): ReleaseCommand =>
  step === 'approve' ? approveByOther(planId) : byCommand('apply', '--plan', planId, '--execute');

/** A retry alone would find the same allotments, or the same run that the cell has ended. */
function nextAfterFailure(dc: DataCenterSnapshot, { failure, repair, now, undoable }: NextFacts): ReleaseCommand {
  if (failure === 'verification_mismatch' && repair === undefined) return byCommand('repair', '--dc', dc.id);
  if (failure === 'undo_forgotten' && !undoable) return keepUndone(dc.id);
  return failure === 'seal_used' ? byCommand('apply', '--dc', dc.id, '--execute') : continueFailed(dc, now);
}

const keepUndone = (id: string): ReleaseCommand => ({
  ...byCommand('abort', '--dc', id),
  after: ' keeps what was undone; apply rolls it out again',
});

/** A rollout or an undo is requested or runs, paused or not. */
export const isUnderWay = (dc: DataCenterSnapshot): boolean =>
  dc.requested || isUndoDue(dc) || !RESTING_STAGES.includes(dc.stage);

/**
 * What only a scheduler does, now or later: a rollout, a night or a request, a cut-over with its sweep, the end of a
 * pause.
 */
export const needsScheduler = (dc: DataCenterSnapshot): boolean =>
  isUnderWay(dc) || isMaintenanceDue(dc) || awaitsCutover(dc) || endsItself(dc.pause);

const endsItself = (pause: DataCenterSnapshot['pause']): boolean => pause !== null && pause.until !== null;

const awaitsCutover = ({ stage, cutoverAt, cell, knownGate }: DataCenterSnapshot): boolean =>
  stage === 'done' && cutoverAt !== null && (cell?.kind === 'read' ? cell.gate : knownGate).latchedAt === null;
