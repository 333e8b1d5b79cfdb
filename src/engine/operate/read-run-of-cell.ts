// What `status` shows of one cell beside the decision: the progress of its run, who works in it and who blocks that.
import { explainSignUpsWait, type SignUpsWait, type WaitingSignUps } from '../../domain/cutover/sign-up-writing.js';
import { isUnderWay } from '../../domain/rollout/data-center-state.js';
import type { DataCenterSnapshot } from '../../domain/rollout/snapshot.js';
import { nameReasons } from '../../domain/source/org-inputs.js';
import { countQuarantine, type RunProgress, readProgress } from '../../stores/cell/batch/progress.js';
import { findRun } from '../../stores/cell/batch/runs.js';
import { listCellSchedulerLogins } from '../../stores/cell/batch/scheduler-logins.js';
import { listWorkerLogins, type ProcessLogin, readWorkers } from '../../stores/cell/batch/workers.js';
import { type Blocker, listBlockers } from '../../stores/cell/blockers.js';
import { readWaitingSignUps } from '../../stores/cell/cutover/pending-sign-ups.js';
import { type FeedState, readFeedState } from '../../stores/cell/feed/feed.js';
import { readLeftOut } from '../../stores/cell/left-out.js';
import type { EngineContext } from '../context.js';

/** A login of running processes, and what it may do beyond their work: other roles, owner, createrole, superuser. */
export interface ExcessLogin extends ProcessLogin {
  readonly process: 'worker' | 'scheduler';
  /** The cell in which it may; null: in control. */
  readonly dataCenter: string | null;
}

export const toExcess = (
  process: ExcessLogin['process'],
  dataCenter: string | null,
  login: ProcessLogin,
): ExcessLogin => ({
  process,
  dataCenter,
  ...login,
});

/** Sign-ups that wait, and why; and those that were given up. */
export interface ExplainedSignUps extends WaitingSignUps {
  readonly why: SignUpsWait;
}

interface RunOfCell {
  readonly progress: RunProgress | null;
  readonly quarantined: readonly { readonly reason: string; readonly orgs: number }[];
  /** Orgs whose ids are too long to be held; 0: none, or the cell cannot be read. */
  readonly leftOut: number;
  readonly workersAlive: number | null;
  /** What the change feed meets. */
  readonly changeFeed: FeedState | null;
  /** Null: none waits. */
  readonly waitingSignUps: ExplainedSignUps | null;
  readonly blockers: readonly Blocker[];
  readonly logins: readonly ExcessLogin[];
}

const MAX_BLOCKERS = 3;

/** What a cell that answered a moment ago does not say any more is left out. */
export async function readRunOfCell(context: Pick<EngineContext, 'cells'>, dc: DataCenterSnapshot): Promise<RunOfCell> {
  const { runId, cell } = dc;
  if (cell?.kind !== 'read') return NOT_READ;
  const reading = context.cells.get(dc.id).inTransaction('state', async (tx) => {
    const run = runId === null ? undefined : await findRun(tx, runId);
    const { alive } = await readWorkers(tx);
    const waiting = await readWaitingSignUps(tx);
    const place = { frozen: cell.freeze !== null, singleWrites: dc.singleWrites, workersAlive: alive };
    return {
      progress: run ? await readProgress(tx, run.runId) : null,
      quarantined: run ? nameReasons(await countQuarantine(tx, run.runId)) : [],
      leftOut: await readLeftOut(tx),
      workersAlive: alive,
      changeFeed: await readFeedState(tx),
      waitingSignUps:
        waiting.count === 0 && waiting.givenUp === null
          ? null
          : { ...waiting, why: explainSignUpsWait(waiting, place) },
      logins: [
        ...(await listWorkerLogins(tx)).map((login) => toExcess('worker', dc.id, login)),
        ...(await listCellSchedulerLogins(tx)).map((login) => toExcess('scheduler', dc.id, login)),
      ],
      // last: it runs as the login itself
      blockers: isUnderWay(dc) || dc.maintenance.open !== null ? await listBlockers(tx, MAX_BLOCKERS) : [],
    };
  });
  return reading.catch(() => NOT_READ);
}

const NOT_READ: RunOfCell = {
  progress: null,
  quarantined: [],
  leftOut: 0,
  workersAlive: null,
  changeFeed: null,
  waitingSignUps: null,
  blockers: [],
  logins: [],
};
