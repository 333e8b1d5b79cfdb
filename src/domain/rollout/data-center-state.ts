// What the snapshot of a data center comes to for people: its state in one word, and who or what must move it on.
import { isMaintenanceDue } from './decide-maintenance.js';
import { byCommand, type Hold, type ReleaseCommand } from './hold.js';
import type { DataCenterSnapshot } from './snapshot.js';
import { RESTING_STAGES } from './stage.js';

/** running, pausing, paused, aborting, waiting, or the stage where nothing is under way. */
export function nameState(dc: DataCenterSnapshot): string {
  if (RESTING_STAGES.includes(dc.stage)) return dc.requested ? 'waiting' : dc.stage;
  if (dc.intent === 'abort') return 'aborting';
  if (dc.intent === 'pause') return dc.fenceConfirmedClosed || dc.stage === 'baking' ? 'paused' : 'pausing';
  return 'running';
}

/** The command to try next; null while it moves by itself. */
export function nextCommand(dc: DataCenterSnapshot, holds: readonly Hold[]): ReleaseCommand | null {
  if (dc.cell?.kind === 'unreachable' && dc.cell.code === 'not_initialised') return byCommand('init');
  const release = holds.map((hold) => hold.release).find(({ kind }) => kind === 'command');
  if (release?.kind === 'command') return release;
  switch (dc.stage) {
    case 'pending':
    case 'aborted':
    case 'undone':
      return dc.requested ? null : byCommand('apply', '--dc', dc.id, '--execute');
    case 'failed':
      return byCommand('retry', '--dc', dc.id);
    case 'done':
      return byCommand('verify', '--dc', dc.id);
    default:
      return null;
  }
}

const isUnderWay = (dc: DataCenterSnapshot): boolean => dc.requested || !RESTING_STAGES.includes(dc.stage);

/** What only a scheduler does, now or later: a rollout, a night or a request, a cut-over with its sweep. */
export const needsScheduler = (dc: DataCenterSnapshot): boolean =>
  isUnderWay(dc) || isMaintenanceDue(dc) || awaitsCutover(dc);

const awaitsCutover = ({ stage, cutoverAt, cell, knownGate }: DataCenterSnapshot): boolean =>
  stage === 'done' && cutoverAt !== null && (cell?.kind === 'read' ? cell.gate : knownGate).latchedAt === null;
