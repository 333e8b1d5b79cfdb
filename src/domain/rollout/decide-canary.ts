// The canary of a run: applied, verified, waited for, and only then passed. Pure; nothing else is written before.
import { formatDuration } from '../time/duration.js';
import { type Decision, go, hold, isClosed, type ReadCell, workHolds } from './decision.js';
import { byWaiting, createHold } from './hold.js';
import type { DataCenterSnapshot, RunReading } from './snapshot.js';

/** What to do while the canary has not passed. `ours`: the fence is that of this run and epoch. */
export function decideCanary(dc: DataCenterSnapshot, cell: ReadCell, run: RunReading, ours: boolean): Decision {
  const { canary } = run;
  if (canary.pending > 0) {
    if (!ours || cell.fence.state !== 'open')
      return go({ kind: 'open_fence', state: 'open', reason: 'the canary is pending' });
    return {
      steps: [{ kind: 'wake_workers', job: 'apply', want: 1, reason: 'the canary is pending' }],
      holds: workHolds(dc, cell, run),
    };
  }
  return canary.unverified > 0 ? decideVerification(dc, cell, run, ours) : decideVerified(dc, cell, run);
}

function decideVerification(dc: DataCenterSnapshot, cell: ReadCell, run: RunReading, ours: boolean): Decision {
  // the fence of the batches is closed before what they wrote is verified
  if (ours && cell.fence.state === 'open') return go({ kind: 'close_fence', reason: 'the canary is applied' });
  if (!ours || cell.fence.state !== 'verifying')
    return go({ kind: 'open_fence', state: 'verifying', reason: 'the canary is to be verified' });
  return {
    steps: [{ kind: 'wake_workers', job: 'verify', want: 1, reason: 'the canary is to be verified' }],
    holds: workHolds(dc, cell, run, 'read'),
  };
}

function decideVerified(dc: DataCenterSnapshot, cell: ReadCell, { canary }: RunReading): Decision {
  if (!isClosed(dc, cell.fence)) return go({ kind: 'close_fence', reason: 'the canary is verified' });
  if (canary.mismatches > 0)
    return go({
      kind: 'fail',
      code: 'verification_mismatch',
      reason: `${canary.mismatches} orgs of the canary break the rule`,
    });
  const waited = canary.verifiedForMs ?? dc.canaryWaitMs;
  if (waited >= dc.canaryWaitMs) return go({ kind: 'pass_canary', reason: 'the canary is applied and verified' });
  const left = formatDuration(Math.ceil((dc.canaryWaitMs - waited) / 1_000) * 1_000);
  return hold(createHold('canary_wait', byWaiting('it goes on by itself'), left, formatDuration(dc.canaryWaitMs)));
}
