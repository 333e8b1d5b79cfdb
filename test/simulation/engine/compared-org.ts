// One org beside what is stored for it, as `readCandidates` reads it for a night or a sweep.

import type { Allotment } from '../../../src/domain/org/allotment.js';
import type { ComparedOrg } from '../../../src/domain/reconcile/decide-drift.js';
import type { Found, Stored } from '../../../src/domain/reconcile/name-cause.js';
import type { Candidate } from '../../../src/stores/cell/reconcile/drift-candidates.js';
import { type CellTx, decided, LAPSE_GRACE_DAYS, localDateOf } from './cell-state.js';

const DAY_MS = 86_400_000;

/** Undefined: it is nowhere. */
export function readComparedOrg(tx: CellTx, orgId: string): Candidate | undefined {
  const { allotments, changes, quarantine, drift } = tx.now;
  const stored = allotments.get(orgId) ?? null;
  const now = decided(tx, orgId);
  const floors = {
    beforeFloor: stored?.floor ?? null,
    afterFloor: now?.kind === 'decided' ? now.allotment.floor : null,
  };
  if (now?.kind === 'quarantine') return { orgId, org: 'undecidable', ...floors };
  if (now === undefined && stored === null) return undefined;
  const last = changes.findLast((one) => one.orgId === orgId);
  const earlier = last?.operation === 'delete' && last.cause !== 'undo' ? 'retired' : 'never';
  const proposal = drift.findLast((one) => one.orgId === orgId && one.proposedFloor !== null);
  const lapsedBefore = localDateOf(new Date(tx.db.now.getTime() - LAPSE_GRACE_DAYS * DAY_MS));
  const asStored: Stored =
    stored === null
      ? { kind: 'none', earlier, quarantined: quarantine.some((one) => one.orgId === orgId) }
      : {
          ...toCompared(stored),
          ...{ kind: 'allotment', mark: 'none', card: 'same', proposedFor: proposal?.cause ?? null },
          lapsed: stored.unpaidSince !== null && stored.unpaidSince < lapsedBefore,
        };
  const found: Found =
    now === undefined ? { kind: 'gone' } : { ...toCompared(now.allotment), kind: 'org', signedUp: signedUp(tx, orgId) };
  const org: ComparedOrg = {
    ...{ stored: asStored, found, movement: now?.movement ?? null, ownCard: null, record: null, flooredByHand: null },
    beforeTotal: stored?.totalCredits ?? null,
    afterTotal: now?.allotment.totalCredits ?? null,
    proposedFloor: now?.proposedFloor ?? null,
  };
  return { orgId, org, ...floors };
}

const toCompared = ({ edition, paid, agents, lightAgents, additionalCredits, negotiatedLimit, floor }: Allotment) => ({
  ...{ edition, paid, agents, lightAgents, additionalCredits, negotiatedLimit, floor },
});

function signedUp({ now: state }: CellTx, orgId: string): Extract<Found, { kind: 'org' }>['signedUp'] {
  const recorded = state.signUps.find((one) => one.orgId === orgId)?.model;
  if (recorded !== undefined) return recorded;
  const createdAt = state.orgs.get(orgId)?.createdAt ?? null;
  const { effectiveAt } = state.gate;
  return createdAt !== null && effectiveAt !== null && createdAt >= effectiveAt ? 'after_cutover' : 'before_rollout';
}
