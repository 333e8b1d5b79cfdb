// The exit code of several data centers together, and of one that was waited for.

import { hasEnded } from '../../domain/rollout/stage.js';
import type { DataCenterStatus, Status } from '../../engine/operate/read-status.js';
import { ERRORS } from '../../kernel/error-codes.js';

/** There was nothing to do, to wait for or to verify. */
export const NOTHING_TO_DO = 8;

/** It ended, and orgs were left out. */
export const ORGS_LEFT_OUT = 3;

/** First that applies: error, not permitted, conflict, mismatch, held, nothing to do, left out, pending. */
const ORDER = [1, 7, 6, 5, 4, NOTHING_TO_DO, ORGS_LEFT_OUT, 2] as const;

export function chooseExitCode(codes: readonly number[]): number {
  return ORDER.find((code) => codes.includes(code)) ?? 0;
}

/** 0 done, 3 done with orgs left out, 4 not ended, 5 a mismatch, 1 failed or aborted. */
export function exitCodeOf(dc: DataCenterStatus): number {
  if (dc.undoRequested) return 4;
  if (dc.stage === 'failed') return codeOfFailure(dc.failure);
  if (dc.stage === 'aborted') return 1;
  if ((dc.stage !== 'done' && dc.stage !== 'undone') || !hasEnded(dc)) return 4;
  return (dc.progress?.quarantined ?? 0) + (dc.progress?.stale ?? 0) > 0 ? ORGS_LEFT_OUT : 0;
}

const codeOfFailure = (failure: string | null): number =>
  Object.entries(ERRORS).find(([code]) => code === failure)?.[1].exit ?? 1;

export function exitCodeOfStatus(status: Status, dataCenters: readonly string[]): number {
  return chooseExitCode(status.dataCenters.filter(({ id }) => dataCenters.includes(id)).map(exitCodeOf));
}

/** For a check that runs every minute: 1 something failed or cannot be read, 4 it waits for a person, else 0. */
export function exitCodeOfHealth({ dataCenters, tickFailures }: Pick<Status, 'dataCenters' | 'tickFailures'>): number {
  const codes = dataCenters.map(({ stage, unreachable, holds }) => {
    if (stage === 'failed' || unreachable !== null) return 1;
    return holds.some(({ needsPerson }) => needsPerson) ? 4 : 0;
  });
  return chooseExitCode([...codes, tickFailures.length > 0 ? 1 : 0]);
}
